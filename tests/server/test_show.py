"""`sw.show` against a real server: every kind of source, stop, errors, interrupts, many at once, and the writer."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading

import pytest
import traitlets as t

import sse_widget as sw
from rig.serving import PATIENCE_S, RUNS, text_of
from sse_server.sources.push import PushSource
from sse_widget import shown as shown_module
from sse_widget import widget as widget_module
from sse_widget.feed import BATCH_CHARS, HOLD_CHARS
from sse_widget.writer import MOST_OPEN, Writer

WORDS = [f"{number} كلمة " for number in range(300)]
TEXT = "".join(WORDS)


class Source:
    """A generator that says what it was asked, and when it was closed."""

    def __init__(self, *chunks, error=None, endless=False):
        self.chunks, self.error, self.endless = chunks, error, endless
        self.asked = 0
        self.threads = set()
        self.closed = threading.Event()

    def __call__(self):
        try:
            for chunk in self.chunks:
                self.asked += 1
                self.threads.add(threading.current_thread())
                yield chunk
            while self.endless:
                self.asked += 1
                yield "more "
            if self.error:
                raise self.error
        finally:
            self.closed.set()


class AsyncSource(Source):
    """The same, asynchronous; when it has said all it waits for ever."""

    async def __call__(self):
        try:
            for chunk in self.chunks:
                self.loop = asyncio.get_running_loop()
                yield chunk
                await asyncio.sleep(0)
            if self.endless:
                await asyncio.Event().wait()
            if self.error:
                raise self.error
        finally:
            self.closed.set()


def left_over():
    return [thread.name for thread in threading.enumerate() if thread.name == "sse-widget-show"]


async def until_left():
    """Every thread that read a source has ended, and sockets and turns were given back."""
    async with asyncio.timeout(PATIENCE_S):
        while (  # noqa: ASYNC110 - there is no event to wait for
            left_over() or widget_module._POOL.users or shown_module._slots._value < shown_module.MOST_AT_ONCE
        ):
            await asyncio.sleep(0.005)


async def test_a_synchronous_iterator_is_read_on_a_thread_of_its_own(serve):
    served = await serve()
    source = Source(*WORDS)
    shown = sw.show(source(), url=served.url, question="Why?", chunk_tokens=7)
    answer = await shown
    assert (answer, answer.state, answer.question) == (TEXT, "done", "Why?")
    assert shown.text == shown.widget.text == answer
    assert (shown.state, shown.widget.status) == ("done", "done")
    assert not shown.widget.ask_box
    assert {thread.name for thread in source.threads} == {"sse-widget-show"}
    assert answer.metadata.tokens_used == len(WORDS)
    assert text_of(await served.events("GET", RUNS + answer.stream_id)) == TEXT
    await until_left()


async def test_an_asynchronous_iterator_is_read_on_the_callers_loop(serve):
    served = await serve()
    source = AsyncSource(*WORDS)
    answer = await sw.show(source(), url=served.url)
    assert answer == TEXT
    assert source.loop is asyncio.get_running_loop()
    await until_left()


async def test_figures_are_those_of_the_deltas(serve):
    served = await serve()
    answer = await sw.show(iter(WORDS), url=served.url, chunk_tokens=3, flush_on_punctuation=False, chunk_ms=60_000)
    # Here they would keep the server, which is of this thread, from answering what pages saw.
    frame, metrics, received = await asyncio.to_thread(lambda: (answer.frame(), answer.metrics, answer.received))
    frame = frame[frame["kind"] == "delta"]
    assert "".join(frame["text"]) == TEXT
    assert frame["seq"].tolist() == list(range(2, 102))
    assert (metrics.deltas, metrics.tokens) == (100, 300)
    assert received.first_tokens == 3, "three whole texts"
    seen_s = frame["receive_s"].tolist()
    assert metrics.ttft_ms == pytest.approx(1000 * seen_s[0])
    assert metrics.tpot_ms == pytest.approx(1000 * (seen_s[-1] - seen_s[0]) / 297)


async def test_the_first_text_does_not_wait_for_the_second(serve):
    served = await serve()
    gate = threading.Event()

    def source():
        yield "first"
        gate.wait(PATIENCE_S)
        yield " second"

    shown = sw.show(source(), url=served.url, chunk_tokens=1)
    async with asyncio.timeout(PATIENCE_S):
        assert await shown.reach(5) == "first"
        assert shown.state is None
        gate.set()
        assert await shown == "first second"


@pytest.mark.parametrize("kind", [Source, AsyncSource])
async def test_stop_closes_the_iterator_and_keeps_the_text(serve, kind):
    served = await serve()
    source = kind("kept ", endless=True)
    shown = sw.show(source(), url=served.url, chunk_tokens=1)
    await shown.reach(5)
    await asyncio.wrap_future(shown.stop())
    answer = await shown
    assert (answer.state, shown.widget.status) == ("stopped", "stopped")
    assert answer.startswith("kept ")
    assert await asyncio.to_thread(source.closed.wait, PATIENCE_S)
    await asyncio.wrap_future(shown.stop())
    await until_left()


@pytest.mark.parametrize("kind", [Source, AsyncSource])
async def test_a_reader_who_stops_closes_the_iterator(serve, kind):
    """The page's Stop: the kernel learns of it while it has tokens to push, and while it has none."""
    served = await serve()
    source = kind("kept ", endless=True)
    shown = sw.show(source(), url=served.url, chunk_tokens=1)
    await shown.reach(5)
    assert (await served.client.delete(RUNS + shown.stream_id)).status_code == 202
    assert (await shown).state == "stopped"
    assert await asyncio.to_thread(source.closed.wait, PATIENCE_S)
    await until_left()


