"""A run: tokens in their order, knobs that change on the way, and exactly one end, whatever happens."""

from __future__ import annotations

import asyncio
import json
import random
import zlib
from itertools import pairwise

import pytest

from sse_server.errors import ServerError
from sse_server.log.base import Stop, StreamMeta, Tune
from sse_server.log.memory import MemoryLog
from sse_server.producer import Order, Producer
from sse_server.sources.base import ChatMessage, ChatRequest, Token
from sse_server.sources.synthetic import SyntheticSource, parse_params
from sse_widget.pacing.chunker import Knobs
from sse_widget.protocol.sse import Parser

REQUEST = ChatRequest((ChatMessage("user", "hi"),), "model")
FLAT = Knobs(chunk_tokens=1, chunk_ms=0)


class Timed:
    """Says each text after its pause in seconds; an exception in place of a text is raised."""

    def __init__(self, *steps, finish="stop"):
        self.steps = steps
        self.finish = finish
        self.closed = False

    async def tokens(self, _request):
        try:
            for pause_s, text in self.steps:
                await asyncio.sleep(pause_s)
                if isinstance(text, BaseException):
                    raise text
                yield Token(text)
            yield Token("", self.finish)
        finally:
            self.closed = True

    async def close(self):
        pass


class Run:
    """One run on a log of its own; `times` are when the events were appended."""

    def __init__(self, source, knobs=FLAT, log=None, lang="en"):
        self.loop = asyncio.get_running_loop()
        self.log = log or MemoryLog(self.loop.time)
        self.source = source
        self.knobs = knobs
        self.lang = lang

    async def start(self):
        self.stream_id, _ = await self.log.create(StreamMeta("owner", "model", ""), "")
        producer = Producer(self.stream_id, Order(REQUEST, self.knobs, self.lang), self.source, self.log)
        self.task = asyncio.create_task(producer.run())
        return self

    async def watch(self):
        """Return [(time, event)] up to the end of the stream."""
        seen, after = [], 0
        while True:
            batch = await self.log.read(self.stream_id, after, 1e9)
            seen += [(self.loop.time(), event) for event in Parser().feed(b"".join(batch.frames))]
            after = batch.last
            if batch.ended:
                await self.task
                return seen


async def played(source, knobs=FLAT, **options):
    run = await Run(source, knobs, **options).start()
    return await run.watch()


def names(seen):
    return [event.event for _, event in seen]


def texts(seen):
    return [json.loads(event.data)["text"] for _, event in seen if event.event == "delta"]


def last(seen):
    return json.loads(seen[-1][1].data)


def check_done(seen, reason, tokens):
    text = "".join(texts(seen))
    assert last(seen) == {"reason": reason, "tokens": tokens, "chars": len(text), "crc32": zlib.crc32(text.encode())}


@pytest.mark.parametrize("finish", ["stop", "length"])
def test_an_answer_has_its_start_its_deltas_its_metadata_and_its_end(virtual, finish):
    async def run():
        seen = await played(Timed((0, "a "), (0, "ب "), (0, "👩‍👩‍👧‍👦"), finish=finish))
        assert names(seen) == ["start", "delta", "delta", "delta", "metadata", "done"]
        assert texts(seen) == ["a ", "ب ", "👩‍👩‍👧‍👦"]
        check_done(seen, finish, 3)

    virtual(run())


def test_an_answer_without_a_word(virtual):
    async def run():
        seen = await played(Timed())
        assert names(seen) == ["start", "metadata", "done"]
        check_done(seen, "stop", 0)

    virtual(run())


def test_metadata_tells_the_seconds_that_it_took(virtual):
    async def run():
        seen = await played(Timed((2, "a"), (1.5, "b")))
        assert json.loads(seen[-2][1].data) == {"model_used": "model", "tokens_used": 2, "elapsed_seconds": 3.5}

    virtual(run())


def test_no_token_waits_longer_than_chunk_ms(virtual):
    async def run():
        knobs = Knobs(chunk_tokens=100, chunk_ms=250, flush_on_punctuation=False)
        seen = await played(Timed((0, "a "), (0.2, "b "), (10, "c ")), knobs)
        assert [(round(at, 6), event.event) for at, event in seen[1:3]] == [(0.25, "delta"), (10.2, "delta")]
        assert texts(seen) == ["a b ", "c "]

    virtual(run())


def test_a_token_that_arrives_with_the_deadline_does_not_overtake(virtual):
    """The token's wake-up is due in the same turn of the loop as the deadline of those before it, and runs first."""

    async def run():
        loop = asyncio.get_running_loop()

        class Racing(Timed):
            async def tokens(self, _request):
                yield Token("first ")
                both_due = loop.create_future()
                loop.call_at(loop.time() + 0.25 - 1e-6, both_due.set_result, None)
                loop._jumping.passed_s += 1.0  # as if the process had been busy: both timers are over
                await both_due
                yield Token("second.")
                yield Token("", "stop")

        seen = await played(Racing(), Knobs(chunk_tokens=100, chunk_ms=250))
        assert "".join(texts(seen)) == "first second."
        check_done(seen, "stop", 2)

    virtual(run())


