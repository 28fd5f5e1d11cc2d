"""The streams that are read in this process: their readers share what Redis tells and answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sse_server.log.base import Batch, ExpiredStreamError, TrimmedStreamError, UnknownStreamError
from sse_server.log.bounds import BATCH_BYTES
from sse_server.log.redis_calls import RedisCalls, checked, retrieved
from sse_server.log.redis_link import PREFIX
from sse_server.log.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sse_server.log.ear import Ear

_UNHEARD = -1
"""The epoch of who asks without a subscription."""

LINGER_S = 10.0
"""How long the newest events of a stream are kept for its next reader."""


class RedisReader:
    """Reads what is told on the channels that `ear` hears, and asks for what was not told.

    `forget` is called with a stream that turns out to be no more; it ends in `lose`.
    """

    def __init__(self, calls: RedisCalls, ear: Ear, clock: Callable[[], float], forget: Callable[[str], None]) -> None:
        self._calls = calls
        self._ear = ear
        self._clock = clock
        self._forget = forget
        self._tails: dict[str, Tail] = {}
        self._asking: dict[tuple[str, int, int], asyncio.Task[list[Any]]] = {}

    async def read(self, stream_id: str, after: int, wait_s: float) -> Batch:
        """See EventLog.read."""
        tail = self._tails.get(stream_id)
        if wait_s <= 0 and (tail is None or not tail.fresh):
            return _batch(after, checked(stream_id, await self._ask(stream_id, after, _UNHEARD)))
        if tail is None:
            tail = self._tails[stream_id] = Tail(stream_id, self._clock())
        tail.readers += 1
        try:
            return await self._follow(tail, after, wait_s)
        except (UnknownStreamError, ExpiredStreamError):
            self._forget(stream_id)
            raise
        finally:
            tail.readers -= 1
            tail.read_at = self._clock()

    async def _follow(self, tail: Tail, after: int, wait_s: float) -> Batch:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        while True:
            if tail.gone:
                raise TrimmedStreamError(tail.stream_id)
            if (batch := tail.batch(after, BATCH_BYTES)) is not None:
                return batch
            if not tail.fresh or after < tail.known:
                batch = await self._catch_up(tail, after)
                if batch.frames or batch.ended:
                    return batch
            elif loop.time() >= until_s:
                return Batch((), after + 1, after, ended=False)
            else:
                await tail.waiters.wait(until_s - loop.time())

    async def _catch_up(self, tail: Tail, after: int) -> Batch:
        """Ask Redis for what follows; once that was done behind a subscription, the tail is fresh."""
        await self._ear.add(f"{PREFIX}n:{tail.stream_id}")
        epoch = tail.epoch
        reply = checked(tail.stream_id, await self._ask(tail.stream_id, after, epoch))
        if epoch == tail.epoch:
            tail.take(after + 1, reply[3:], known=reply[1], ended=bool(reply[2]))
            tail.fresh = True
        return _batch(after, reply)

    async def _ask(self, stream_id: str, after: int, epoch: int) -> list[Any]:
        """Return what follows, asked once for all who want the same at the same time.

        What was asked before a subscription is no answer behind it: an event may have come in between.
        """
        question = (stream_id, after, epoch)
        asking = self._asking.get(question)
        if asking is None:
            asking = asyncio.create_task(self._calls.call("READ", stream_id, after, BATCH_BYTES))
            self._asking[question] = asking
            asking.add_done_callback(lambda _: self._asking.pop(question))
            asking.add_done_callback(retrieved)
        return await asyncio.shield(asking)

    def unread_s(self, stream_id: str, elsewhere_s: float) -> float:
        """Return how long nobody reads a stream, which is `elsewhere_s` as far as Redis knows."""
        tail = self._tails.get(stream_id)
        if tail is None:
            return max(0.0, elsewhere_s)
        return 0.0 if tail.readers else max(0.0, min(elsewhere_s, self._clock() - tail.read_at))

    def read_within(self, seconds: float) -> list[str]:
        """Return the streams that somebody reads here, or has read within so much time."""
        now = self._clock()
        return [tail.stream_id for tail in self._tails.values() if tail.readers or now - tail.read_at < seconds]

    def landed(self, stream_id: str, first: int, frames: Sequence[bytes], *, ended: bool) -> None:
        """Take what was appended here, without a way around."""
        if (tail := self._tails.get(stream_id)) is not None:
            tail.take(first, frames, ended=ended)

    def told(self, stream_id: str, data: bytes) -> None:
        """Take what was appended somewhere; an empty message says that the stream is no more."""
        if (tail := self._tails.get(stream_id)) is not None:
            if data:
                _take(tail, data)
            else:
                self._forget(stream_id)

    def doubt(self) -> None:
        """Doubt what is known of streams that others append to."""
        for tail in self._tails.values():
            tail.doubt()

    async def rest(self) -> None:
        """Listen no more to streams that nobody has read for a while."""
        now = self._clock()
        for tail in list(self._tails.values()):
            if not tail.readers and now - tail.read_at > LINGER_S:
                del self._tails[tail.stream_id]
                await self._ear.drop(f"{PREFIX}n:{tail.stream_id}")

    def lose(self, stream_id: str) -> None:
        """Let readers know that a stream is no more."""
        if (tail := self._tails.pop(stream_id, None)) is not None:
            tail.lose()

    def close(self) -> None:
        """End what is being asked."""
        for asking in list(self._asking.values()):
            asking.cancel()


def _batch(after: int, reply: list[Any]) -> Batch:
    frames = tuple(reply[3:])
    last = after + len(frames)
    return Batch(frames, after + 1, last, ended=bool(reply[2]) and last >= reply[1])


def _take(tail: Tail, data: bytes) -> None:
    """Take a message: `FIRST ENDED LENGTH ...`, a line break, the frames."""
    head, _, body = data.partition(b"\n")
    first, ended, *lengths = map(int, head.split())
    frames, at = [], 0
    for length in lengths:
        frames.append(body[at : at + length])
        at += length
    tail.take(first, frames, ended=bool(ended))
    tail.fresh = True
