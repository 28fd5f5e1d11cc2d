"""The newest events of a stream that lives elsewhere, as this process's readers share them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sse_server.log.base import Batch
from sse_server.log.waiters import Waiters

if TYPE_CHECKING:
    from collections.abc import Sequence

TAIL_BYTES = 512 << 10
"""What is kept of a stream for readers that are a little behind; those further back ask the store."""


class Tail:
    """A run of frames without a hole, which grows at its end. `known` is the last event that is known to exist.

    `fresh` says that every further append will be told, so whoever has read up to `known` may wait; `epoch` counts
    the doubts. `read_at` is when the last reader left, on the clock of whoever keeps the tail.
    """

    def __init__(self, stream_id: str, now: float) -> None:
        self.stream_id = stream_id
        self.known = 0
        self.ended = False
        self.gone = False
        self.fresh = False
        self.epoch = 0
        self.readers = 0
        self.read_at = now
        self._base = 0
        self._frames: list[bytes] = []
        self._size = 0
        self.waiters = Waiters()

    def take(self, first: int, frames: Sequence[bytes], *, ended: bool, known: int = 0) -> None:
        """Take events from `first` on, some of which may be here already; behind a hole the tail begins anew."""
        end = self._base + len(self._frames)
        if frames and (first > end + 1 or not self._frames):
            self._base, end = first - 1, first - 1
            self._frames, self._size = [], 0
        news = frames[end + 1 - first :]
        self._frames.extend(news)
        self._size += sum(map(len, news))
        self.known = max(self.known, known, first - 1 + len(frames))
        self.ended = self.ended or ended
        self._trim()
        self.waiters.wake()

    def batch(self, after: int, limit: int) -> Batch | None:
        """Return the next events up to `limit` bytes, None when they are not here."""
        end = self._base + len(self._frames)
        if self.ended and after >= self.known:
            return Batch((), after + 1, after, ended=True)
        if not self._base <= after < end:
            return None
        frames, size = [], 0
        for frame in self._frames[after - self._base :]:
            frames.append(frame)
            size += len(frame)
            if size >= limit:
                break
        last = after + len(frames)
        return Batch(tuple(frames), after + 1, last, ended=self.ended and last >= self.known)

    def doubt(self) -> None:
        """Forget what was held: the store may come back with less, or something else."""
        self.known, self.ended, self.fresh = 0, False, False
        self.epoch += 1
        self._base, self._frames, self._size = 0, [], 0
        self.waiters.wake()

    def lose(self) -> None:
        """Tell the readers that the stream is no more."""
        self.gone = True
        self.waiters.wake()

    def _trim(self) -> None:
        """Drop the older half once there is too much; the last frame stays, however long."""
        if self._size <= TAIL_BYTES:
            return
        drop = 0
        while self._size > TAIL_BYTES // 2 and drop < len(self._frames) - 1:
            self._size -= len(self._frames[drop])
            drop += 1
        del self._frames[:drop]
        self._base += drop
