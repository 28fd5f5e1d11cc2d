"""Between a delivery and its socket under a fault plan: what is written goes in, what the plan lets out leaves.

It stands where the network would, so the delivery reads the log and pings as it always does, and only what leaves is
late, changed or cut. Connections without a plan never come here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from sse_widget.protocol.disturbance import Over, Sent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from sse_widget.protocol.disturbance import Disturbance, Happening

MAX_HELD_BYTES = 4 << 20
"""So much waits on the line; then it is full, and whoever writes waits as for a reader that takes nothing."""

_FRAME_END = b"\n\n"


class CutError(Exception):
    """This connection is to be dropped without an end of its body."""


class FaultyLine:
    """Carries one connection. `write` is the socket's, under a deadline of `send_timeout_s` for each piece.

    The plan's times are those of the event loop's clock.
    """

    def __init__(
        self, disturbance: Disturbance, write: Callable[[bytes], Awaitable[None] | None], *, send_timeout_s: float
    ) -> None:
        self._disturbance = disturbance
        self._write = write
        self._send_timeout_s = send_timeout_s
        self._waiting: deque[Happening] = deque()
        self._held_bytes = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    async def write(self, data: bytes) -> None:
        """Take whole frames, as a delivery writes them; returns at once unless the line is full."""
        await self.put(frames_of(data))

    async def put(self, frames: Sequence[bytes]) -> None:
        """Take frames one at a time."""
        for frame in frames:
            self._take(self._disturbance.feed(frame, _now_ms()))
        while self._held_bytes > MAX_HELD_BYTES:
            self._room.clear()
            await self._room.wait()

    async def carry(self, delivering: Coroutine[Any, Any, Any]) -> None:
        """Run what writes to this line until all has left; raises CutError, or what the delivery or the socket did.

        The head of the response leaves first, whatever the plan does to the first frame. A body that the plan ends
        early ends the delivery, which is not waited for.
        """
        feeding = asyncio.ensure_future(delivering)
        sending = asyncio.ensure_future(self._send_all())
        try:
            await asyncio.wait({feeding, sending}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                self._end(feeding)
            await sending
        finally:
            for task in (feeding, sending):
                task.cancel()
            await asyncio.wait({feeding, sending})
            if not feeding.cancelled():
                feeding.exception()  # the line ended first, so nobody asks for it

    def _end(self, feeding: asyncio.Future[Any]) -> None:
        """Take the end of what was delivered. Where it broke off, what left before still arrives."""
        try:
            feeding.result()
        except CutError:
            last_ms = self._waiting[-1].at_ms if self._waiting else _now_ms()
            self._take([Over(last_ms, broken=True)])
        else:
            self._take(self._disturbance.end(_now_ms()))

    def _take(self, happenings: Sequence[Happening]) -> None:
        if happenings:
            self._waiting.extend(happenings)
            self._held_bytes += sum(len(one.data) for one in happenings if isinstance(one, Sent))
            self._news.set()

    async def _send_all(self) -> None:
        await self._send(b"")
        while True:
            while not self._waiting:
                self._news.clear()
                await self._news.wait()
            happening = self._waiting.popleft()
            wait_ms = happening.at_ms - _now_ms()
            if wait_ms > 0:
                await asyncio.sleep(wait_ms / 1000.0)
            if isinstance(happening, Over):
                if happening.broken:
                    raise CutError
                return
            await self._send(happening.data)
            self._held_bytes -= len(happening.data)
            self._room.set()

    async def _send(self, data: bytes) -> None:
        rest = self._write(data)
        if rest is not None:
            async with asyncio.timeout(self._send_timeout_s):
                await rest


def frames_of(data: bytes) -> list[bytes]:
    """Return the frames of bytes that this server encoded: in them, an empty line ends a frame and is nowhere else."""
    *whole, rest = data.split(_FRAME_END)
    return [frame + _FRAME_END for frame in whole] + ([rest] if rest else [])


def _now_ms() -> float:
    return asyncio.get_running_loop().time() * 1000.0
