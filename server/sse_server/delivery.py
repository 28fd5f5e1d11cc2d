"""The bytes of one connection: hello, then batches of the log, with a ping whenever nothing was written for a while."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import msgspec

from sse_server.errors import ServerError
from sse_server.log.base import PromptLog
from sse_server.tap import Tap
from sse_widget.protocol.events import PING_DATA, TEXT, Delta, Hello, dump, event_id
from sse_widget.protocol.sse import Event, encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sse_server.counters import Counters
    from sse_server.log.base import Batch, EventLog, StreamInfo
    from sse_server.tracing import Tracing

Write: TypeAlias = "Callable[[bytes], Awaitable[None] | None]"
Coming = TypeVar("Coming")
PING = encode(Event("ping", msgspec.json.encode(PING_DATA).decode()))
RETRY_MS = 300
"""Floor of the client's reconnect delay; its own jitter comes on top."""


class Reading(msgspec.Struct, frozen=True):
    """Which part of a stream one connection reads. `once` ends it after the first batch."""

    stream_id: str
    after: int
    once: bool = False


class Visit(msgspec.Struct, frozen=True):
    """How a reader comes to a stream: where it goes on from, and what it asked of its connection."""

    after: int
    resumed: bool
    snapshot: bool = False
    once: bool = False

    def finds_nothing(self, info: StreamInfo) -> bool:
        """Whether the stream is over and read to its end; raises `bad_event_id` for a place beyond it."""
        if info.ended and self.after >= info.last and (self.resumed or self.after):
            return True
        if self.after > info.last:
            raise ServerError("bad_event_id")
        return False