@pytest.mark.parametrize("seed", range(20))
def test_joined_deltas_are_the_joined_tokens_whatever_the_knobs(virtual, seed):
    async def run():
        pick = random.Random(seed)
        steps = [(pick.choice([0, 0, 0.01, 0.05, 0.25, 1]), f"{n}{pick.choice('., ')}") for n in range(60)]
        run = await Run(Timed(*steps), Knobs(chunk_tokens=5, chunk_ms=50, delay_ms=pick.choice([0, 30]))).start()
        watching = asyncio.create_task(run.watch())
        for _ in range(10):
            await asyncio.sleep(pick.random())
            changes = {"chunk_tokens": pick.randint(1, 9), "delay_ms": pick.choice([0, 10, 100]), "chunk_ms": 50.0}
            await run.log.command(run.stream_id, Tune(changes))
        seen = await watching
        assert "".join(texts(seen)) == "".join(text for _, text in steps)
        check_done(seen, "stop", 60)

    virtual(run())


def test_delay_ms_is_the_least_gap_between_deltas_also_before_the_last(virtual):
    async def run():
        seen = await played(Timed(*[(0, f"{n} ") for n in range(10)]), Knobs(chunk_tokens=1, chunk_ms=0, delay_ms=1000))
        at = [time for time, event in seen if event.event == "delta"]
        assert texts(seen) == ["0 ", "1 2 3 4 5 6 7 8 9 "]
        assert [round(time, 6) for time in at] == [0, 1]
        assert round(seen[-1][0], 6) == 1

    virtual(run())


def test_knobs_change_while_the_answer_runs(virtual):
    async def run():
        run = await Run(Timed(*[(1, f"{n} ") for n in range(8)]), Knobs(chunk_tokens=4, chunk_ms=60_000)).start()
        watching = asyncio.create_task(run.watch())
        await asyncio.sleep(4.5)
        await run.log.command(run.stream_id, Tune({"chunk_tokens": 1}))
        seen = await watching
        assert texts(seen) == ["0 1 2 3 ", "4 ", "5 ", "6 ", "7 "]

    virtual(run())


def test_a_smaller_chunk_lets_held_text_out_at_once(virtual):
    async def run():
        run = await Run(Timed((0, "a "), (0, "b "), (100, "c ")), Knobs(chunk_tokens=9, chunk_ms=60_000)).start()
        watching = asyncio.create_task(run.watch())
        await asyncio.sleep(5)
        await run.log.command(run.stream_id, Tune({"chunk_tokens": 2}))
        seen = await watching
        assert [(round(time, 6), event.event) for time, event in seen][1] == (5, "delta")

    virtual(run())


@pytest.mark.parametrize("said", [("a ", "b "), ("a ",)])
def test_a_shorter_delay_is_heard_also_at_the_end_of_the_answer(virtual, said):
    async def run():
        knobs = Knobs(chunk_tokens=1, chunk_ms=0, delay_ms=60_000)
        run = await Run(Timed(*[(0, text) for text in said]), knobs).start()
        watching = asyncio.create_task(run.watch())
        await asyncio.sleep(2)
        await run.log.command(run.stream_id, Tune({"delay_ms": 0}))
        seen = await watching
        assert texts(seen) == list(said)
        assert seen[-1][0] <= 2.001

    virtual(run())


@pytest.mark.parametrize("at_s", [0, 0.5, 1.5])
def test_stop_closes_the_source_and_ends_in_done_stopped(virtual, at_s):
    async def run():
        source = Timed((1, "a "), (1, "b "), (1e6, "never"))
        run = await Run(source, Knobs(chunk_tokens=9, chunk_ms=60_000)).start()
        watching = asyncio.create_task(run.watch())
        await asyncio.sleep(at_s)
        await run.log.command(run.stream_id, Stop("stopped"))
        await run.log.command(run.stream_id, Stop("shutdown"))
        seen = await watching
        assert source.closed
        assert round(seen[-1][0], 6) == at_s
        assert texts(seen) == (["a "] if at_s > 1 else [])
        check_done(seen, "stopped", int(at_s > 1))

    virtual(run())


def test_a_stop_after_the_end_changes_nothing(virtual):
    async def run():
        run = await Run(Timed((0, "a"))).start()
        seen = await run.watch()
        await run.log.command(run.stream_id, Stop("stopped"))
        await asyncio.sleep(1)
        assert (await run.log.info(run.stream_id)).last == len(seen)
        check_done(seen, "stop", 1)

    virtual(run())


