"""The codec of recordings: every byte and every time comes back, and a file that was cut says so."""

from __future__ import annotations

import base64
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_widget.errors import CassetteError
from sse_widget.protocol.cassette import Decoder, Encoder, End, Header, Read

HEADER = Header(url="http://127.0.0.1/x", headers=(("content-type", "text/event-stream; charset=utf-8"),), head_us=7)
READS = (Read(10, "data: كلمة\r".encode()[:9]), Read(10, b"\n\xff\x00"), Read(2_000_000, b""))
texts = st.text(st.characters(exclude_categories=["Cs"]))


def recorded(header=HEADER, reads=READS, how="ended", at_us=3_000_000):
    encoder = Encoder(header)
    return [encoder.header, *(encoder.read(read) for read in reads), encoder.end(how, at_us)]


def read_back(lines):
    decoder = Decoder(lines)
    return decoder.header, tuple(decoder), decoder.end


def made(*steps):
    """Reads whose offsets are sums of steps."""
    reads, at_us = [], 0
    for step_us, data in steps:
        at_us += step_us
        reads.append(Read(at_us, data))
    return tuple(reads)


@given(
    st.lists(st.tuples(st.integers(0, 2**40), st.binary(max_size=200))),
    st.sampled_from(["ended", "cut", "left"]),
    texts,
    texts,
)
def test_any_bytes_at_any_times_come_back(steps, how, title, question):
    reads = made(*steps)
    at_us = reads[-1].offset_us + 1 if reads else 0
    header = Header(title=title, question=question, headers=HEADER.headers)
    lines = recorded(header, reads, how, at_us)
    data = b"".join(read.data for read in reads)
    assert all(line.endswith(b"\n") and b"\n" not in line[:-1] for line in lines)
    assert read_back(lines) == (header, reads, End(how, at_us, len(data), zlib.crc32(data)))
    assert b"".join(lines).splitlines(keepends=True) == lines


def test_a_line_is_what_the_format_says():
    header, first, *_, end = recorded()
    assert json.loads(first) == [10, base64.b64encode(READS[0].data).decode()]
    assert json.loads(header)["format"] == "ssecast"
    assert json.loads(header)["clock_unit"] == "us"
    assert json.loads(end) == {
        "end": "ended",
        "offset_us": 3_000_000,
        "bytes": 12,
        "crc32": zlib.crc32(b"".join(read.data for read in READS)),
    }


def test_a_recording_that_was_killed_loads_up_to_there_and_is_not_whole():
    whole = b"".join(recorded())
    after_header = len(recorded()[0])
    for length in range(after_header, len(whole) - 1):
        header, reads, end = read_back(whole[:length].splitlines(keepends=True))
        assert (header, end) == (HEADER, None)
        complete = len([line for line in whole[:length].splitlines() if line.endswith(b"]")])
        assert reads == READS[:complete]


def test_a_recording_without_its_last_line_feed_is_whole():
    assert read_back(b"".join(recorded()).rstrip(b"\n").splitlines(keepends=True))[1:] == read_back(recorded())[1:]


def test_no_more_than_one_line_is_held():
    taken = []

    def lines():
        for line in recorded():
            taken.append(line)
            yield line

    decoder = Decoder(lines())
    assert len(taken) == 1
    reads = iter(decoder)
    assert (next(reads), len(taken)) == (READS[0], 2)


@pytest.mark.parametrize(
    ("number", "line", "says"),
    [
        (1, b"", "no header"),
        (1, b'{"format":"ssecast"', "no header"),
        (1, b'{"format":"asciicast","version":2}\n', "no header"),
        (1, b"\xff\xfe\n", "no header"),
        (1, b"{}\n", "no header"),
        (1, b'{"format":"ssecast","version":2}\n', "version 2"),
        (1, b'{"format":"ssecast","version":1,"headers":[["content-type","text/html"]]}\n', "'text/html'"),
        (2, b"\n", "neither a read nor an end"),
        (2, b'[1,"YQ="]\n', "base64"),
        (2, b'[1.5,"YQ=="]\n', "expected `int`"),
        (2, b'[-1,"YQ=="]\n', "-1 us comes after 0 us"),
        (2, b'{"end":"died","offset_us":1,"bytes":0,"crc32":0}\n', "died"),
        (4, b'[9,"YQ=="]\n', "9 us comes after 10 us"),
        (6, b'[3000001,"YQ=="]\n', "follows the end"),
    ],
)
def test_a_fault_is_named_with_its_line(number, line, says):
    lines = [*recorded()[: number - 1], line]
    with pytest.raises(CassetteError) as error:
        read_back(lines)
    assert (error.value.line, error.value.code) == (number, "bad_cassette")
    assert error.value.message.startswith(f"line {number}: ")
    assert says.lower() in error.value.message.lower()


def test_a_read_that_was_changed_or_lost_is_noticed():
    lines = recorded()
    for changed in ([*lines[:2], *lines[3:]], [*lines[:3], b'[2000000,"YQ=="]\n', lines[-1]]):
        with pytest.raises(CassetteError, match="changed or lost"):
            read_back(changed)


def test_no_offset_is_written_that_lies_before_the_last_one():
    encoder = Encoder(HEADER)
    encoder.read(Read(10, b""))
    with pytest.raises(ValueError, match="9 us comes after 10 us"):
        encoder.read(Read(9, b""))
    with pytest.raises(ValueError, match="9 us comes after 10 us"):
        encoder.end("cut", 9)
