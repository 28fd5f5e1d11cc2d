"""What this process knows of a stream that is read or produced here, beside what the store holds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sse_server.log.base import Batch, Command
from sse_server.log.waiters import Waiters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sse_widget.protocol.trace import Trace

TAIL_BYTES = 64 << 10
"""How much of a stream's end is at hand for the readers that keep up; others go to the store."""


class Live:
    """One stream: its newest events, and the readers that wait for more of them.

    `held` is whether it is produced here, so that nothing happens to it unseen but its end by another process.
    `version` counts what has happened; `last` is the last seq that is known of.
    """

    def __init__(self, *, held: bool, last: int = 0) -> None:
        self.held = held
        self.last = last
        self.ended = False
        self.readers = 0
        self.version = 0
        self.known_text: tuple[int, str] = (0, "")
        self.commands: asyncio.Queue[Command] = asyncio.Queue()
        self.fetches: dict[int, asyncio.Future[Batch]] = {}
        self._frames: list[bytes] = []
        self._traces: list[Trace | None] = []
        self._size = 0
        self.waiters = Waiters()

    def extend(self, frames: Sequence[bytes], traces: Sequence[Trace | None], last: int, *, ended: bool) -> None:
        """Take events that are kept now, and let waiting readers have them."""
        self._frames += frames
        self._traces += traces
        self._size += sum(map(len, frames))
        self.last = last
        self.ended = ended
        if self._size > 2 * TAIL_BYTES:
            self._shorten()
        self.wake()

    def _shorten(self) -> None:
        gone = 0
        while self._size > TAIL_BYTES:
            self._size -= len(self._frames[gone])
            gone += 1
        del self._frames[:gone], self._traces[:gone]

    def after(self, seq: int) -> Batch | None:
        """Return what follows a seq, None where only the store can tell."""
        first = self.last - len(self._frames)
        if not self.held or seq < first:
            return None
        frames = tuple(self._frames[seq - first :])
        last = seq + len(frames)
        return Batch(frames, seq + 1, last, self.ended and last >= self.last)

    def fetched(self, after: int, fetch: asyncio.Future[Batch]) -> None:
        """Forget a fetch that is over."""
        if self.fetches.get(after) is fetch:
            del self.fetches[after]

    def traces(self, first: int, last: int) -> list[Trace | None] | None:
        """Return the stamps of events, None where only the store can tell."""
        start = self.last - len(self._traces)
        return self._traces[first - 1 - start : last - start] if self.held and start < first else None

    def wake(self) -> None:
        """Let every waiting reader look again."""
        self.version += 1
        self.waiters.wake()