@pytest.mark.parametrize(
    ("stop", "code", "says"),
    [(Stop("shutdown"), "shutdown", "قيد الإيقاف"), (Stop("unread_limit", 300.0), "unread_limit", "300")],
)
def test_other_ends_are_errors_in_the_askers_language(virtual, stop, code, says):
    async def run():
        run = await Run(Timed((0, "a "), (1e6, "never")), lang="ar").start()
        watching = asyncio.create_task(run.watch())
        await asyncio.sleep(1)
        await run.log.command(run.stream_id, stop)
        seen = await watching
        assert names(seen) == ["start", "delta", "error"]
        assert last(seen)["code"] == code
        assert says in last(seen)["message"]

    virtual(run())


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (ServerError("upstream_error", detail="no"), "upstream_error", "upstream"),
        (ServerError("upstream_timeout", seconds=5), "upstream_timeout", "upstream"),
        (ServerError("upstream_truncated"), "upstream_truncated", "upstream"),
        (ZeroDivisionError("secret"), "internal", "server"),
    ],
)
def test_a_failing_source_ends_in_an_error_after_the_text_that_was_said(virtual, complaints, error, code, kind):
    async def run():
        seen = await played(Timed((0, "some "), (0, error)), Knobs(chunk_tokens=9))
        assert names(seen) == ["start", "delta", "error"]
        assert texts(seen) == ["some "]
        assert (last(seen)["code"], last(seen)["type"]) == (code, kind)
        assert "secret" not in last(seen)["message"]

    virtual(run())
    if code == "internal":
        assert len(complaints) == 1
        complaints.clear()


def test_what_a_source_raises_while_it_is_stopped_is_no_failure(virtual):
    class Grumpy(Timed):
        async def tokens(self, _request):
            try:
                yield Token("a ")
                await asyncio.sleep(1e6)
            finally:
                raise OSError("the connection was already gone")

    async def run():
        run = await Run(Grumpy()).start()
        watching = asyncio.create_task(run.watch())
        await asyncio.sleep(1)
        await run.log.command(run.stream_id, Stop("stopped"))
        check_done(await watching, "stopped", 1)

    virtual(run())


def test_text_that_utf8_cannot_carry_is_replaced(virtual):
    async def run():
        seen = await played(Timed((0, "a\ud83d"), (0, "b")))
        assert texts(seen) == ["a?", "b"]
        check_done(seen, "stop", 2)
        seen = await played(Timed((0, ServerError("upstream_error", detail="no file \udcff.gguf"))))
        assert "no file ?.gguf" in last(seen)["message"]

    virtual(run())


def test_a_cancelled_producer_still_writes_the_end(virtual):
    async def run():
        source = Timed((0, "a "), (1e6, "never"))
        run = await Run(source).start()
        await asyncio.sleep(1)
        run.task.cancel()
        seen = await run.watch()
        assert last(seen)["code"] == "shutdown"
        assert source.closed

    virtual(run())


class Failing(MemoryLog):
    """A memory log whose disk is full for one delta."""

    def append_now(self, stream_id, events, origins=()):
        if any("lost" in event.data for event in events if event.event == "delta"):
            raise OSError("no space left")
        return super().append_now(stream_id, events, origins)


@pytest.mark.parametrize("knobs", [FLAT, Knobs(chunk_tokens=9, chunk_ms=100)], ids=["by token", "by deadline"])
def test_a_delta_that_the_log_does_not_take_fails_the_run(virtual, complaints, knobs):
    async def run():
        log = Failing(asyncio.get_running_loop().time)
        seen = await played(Timed((0, "lost "), (5, "b "), (5, "c ")), knobs, log=log)
        assert last(seen)["code"] == "internal"
        assert texts(seen) == []

    virtual(run())
    assert "no space left" in complaints[0]
    complaints.clear()


def test_a_run_leaves_no_task_behind(virtual):
    async def run():
        await played(Timed((0, "a "), (0.1, "b ")), Knobs(chunk_tokens=9, chunk_ms=50))
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    virtual(run())


def test_synthetic_tokens_come_on_time_and_are_always_the_same(virtual):
    async def run(text):
        loop = asyncio.get_running_loop()
        source = SyntheticSource(parse_params(text))
        began = loop.time()
        return [(round(loop.time() - began, 9), token) async for token in source.tokens(REQUEST)]

    text = "tokens=200,rate=50,lang=mixed,seed=3,jitter=0.5,ttft_ms=700"
    first = virtual(run(text))
    again = virtual(run(text))
    assert [token for _, token in first] == [token for _, token in again]
    assert first[0][0] == pytest.approx(0.7)
    assert first[-1][0] == pytest.approx(0.7 + 199 / 50, rel=0.1)
    gaps = [b - a for (a, _), (b, _) in pairwise(first[:-1])]
    assert 0.5 / 50 - 1e-9 <= min(gaps) < max(gaps) <= 1.5 / 50 + 1e-9
    assert [token for _, token in virtual(run(text.replace("rate=50", "rate=0")))] == [token for _, token in first]
    assert [token for _, token in virtual(run(text.replace("seed=3", "seed=4")))] != [token for _, token in first]