async def test_a_stop_before_anything_was_read(serve):
    served = await serve()
    source = AsyncSource(*WORDS)
    shown = sw.show(source(), url=served.url)
    shown.stop()
    assert (await shown).state == "stopped"
    await until_left()


@pytest.mark.parametrize("kind", [Source, AsyncSource])
async def test_an_error_of_the_iterator_is_the_runs(serve, kind):
    served = await serve()
    boom = ValueError("boom")
    shown = sw.show(kind("half of it", error=boom)(), url=served.url)
    with pytest.raises(ValueError, match="boom") as caught:
        await shown
    assert caught.value is boom
    assert (shown.text, shown.state, shown.widget.text) == ("half of it", "error", "half of it")
    widget = shown.widget
    assert (widget.status, widget.error, widget.error_code) == ("error", "ValueError: boom", "upstream_error")
    events = await served.events("GET", RUNS + shown.stream_id)
    assert events[-1].event == "error"
    assert "ValueError: boom" in events[-1].data
    with pytest.raises(ValueError, match="boom"):
        shown.wait()
    await until_left()


@pytest.mark.parametrize("message", ["x" * 2_000_000, "bad \udc80 byte"])
async def test_whatever_an_iterator_raises_is_what_its_asker_gets(serve, message):
    def source():
        yield "before"
        raise ValueError(message)

    shown = sw.show(source(), url=(await serve()).url)
    with pytest.raises(ValueError, match=r"x{9}|bad"):
        await shown
    assert shown.text == "before"


async def test_an_option_that_is_none_is_refused():
    with pytest.raises(TypeError, match="max_tokns"):
        sw.show(["a"], max_tokns=1)


async def test_a_chunk_that_is_not_known_is_an_error_that_names_it(serve):
    served = await serve()
    source = Source("text", 7, "never asked for")
    with pytest.raises(TypeError, match="chunk of type int: 7"):
        await sw.show(source(), url=served.url)
    assert source.closed.is_set()
    assert source.asked == 2


async def test_what_is_no_stream_is_refused_before_anything_is_shown(serve):
    served = await serve()
    with pytest.raises(TypeError, match="got int"):
        sw.show(5, url=served.url)
    assert served.server.services.runs.started == 0


async def test_an_iterator_that_exits_does_not_take_the_reader_along(serve):
    served = await serve()
    with pytest.raises(RuntimeError, match="ended by SystemExit"):
        await sw.show(Source("a", error=SystemExit(3))(), url=served.url)
    assert await sw.show("next", url=served.url) == "next"


async def test_a_server_that_is_not_there_is_said_and_the_iterator_closed(serve):
    served = await serve()
    await served.close()
    source = Source(endless=True)
    shown = sw.show(source(), url=served.url)
    with pytest.raises(sw.ConnectError):
        await shown
    assert await asyncio.to_thread(source.closed.wait, PATIENCE_S)
    await until_left()


async def test_wait_refuses_to_block_the_loop_that_it_needs(serve):
    served = await serve()
    shown = sw.show(AsyncSource("a")(), url=served.url)
    with pytest.raises(RuntimeError, match="write `await` here"):
        shown.wait()
    assert await shown == "a"
    assert shown.wait() == "a", "it is over: nothing blocks"


