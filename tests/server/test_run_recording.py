"""The recording of a run that a widget shows: what its kernel got, from the beginning, whenever it is asked for."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from datetime import UTC, datetime

import pytest

import sse_widget as sw
from rig.serving import PATIENCE_S, RUNS, text_of
from sse_server.errors import ServerError
from sse_widget.errors import CassetteError, ConnectError, RemoteError
from sse_widget.loop import submit
from sse_widget.protocol.actions import Reset
from sse_widget.protocol.cassette import End
from sse_widget.protocol.events import CONNECTION_EVENTS
from sse_widget.recording import tape as tape_module
from sse_widget.recording.copy import Copy
from sse_widget.recording.tape import Tape

ID = "0123456789abcdef" * 2
STREAM = (("content-type", "text/event-stream"), ("set-cookie", "s3cret"))
URL = f"http://u:s3cret@127.0.0.1:1/api/v1/stream/runs/{ID}?ticket=s3cret"


@pytest.fixture
def widget_of():
    """Yield a function that makes widgets of a server."""
    made = []

    def make(url, **traits):
        made.append(sw.StreamWidget(url=url, **traits))
        return made[-1]

    yield make
    for widget in made:
        widget.close()


async def held(path, text):
    """Wait until a recording that is being written says so much, and return it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(FileNotFoundError, CassetteError):  # not there yet, or not even its header
                cassette = sw.Cassette.load(path)
                if cassette.text == text:
                    return cassette
            await asyncio.sleep(0)


async def test_a_run_is_written_down_live_and_the_same_afterwards(serve, gated, widget_of, tmp_path):
    source = gated()
    served = await serve(sources={"gated": source})
    widget = widget_of(served.url, model="gated")
    run = widget.ask("ما هو البث؟", chunk_tokens=1)
    source.say("one ")
    await run.reach(4)
    copy = widget.record(tmp_path / "live.ssecast", title="live")
    source.say("two ")
    going = await held(tmp_path / "live.ssecast", "one two ")
    assert (going.whole, "being written" in repr(copy)) == (False, True)
    source.say("ثلاثة")
    source.finish()
    live = await copy
    answer = await run
    assert live.text == answer == "one two ثلاثة"
    assert live.end.end == "ended"
    assert live.reads[: len(going.reads)] == going.reads
    other = await served.events("GET", RUNS + answer.stream_id)
    logged = [(event.event, event.id) for event in live.events() if event.event not in CONNECTION_EVENTS]
    assert logged == [(event.event, event.id) for event in other[1:]]
    assert len({read.offset_us for read in live.reads}) == len(live.reads) > 3
    header = live.header
    assert (header.title, header.question, header.model) == ("live", "ما هو البث؟", "gated")
    assert (header.offsets, header.url) == ("live", f"{served.url}{RUNS}{answer.stream_id}")
    await asyncio.to_thread(run.record(tmp_path / "after.ssecast", title="live").wait, PATIENCE_S)
    assert (tmp_path / "after.ssecast").read_bytes() == (tmp_path / "live.ssecast").read_bytes()


async def test_the_connections_of_a_run_that_was_cut_follow_each_other(serve, gated, widget_of, tmp_path):
    source = gated()
    served = await serve(sources={"gated": source}, cassettes=str(tmp_path))
    widget = widget_of(served.url, model="gated")
    run = widget.ask("hi", chunk_tokens=1)
    copy = run.record(tmp_path / "cut.ssecast")
    for word in ("one ", "two ", "three "):
        source.say(word)
        await run.reach(len(run.text) + 1)
        await asyncio.wrap_future(widget.cut())
    source.finish()
    cassette = await copy
    assert cassette.text == await run == "one two three "
    assert [event.event for event in cassette.events()].count("hello") > 1
    again = await widget.ask("again", model="replay:cut,speed=0")
    assert again == "one two three "


async def test_a_run_that_was_begun_elsewhere_says_so(serve, widget_of, tmp_path):
    served = await serve()
    stream_id = await served.start(q="hi")
    await served.until_ended(stream_id)
    widget = widget_of(served.url)
    widget.stream_id = stream_id
    cassette = await widget.record(tmp_path / "joined.ssecast")
    assert cassette.header.offsets == "log"
    assert cassette.text == text_of(await served.events("GET", RUNS + stream_id)) != ""
    plainly = await asyncio.to_thread(sw.record, f"{served.url}{RUNS}{stream_id}", tmp_path / "read.ssecast")
    assert plainly.header.offsets == "log"


