"""The streams that this process produces into a Redis: each append lands once, whatever becomes of the answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sse_server.log.base import LogUnavailableError, LostLeaseError, UnknownStreamError
from sse_server.log.bounds import MAX_TEXT_BYTES, TERMINAL
from sse_server.log.holding import Caller, Holding, Row, rows_of
from sse_server.log.redis_calls import RedisCalls, checked, retrieved

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sse_server.log.base import Origin
    from sse_server.log.redis_reader import RedisReader
    from sse_widget.protocol.sse import Event


class RedisWriter:
    """Appends as `node`, and lets this process's `reader` have it at once.

    `held` are the streams whose leases this process holds; `delete` forgets one altogether.
    """

    def __init__(
        self,
        calls: RedisCalls,
        reader: RedisReader,
        node: str,
        clock: Callable[[], float],
        delete: Callable[[str], Awaitable[None]],
    ) -> None:
        self._calls = calls
        self._reader = reader
        self._node = node
        self._clock = clock
        self._delete = delete
        self.held: dict[str, Holding] = {}

    async def append(self, stream_id: str, events: Sequence[Event], origins: Sequence[Origin | None] = ()) -> int:
        """See EventLog.append."""
        rows = rows_of(events, origins, int(self._clock() * 1e9))
        held = self.held.get(stream_id)
        if held is None:
            # Whatever the reason, one that is not held cannot be appended to; Redis knows which it is.
            await self._calls.ask("APPEND", stream_id, self._node, -1, "", 0, "", "", 0)
            raise LostLeaseError(stream_id)
        caller = Caller()
        putting = asyncio.create_task(self._put(held, rows, caller))
        try:
            return await asyncio.shield(putting)
        except asyncio.CancelledError:
            caller.left = True
            putting.add_done_callback(retrieved)
            if putting.done() and not putting.cancelled() and isinstance(putting.exception(), LogUnavailableError):
                held.owed += rows
            raise

    async def _put(self, held: Holding, rows: list[Row], caller: Caller) -> int:
        """Send what is owed and these, behind what is being sent. What its caller cannot send again is owed."""
        async with held.lock:
            try:
                return await self._send(held, held.owed + rows)
            except LogUnavailableError:
                if caller.left:
                    held.owed += rows
                raise

    async def _send(self, held: Holding, rows: list[Row]) -> int:
        ends = bool(rows) and rows[-1].event.event in TERMINAL
        while True:
            frames = held.frames(rows)
            pairs = [part for frame, row in zip(frames, rows, strict=True) for part in (frame, row.stamps)]
            head = (self._node, held.last, self._calls.time(), int(ends), *held.text(rows), MAX_TEXT_BYTES)
            verdict = await self._calls.call("APPEND", held.stream_id, *head, *pairs)
            if verdict[0] == b"ok":
                self._landed(held, rows, frames, ends=ends)
                break
            if verdict[0] != b"moved":
                self.held.pop(held.stream_id, None)
                checked(held.stream_id, verdict)
            # An earlier call has landed, though its answer never came.
            rows = await self._still_to_send(held, rows, frames, verdict[1])
            if not rows:
                break
        held.owed = []
        if ends:
            self.held.pop(held.stream_id, None)
        return held.last

    async def _still_to_send(self, held: Holding, rows: list[Row], frames: list[bytes], last: int) -> list[Row]:
        """Return the rows that have not landed, where Redis has events up to `last`."""
        if last < held.last:
            # Redis came back without the newest events. Readers have seen them, so others cannot take their numbers.
            await self._delete(held.stream_id)
            raise UnknownStreamError(held.stream_id)
        count = last - held.last
        there = (await self._calls.ask("READ", held.stream_id, held.last, 1 << 40))[3:]
        if there[:count] == frames[:count]:
            ends = count == len(rows) and rows[-1].event.event in TERMINAL
            self._landed(held, rows[:count], frames[:count], ends=ends)
            return rows[count:]
        held.last, held.texts = last, None
        return rows

    def _landed(self, held: Holding, rows: list[Row], frames: list[bytes], *, ends: bool) -> None:
        """Take note of what is in Redis, and let local readers have it without a way around."""
        first = held.last + 1
        held.landed(rows)
        self._reader.landed(held.stream_id, first, frames, ended=ends)