async def test_cancelling_who_waits_stops_it(serve):
    served = await serve()
    source = AsyncSource("a", endless=True)
    shown = sw.show(source(), url=served.url, chunk_tokens=1)
    await shown.reach(1)

    async def cell():
        await shown

    waiting = asyncio.create_task(cell())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(PATIENCE_S):
        assert (await shown).state == "stopped"
    assert source.closed.is_set()


async def test_a_fast_source_waits_for_a_slow_server(serve, monkeypatch):
    served = await serve()
    source = Source(endless=True)
    hold = asyncio.Event()
    take = PushSource.put

    async def slow(self, batch):
        await hold.wait()
        return await take(self, batch)

    monkeypatch.setattr(PushSource, "put", slow)
    shown = sw.show(source(), url=served.url)
    async with asyncio.timeout(PATIENCE_S):
        while shown._feed._room is None:  # noqa: ASYNC110 - the feed is full when there is someone who waits for room
            await asyncio.sleep(0.005)
    full = source.asked
    assert HOLD_CHARS < full * len("more ") < 2 * HOLD_CHARS + BATCH_CHARS
    hold.set()
    async with asyncio.timeout(PATIENCE_S):
        while source.asked == full:  # noqa: ASYNC110 - it goes on
            await asyncio.sleep(0.005)
    await asyncio.wrap_future(shown.stop())
    assert (await shown).state == "stopped"
    await until_left()


async def test_two_hundred_in_a_loop_stay_cheap(serve):
    served = await serve()
    threads = threading.active_count()
    most = 0
    shows = []
    for number in range(200):
        shows.append(sw.show(iter([f"{number} ", "more"]), url=served.url))
        most = max(most, threading.active_count())
    answers = await asyncio.gather(*shows)
    assert answers == [f"{number} more" for number in range(200)]
    assert most - threads <= shown_module.MOST_AT_ONCE + 2
    await until_left()
    for shown in shows:
        shown.widget.close()


async def test_the_writer_shows_what_is_written(serve):
    served = await serve()
    with sw.show(url=served.url, question="Written") as out:
        assert out.write("one ") == 4
        out.write({"choices": [{"index": 0, "delta": {"content": "two "}, "finish_reason": None}]})
        print("three", file=out, flush=True)
        with pytest.raises(TypeError, match="chunk of type int"):
            out.write(4)
    answer = await out
    assert (answer, answer.state) == ("one two three\n", "done")
    with pytest.raises(ValueError, match="closed"):
        out.write("late")


async def written(out, error):
    """Write a block that an exception leaves."""
    with out:
        out.write("half")
        await out.reach(4)
        raise error


async def test_an_exception_that_leaves_the_writer_ends_it_as_an_error(serve):
    served = await serve()
    out = sw.show(url=served.url, chunk_tokens=1)
    with pytest.raises(KeyError):
        await written(out, KeyError("boom"))
    with pytest.raises(KeyError):
        await out
    assert (out.text, out.widget.error) == ("half", "KeyError: 'boom'")


async def test_a_reader_who_stops_ends_the_writers_block_quietly(serve):
    served = await serve()
    gone = []
    with sw.show(url=served.url, chunk_tokens=1) as out:
        out.write("kept")
        await out.reach(4)
        await served.client.delete(RUNS + out.stream_id)
        await out
        out.write("nobody reads this")
        gone.append("unreachable")
    assert (await out).state == "stopped"
    assert out.text == "kept"
    assert gone == []


async def test_an_interrupt_stops_the_writer(serve):
    served = await serve()
    out = sw.show(url=served.url, chunk_tokens=1)
    with pytest.raises(asyncio.CancelledError):
        await written(out, asyncio.CancelledError())
    assert (await out).state == "stopped"


async def test_a_writer_whose_server_is_gone_raises_that(serve):
    served = await serve()
    await served.close()
    out = sw.show(url=served.url)
    with pytest.raises(sw.ConnectError):
        await out
    await until_left()
    with pytest.raises(sw.ConnectError):
        out.write("a")


