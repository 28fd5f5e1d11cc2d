"""What a log that never waits appends, written to one reader in the same call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sse_server.log.bounds import BATCH_BYTES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sse_server.counters import Counters
    from sse_server.log.base import PromptLog


class Tap:
    """Carries one stream to one reader for as long as there is nothing to wait for but the next event.

    `write` returns a future when the operating system has not taken all. `after` is the last event that was written,
    `quiet_s` when that was, on the loop's clock.
    """

    __slots__ = (
        "_counters",
        "_log",
        "_loop",
        "_more",
        "_silence_s",
        "_stream_id",
        "_time",
        "_timer",
        "_turn",
        "_write",
        "after",
        "ended",
        "quiet_s",
    )

    def __init__(
        self,
        log: PromptLog,
        stream_id: str,
        after: int,
        write: Callable[[bytes], Awaitable[None] | None],
        counters: Counters,
    ) -> None:
        self.after = after
        self.quiet_s = 0.0
        self.ended = False
        self._more: asyncio.Handle | None = None
        self._log = log
        self._stream_id = stream_id
        self._write = write
        self._counters = counters
        self._loop = asyncio.get_running_loop()
        self._time = self._loop.time

    def begin(self, silence_s: float) -> asyncio.Future[Awaitable[None] | None]:
        """Listen until `end`; return what comes to have what is to be waited for, once a write leaves such a thing.

        It comes to have None when nothing was written for `silence_s`, or when the stream has ended; or to raise what
        `write` raises, and what the log says of a stream that has gone. Cancelling it ends the writing.
        """
        self.quiet_s = self._time()
        self._silence_s = silence_s
        self._log.listen(self._stream_id, self._take)
        self._turn: asyncio.Future[Awaitable[None] | None] = self._loop.create_future()
        self._timer = self._loop.call_later(silence_s, self._ring)
        self._look()
        return self._turn

    def end(self) -> None:
        """End the listening."""
        self._timer.cancel()
        if self._more is not None:
            self._more.cancel()
            self._more = None
        self._log.leave(self._stream_id, self._take)

    def _take(self, data: bytes, first: int, last: int, ended: bool) -> None:  # noqa: FBT001 - as News has it
        """Write what is new, in the midst of its append."""
        if first != self.after + 1 or len(data) > BATCH_BYTES:
            self._look()
        elif not self._turn.done():
            self._put(data, last, ended=ended)

    def _look_on(self) -> None:
        self._more = None
        self._look()

    def _look(self) -> None:
        """Write what the log has next."""
        if self._turn.done():
            return
        try:
            batch = self._log.read_now(self._stream_id, self.after)
        except Exception as error:  # noqa: BLE001 - raised in the reader's own task
            self._turn.set_exception(error)
            return
        self._put(b"".join(batch.frames), batch.last, ended=batch.ended)

    def _put(self, data: bytes, last: int, *, ended: bool) -> None:
        rest = None
        if data:
            try:
                rest = self._write(data)
            except Exception as error:  # noqa: BLE001 - no reader's failure may break an append
                self._turn.set_exception(error)
                return
            counters = self._counters
            counters.writes += 1
            counters.bytes_written += len(data)
            counters.events += last - self.after
            self.after = last
            self.quiet_s = self._time()
        if rest is not None or ended:
            self.ended = ended
            if isinstance(rest, asyncio.Future):
                rest.add_done_callback(_hear)
            self._turn.set_result(rest)
        elif len(data) >= BATCH_BYTES and self._more is None:
            self._more = self._loop.call_soon(self._look_on)  # there may be more; others have their turn first

    def _ring(self) -> None:
        """End the silence, or wait for the end of the one that began with the last write."""
        due_s = self.quiet_s + self._silence_s
        if self._turn.done():
            return
        if self._time() >= due_s:
            self._turn.set_result(None)
        else:
            self._timer = self._loop.call_at(due_s, self._ring)


def _hear(rest: asyncio.Future[None]) -> None:
    """Hear how a write ends also where its reader leaves meanwhile: a failure that nobody hears complains."""
    if not rest.cancelled():
        rest.exception()
