"""What is on its way to the log, when the log is slow and the run is stopped."""

from __future__ import annotations

import asyncio
import time

import pytest

from rig.serving import PATIENCE_S
from sse_server.log.base import LogUnavailableError, Stop, StreamMeta, UnknownStreamError
from sse_server.log.memory import MemoryLog
from sse_server.outbox import FULL, Outbox, outbox_of
from sse_server.producer import Order, Producer
from sse_server.sources.base import ChatRequest
from sse_widget.pacing.chunker import Knobs
from sse_widget.protocol.sse import Event


class SlowLog(MemoryLog):
    """Takes nothing before it is opened."""

    listen = None

    def __init__(self):
        super().__init__(time.monotonic)
        self.asked, self.opened = asyncio.Event(), asyncio.Event()

    async def append(self, *args):
        self.asked.set()
        await self.opened.wait()
        return await super().append(*args)


class FullLog(MemoryLog):
    """Takes an answer's beginning and its first delta, and refuses the next one, once; a producer gives up at once."""

    listen = None
    lease_s = 0.0

    def __init__(self):
        super().__init__(time.monotonic)
        self.left = 2
        self.asked, self.refusing = asyncio.Event(), asyncio.Event()

    async def append(self, *args):
        self.left -= 1
        if self.left == -1:
            self.asked.set()
            await self.refusing.wait()
            raise LogUnavailableError("full")
        return await super().append(*args)


@pytest.mark.parametrize("stopped", [True, False])
async def test_nothing_stands_behind_a_hole_and_no_stop_makes_it_whole(gated, stopped):
    log, source = FullLog(), gated()
    stream_id, _ = await log.create(StreamMeta("", "", ""), "")
    order = Order(ChatRequest((), "gated"), Knobs(chunk_tokens=2, chunk_ms=60_000), "en")
    run = asyncio.create_task(Producer(stream_id, order, source, log).run())
    assert (await log.read(stream_id, 0, PATIENCE_S)).last == 1
    source.say("one ", "two ")
    assert (await log.read(stream_id, 1, PATIENCE_S)).last == 2
    source.say("three ", "four ", "five ")
    await log.asked.wait()
    if stopped:
        await log.command(stream_id, Stop("stopped"))
        await source.closed.wait()
    log.refusing.set()
    await run
    info = await log.info(stream_id)
    assert (info.ended, info.text) == (True, "one two ")
    assert (await log.read(stream_id, 2, 0)).frames[-1].startswith(b"event: error")


async def test_a_stop_while_it_is_full_loses_nothing():
    log = SlowLog()
    stream_id, _ = await log.create(StreamMeta("", "", ""), "")
    failures = []
    outbox = Outbox(stream_id, log, failures.append)
    outbox.put(Event("delta", "0"))
    await log.asked.wait()
    for number in range(1, FULL + 1):
        outbox.put(Event("delta", str(number)))
    waiting = asyncio.create_task(outbox.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait({waiting})
    log.opened.set()
    await outbox.close()
    assert failures == []
    assert (await log.info(stream_id)).last == FULL + 1


async def prompt_outbox():
    log = MemoryLog(time.monotonic)
    stream_id, _ = await log.create(StreamMeta("", "", ""), "")
    appended = []
    log.listen(stream_id, lambda _data, _first, last, _ended: appended.append(last))
    failures = []
    return log, stream_id, outbox_of(stream_id, log, failures.append), appended, failures


async def test_a_log_that_never_waits_has_an_event_at_once_and_those_that_follow_together():
    _, _, outbox, appended, _ = await prompt_outbox()
    for number in range(40):
        outbox.put(Event("delta", str(number)))
    assert appended[0] == 1
    await outbox.close()
    assert appended[-1] == 40
    assert len(appended) < 40


async def test_nothing_that_waits_is_lost_at_the_close_nor_comes_twice_in_the_turn_after():
    log, stream_id, outbox, _, _ = await prompt_outbox()
    for number in range(3):
        outbox.put(Event("delta", str(number)))
    await outbox.close()
    await outbox.append([Event("done", "{}")], [])
    await asyncio.sleep(0)
    assert (await log.info(stream_id)).last == 4


async def test_a_stream_that_has_gone_fails_once():
    log, stream_id, outbox, _, failures = await prompt_outbox()
    await log.delete(stream_id)
    for number in range(3):
        outbox.put(Event("delta", str(number)))
    await outbox.close()
    assert [type(failure) for failure in failures] == [UnknownStreamError]


async def test_events_gather_behind_an_append_however_long_its_readers_took(monkeypatch):
    loop, now_s = asyncio.get_running_loop(), [0.0]
    monkeypatch.setattr(loop, "time", lambda: now_s[0])
    log = MemoryLog(time.monotonic)
    stream_id, _ = await log.create(StreamMeta("", "", ""), "")
    came = []

    def slow_readers(_data, first, last, _ended):
        came.append((first, last))
        now_s[0] += 1.0

    log.listen(stream_id, slow_readers)
    outbox = outbox_of(stream_id, log, pytest.fail)
    for _ in range(FULL + 1):
        outbox.put(Event("delta", "{}"))
    assert outbox.full
    await outbox.room()
    outbox.put(Event("delta", "{}"))
    await outbox.close()
    assert came == [(1, 1), (2, FULL + 1), (FULL + 2, FULL + 2)]