class Delivery:
    """Delivers to one reader: one loop over the next batch, the heartbeat and the send deadline.

    It speaks server-sent events; a WebSocket's `write` takes them apart again, which costs it 2 µs an event. `write`
    sends bytes and returns None when the operating system has taken them, else what to wait for: when that takes longer
    than `send_timeout_s` the reader is given up by TimeoutError and comes back by its last event id. Only one batch is
    ever on its way to a reader, whatever the reader does. `tracing` is for one who wants stamps. Where the
    log never waits, what `in_place` returns after the greeting is called instead, in the midst of an append; what it is
    to be waited for must be a future.
    """

    __slots__ = (
        "_counters",
        "_heartbeat_s",
        "_in_place",
        "_log",
        "_prompt",
        "_retry_ms",
        "_send_timeout_s",
        "_tracing",
        "_waiting",
        "_write",
    )

    def __init__(  # noqa: PLR0913 - settings, each by its name
        self,
        log: EventLog,
        write: Write,
        counters: Counters,
        *,
        heartbeat_s: float,
        send_timeout_s: float,
        tracing: Tracing | None = None,
        in_place: Callable[[], Write] | None = None,
    ) -> None:
        self._log = log
        self._write = write
        self._counters = counters
        self._heartbeat_s = heartbeat_s
        self._send_timeout_s = send_timeout_s
        self._tracing = tracing
        self._in_place = in_place
        self._prompt = log if in_place and tracing is None and isinstance(log, PromptLog) else None
        self._retry_ms: int | None = None
        self._waiting: asyncio.Task[object] | None = None

    def leave(self, retry_ms: int) -> None:
        """End the connection as planned: what the log holds still goes out, then how long its reader is to wait."""
        self._retry_ms = retry_ms
        if self._waiting is not None:
            self._waiting.cancel()

    async def send(self, data: bytes) -> None:
        """Write and flush under the deadline."""
        size = len(data)
        rest = self._write(data)
        del data  # what waits for a slow reader waits once, in the socket's own buffer
        if rest is not None:
            await self._in_time(rest)
        self._counters.writes += 1
        self._counters.bytes_written += size

    async def _in_time(self, rest: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(self._send_timeout_s):
                await rest
        except TimeoutError:
            self._counters.slow_readers += 1
            raise

    async def follow(self, info: StreamInfo, visit: Visit, node: str) -> None:
        """Greet, then deliver from the visit's place; what is partly gone ends after the greeting that says so."""
        whole = visit.snapshot and visit.after == 0 and info.text != ""
        # The text so far stands in for the events that it came in, also for those that were trimmed.
        gap = (info.text_seq if whole else visit.after) + 1 < info.first
        await self.send(self._greeting(info, visit, node, gap=gap) + (self._snapshot(info) if whole else b""))
        if not gap and not (whole and visit.once):
            await self.run(Reading(info.stream_id, info.text_seq if whole else visit.after, visit.once))

    def _greeting(self, info: StreamInfo, visit: Visit, node: str, *, gap: bool) -> bytes:
        hello = Hello(
            ts=time.time(),
            model=info.meta.model,
            stream_id=info.stream_id,
            conversation_id=info.meta.conversation_id,
            resumed=visit.resumed,
            after=visit.after,
            gap=gap,
            heartbeat_s=self._heartbeat_s,
            node=node,
        )
        return greeting(hello)

    async def run(self, reading: Reading) -> None:
        """Deliver until the stream has ended, or once, or until told to leave."""
        stream_id, after = reading.stream_id, reading.after
        clock = asyncio.get_running_loop().time
        prompt = None if reading.once else self._prompt
        while True:
            wait_s = self._heartbeat_s
            due_s = clock() + wait_s
            if prompt is not None and self._retry_ms is None:
                after, due_s, over = await self._carry(prompt, stream_id, after)
                if over:
                    return
                wait_s = 0.0
            batch = await self._next(stream_id, after, wait_s)
            ended, last = batch.ended, batch.last
            if batch.frames:
                tracing = self._tracing
                data = b"".join(batch.frames) if tracing is None else await tracing.batch(stream_id, batch)
                sending = self.send(data)
                del batch, data
                await sending
                self._counters.events += last - after
                after = last
            elif self._retry_ms is not None and not ended:
                await self.send(b"retry: %d\n\n" % self._retry_ms)
                return
            elif not ended:
                await self._ping()
                self._counters.pinged(clock() - due_s, self._heartbeat_s)
            if ended or reading.once:
                return

    async def _carry(self, log: PromptLog, stream_id: str, after: int) -> tuple[int, float, bool]:
        """Have events written where they are appended, until silence, the stream's end, or the wish to leave.

        Returns the last event that was written, when a ping is due, and whether the stream has ended with that event.
        """
        write = self._write if self._in_place is None else self._in_place()
        tap = Tap(log, stream_id, after, write, self._counters)
        while self._retry_ms is None:
            turn = tap.begin(self._heartbeat_s)
            try:
                rest = await self._unless_leaving(turn)
            finally:
                tap.end()
            if rest is None:
                break
            await self._in_time(rest)
            if tap.ended:
                break
        return tap.after, tap.quiet_s + self._heartbeat_s, tap.ended

    async def _next(self, stream_id: str, after: int, wait_s: float) -> Batch:
        """Wait for the next batch; whoever was told to leave takes what there is."""
        batch = None
        if self._retry_ms is None:
            batch = await self._unless_leaving(self._log.read(stream_id, after, wait_s))
        return await self._log.read(stream_id, after, 0) if batch is None else batch

    async def _unless_leaving(self, coming: Awaitable[Coming]) -> Coming | None:
        """Await it; None when told to leave meanwhile."""
        self._waiting = task = asyncio.current_task()
        try:
            return await coming
        except asyncio.CancelledError:
            if task is None or not self._told_to_leave():
                raise
            task.uncancel()
        finally:
            self._waiting = None
        return None

    def _told_to_leave(self) -> bool:
        return self._retry_ms is not None

    async def _ping(self) -> None:
        try:
            await self.send(PING)
        except TimeoutError:
            self._counters.ping_failed()
            raise

    def _snapshot(self, info: StreamInfo) -> bytes:
        frame = snapshot(info)
        return frame if self._tracing is None else self._tracing.timed(info.text_seq, info.text_seq, frame)


def greeting(hello: Hello) -> bytes:
    """Return the first bytes of a connection: `retry:`, then hello with the id to resume from."""
    frame = encode(Event("hello", dump(hello), event_id(hello.stream_id, hello.after)))
    return b"retry: %d\n%b" % (RETRY_MS, frame)


def snapshot(info: StreamInfo) -> bytes:
    """Return the text so far as one delta with the id of the last event in it."""
    return encode(Event(TEXT, dump(Delta(info.text)), event_id(info.stream_id, info.text_seq)))
