"""The recordings that come with the package are what they say they are."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path

import pytest

import sse_widget as sw
from sse_server.sources.base import ChatMessage, ChatRequest
from sse_server.sources.synthetic import SyntheticSource, parse_params, words
from sse_widget.cassette import samples
from sse_widget.errors import CassetteError

FOLDER = Path(sw.__file__).with_name("cassettes")
MOST_BYTES = 30_000
QUESTION = ChatRequest((ChatMessage("user", "hi"),), "synthetic:")


def gaps_s(cassette):
    return [(after.offset_us - before.offset_us) / 1e6 for before, after in pairwise(cassette.reads)]


def delta_gaps_s(name):
    """The gaps between reads that bring text."""
    reads = [read.offset_us / 1e6 for read in sw.Cassette.sample(name).reads if b"event: delta" in read.data]
    return [after - before for before, after in pairwise(reads)]


def test_there_are_six():
    assert samples() == ["arabic", "bursty", "chinese", "code", "english", "stalling"]
    with pytest.raises(CassetteError, match="there are arabic, bursty"):
        sw.Cassette.sample("klingon")


@pytest.mark.parametrize("name", samples())
def test_a_sample_is_whole_and_small_and_has_the_text_of_its_seed(name):
    cassette = sw.Cassette.sample(name)
    assert cassette.end.end == "ended"
    assert (FOLDER / f"{name}.ssecast").stat().st_size < MOST_BYTES
    assert cassette.text == "".join(words(parse_params(cassette.header.model.partition(":")[2])))
    done = cassette.events()[-1]
    assert (done.event, json.loads(done.data)["chars"]) == ("done", len(cassette.text))
    assert cassette.header.title
    assert [pair[0] for pair in cassette.header.headers if pair[0] not in {"x-stream-id", "server"}] == [
        "content-type",
        "cache-control",
        "x-accel-buffering",
    ]


def test_one_stalls_and_its_server_pings_meanwhile():
    assert sorted(delta_gaps_s("stalling"))[-3:] >= [1.4] * 3
    assert sum(event.event == "ping" for event in sw.Cassette.sample("stalling").events()) >= 3
    assert max(delta_gaps_s("english")) < 0.5


def test_one_comes_in_bursts():
    cassette = sw.Cassette.sample("bursty")
    deltas = [read.data.count(b"event: delta") for read in cassette.reads]
    assert max(deltas) >= 15
    assert sum(gap > 0.3 for gap in gaps_s(cassette)) >= 5


def test_the_code_has_code():
    assert "```sh\ncurl -N" in sw.Cassette.sample("code").text


def test_a_synthetic_model_stalls_and_bursts_at_its_rate(virtual):
    async def times_ms(params):
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        return [
            (round(1000 * (loop.time() - began_s)), token.text)
            async for token in SyntheticSource(parse_params(params)).tokens(QUESTION)
        ][:-1]

    even = virtual(times_ms("tokens=6,rate=10,jitter=0"))
    assert [at for at, _ in even] == [0, 100, 200, 300, 400, 500]
    bursts = virtual(times_ms("tokens=6,rate=10,jitter=0,burst=3"))
    assert [at for at, _ in bursts] == [0, 0, 0, 300, 300, 300]
    stalls = virtual(times_ms("tokens=6,rate=10,jitter=0,stall_every=2,stall_ms=1000"))
    assert [at for at, _ in stalls] == [0, 100, 1200, 1300, 2400, 2500]
    assert {tuple(text for _, text in run) for run in (bursts, stalls)} == {tuple(text for _, text in even)}
