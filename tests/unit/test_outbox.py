"""What is on its way to the log, when the log is slow and the run is stopped."""

from __future__ import annotations

import asyncio
import time

from sse_server.log.base import StreamMeta
from sse_server.log.memory import MemoryLog
from sse_server.outbox import FULL, Outbox
from sse_widget.protocol.sse import Event


class SlowLog(MemoryLog):
    """Takes nothing before it is opened."""

    def __init__(self):
        super().__init__(time.monotonic)
        self.asked, self.opened = asyncio.Event(), asyncio.Event()

    async def append(self, *args):
        self.asked.set()
        await self.opened.wait()
        return await super().append(*args)


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