async def test_writers_that_stay_open_hold_up_nobody_and_too_many_are_refused_at_once(serve):
    served = await serve()
    unmade = []
    for _ in range(MOST_OPEN):
        with pytest.raises(t.TraitError) as refused:
            sw.show(url=served.url, preset="nope")
        unmade.append(refused)  # as a notebook holds the last one
    writers = [sw.show(url=served.url) for _ in range(MOST_OPEN)]
    assert await sw.show("another", url=served.url) == "another"
    with pytest.raises(RuntimeError, match=r"24 texts .* out\.close\(\)"):
        sw.show(url=served.url)
    for end in (Writer.close, Writer.stop):
        end(writers.pop(0))
        writers.append(sw.show(url=served.url))
    await served.client.delete(RUNS + await named(writers[0]))  # a reader's Stop
    await writers.pop(0)
    writers.pop(0)  # nobody holds it any more
    writers += [sw.show(url=served.url), sw.show(url=served.url)]
    with pytest.raises(RuntimeError, match="24 texts"):
        sw.show(url=served.url)
    for number, out in enumerate(writers):
        with out:
            out.write(str(number))
    assert await asyncio.gather(*writers) == [str(number) for number in range(MOST_OPEN)]
    await until_left()


async def named(out):
    """Return the id of the run, once the server has said it."""
    async with asyncio.timeout(PATIENCE_S):
        while not out.stream_id:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.005)
    return out.stream_id


@pytest.mark.parametrize("begun", [False, True])
async def test_a_writer_that_nobody_holds_any_more_is_no_success(serve, begun):
    served = await serve()
    out = sw.show(url=served.url)
    if begun:
        await named(out)
    out.write(TEXT)
    widget = out.widget
    del out
    gc.collect()
    with pytest.raises(RuntimeError, match="never closed"):
        await asyncio.to_thread(widget.wait, PATIENCE_S)
    await until_left()
    assert (widget.status, widget.text) == ("error", TEXT)
    assert "never closed" in widget.error
    events = await served.events("GET", RUNS + widget.stream_id)
    assert (events[-1].event, text_of(events)) == ("error", TEXT)


async def test_a_silent_iterator_is_kept_alive(serve):
    served = await serve(producer_timeout_s=0.3)
    gate = threading.Event()
    other = await served.client.post("/api/v1/stream/runs", json={})

    def source():
        yield "before "
        gate.wait(PATIENCE_S)
        yield "after"

    shown = sw.show(source(), url=served.url)
    await served.until_ended(other.json()["stream_id"])  # one that nobody keeps alive, begun before
    await shown.reach(1)
    second = await served.client.post("/api/v1/stream/runs", json={})
    await served.until_ended(second.json()["stream_id"])
    gate.set()
    assert await shown == "before after"


SCRIPT = """
import sys, asyncio
import sse_widget as sw

def words():
    try:
        for word in "one two three".split():
            yield word + " "
    finally:
        print("closed")

async def awords():
    for word in "four five".split():
        yield word + " "

answer = sw.show(words()).wait(60)
print(repr(answer), answer.state)
print(repr(sw.show(awords()).wait(60)))

async def main():
    answer = await sw.show(awords())
    print(repr(answer))
    async def endless():
        try:
            yield "xxx"
            await asyncio.Event().wait()
        finally:
            print("left")
    shown = sw.show(endless(), chunk_tokens=1)
    await shown.reach(3)
    return shown

shown = asyncio.run(main())
print(shown.wait(60).state)
"""


def test_in_a_plain_script_and_at_the_end_of_its_loop():
    done = run_script(SCRIPT)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "closed",
        "'one two three ' done",
        "'four five '",
        "'four five '",
        "left",
        "stopped",
    ]


INTERRUPTED = """
import asyncio, os, signal, threading, time
import sse_widget as sw

closed = threading.Event()

def endless():
    try:
        while True:
            yield "x"
            time.sleep(0.01)  # its pace: what a thread reads is closed after its next piece
    finally:
        closed.set()

shown = sw.show(endless(), chunk_tokens=1)
asyncio.run(shown.reach(3))
result = shown.future.result

def interrupted(timeout_s):
    # The wait has begun: this is the call that blocks.
    shown.future.result = result
    os.kill(os.getpid(), signal.SIGINT)
    return result(timeout_s)

shown.future.result = interrupted
try:
    shown.wait(60)
except KeyboardInterrupt:
    print("interrupted", closed.wait(20), shown.wait(60).state)
"""


def test_an_interrupt_stops_what_is_waited_for():
    done = run_script(INTERRUPTED)
    assert (done.stdout, done.stderr) == ("interrupted True stopped\n", "")


SAYING_WHERE_IT_HANGS = f"import faulthandler\nfaulthandler.dump_traceback_later({2 * PATIENCE_S}, exit=True)\n"


def run_script(script):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SSE_WIDGET_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SAYING_WHERE_IT_HANGS + script],
        check=False,
        capture_output=True,
        timeout=3 * PATIENCE_S,
        env=environment,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done