async def test_runs_that_fail_or_stop_are_written_down_to_their_end(serve, gated, widget_of, tmp_path):
    source = gated()
    served = await serve(sources={"gated": source})
    widget = widget_of(served.url, model="gated")
    run = widget.ask("hi", chunk_tokens=1)
    source.say("one ")
    source.fail(ServerError("upstream_error", detail="on fire"))
    with pytest.raises(RemoteError):
        await run
    failed = await run.record(tmp_path / "failed.ssecast")
    assert (failed.text, failed.end.end, failed.events()[-1].event) == ("one ", "ended", "error")
    run = widget.ask("hi", chunk_tokens=1)
    source.say("two ")
    await run.reach(4)
    widget.stop()
    assert (await run).state == "stopped"
    stopped = await run.record(tmp_path / "stopped.ssecast")
    assert (stopped.text, stopped.end.end) == ("two ", "ended")


async def test_what_cannot_be_written_down_says_why(serve, widget_of, tmp_path):
    path = tmp_path / "run.ssecast"
    path.write_bytes(b"of yesterday")
    widget = widget_of("http://127.0.0.1:1")
    with pytest.raises(RuntimeError, match="ask first"):
        widget.record(path)
    run = widget.ask("hi")
    copy = run.record(path)
    with pytest.raises(ConnectError):
        await run
    with pytest.raises(CassetteError, match="never answered"):
        await copy
    with pytest.raises(CassetteError, match="never answered"):
        await run.record(path)
    assert "never answered" in repr(copy)
    assert path.read_bytes() == b"of yesterday"
    with pytest.raises(FileNotFoundError, match="nowhere"):
        run.record(tmp_path / "nowhere" / "run.ssecast")
    with pytest.raises(IsADirectoryError, match="name a file"):
        run.record(tmp_path)


async def test_neither_token_nor_ticket_is_written_down(serve, widget_of, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret")
    widget = widget_of((await serve(token_file=str(token))).url, token="s3cret")
    run = widget.ask("hi")
    await run.record(tmp_path / "run.ssecast")
    written = (tmp_path / "run.ssecast").read_bytes()
    assert run.ticket.encode() not in written
    assert b"s3cret" not in written


def frame(seq, text="x"):
    return f'event: delta\ndata: {{"text":"{text}"}}\nid: {ID}:{seq}\n\n'.encode()


def ready():
    return Tape(itertools.count(0, 1_000_000).__next__, lambda: datetime(2026, 1, 2, tzinfo=UTC))


def test_a_tape_keeps_what_was_taken_and_no_secret():
    tape = ready()
    tape.begin(model="m")
    tape.opened(URL, STREAM, 0)
    tape.read(b"retry: 300\n" + frame(1) + frame(2)[:20])
    tape.read(frame(2)[20:] + frame(4) + frame(5)[:9])
    tape.opened(URL, (), 2)
    assert tape.edits == 1
    assert [(read.offset_us, read.data) for read in tape.reads] == [
        (2000, b"retry: 300\n" + frame(1) + frame(2)[:20]),
        (3000, frame(2)[20:]),
    ]
    assert (tape.header.model, tape.header.head_us, tape.header.created) == ("m", 1000, "2026-01-02T00:00:00Z")
    assert "s3cret" not in str(tape.header)
    tape.hear(Reset())
    assert tape.reads == []


def test_a_tape_ends_at_its_limit(monkeypatch):
    monkeypatch.setattr(tape_module, "MOST_BYTES", 10)
    tape = ready()
    tape.opened(URL, STREAM, 0)
    tape.read(b"123456")
    tape.read(b"78901")
    tape.read(b"1")
    tape.finish("ended")
    assert ([read.data for read in tape.reads], tape.how) == ([b"123456"], "left")


async def test_what_is_taken_back_is_written_anew(tmp_path):
    tape, path = ready(), tmp_path / "run.ssecast"

    async def go():
        tape.begin()
        tape.opened(URL, STREAM, 0)
        tape.read(frame(1, "wrong") * 50)

    async def begin_anew():
        tape.hear(Reset())
        tape.opened(URL, STREAM, 0)
        tape.read(frame(1, "right"))
        tape.finish("ended")

    copy = Copy(tape, path, question="q")
    submit(go()).result()
    await held(path, "wrong")
    submit(begin_anew()).result()
    cassette = await copy
    assert (cassette.data, cassette.header.question) == (frame(1, "right"), "q")
    assert isinstance(cassette.end, End)
