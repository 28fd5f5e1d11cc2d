"""What is on its way to the log: events that gather while an append is under way go in the next one, all at once."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

from sse_server.log.base import EventLog, LogUnavailableError, Origin, PromptLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sse_widget.protocol.sse import Event

RETRY_S = 0.25
"""How soon an append is tried again while the log cannot be reached."""
FULL = 64
"""So many events may wait; whoever makes them faster waits for the log."""


GATHER_S = 0.001
"""Events that come closer than this share an append, and with it a write to each reader, in the next turn."""


def outbox_of(stream_id: str, log: EventLog, on_failure: Callable[[BaseException], None]) -> Outbox | PromptOutbox:
    """Return the way to this log for one stream's events."""
    if isinstance(log, PromptLog):
        return PromptOutbox(stream_id, log, on_failure)
    return Outbox(stream_id, log, on_failure)


class Outbox:
    """Appends one stream's events in their order, in a task of its own that no stop interrupts half-way.

    What the log does not take is lost, and `on_failure` hears of it; an outage shorter than the lease is waited out.
    """

    def __init__(self, stream_id: str, log: EventLog, on_failure: Callable[[BaseException], None]) -> None:
        self._stream_id = stream_id
        self._log = log
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._events: list[Event] = []
        self._origins: list[Origin | None] = []
        self._news: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._closing = False
        self._task = asyncio.create_task(self._carry())

    @property
    def full(self) -> bool:
        """Whether to wait for `room` before more is put."""
        return len(self._events) >= FULL

    def put(self, event: Event, origin: Origin | None = None) -> None:
        """Take an event; it is appended in the next turn of the loop, with those that are put until then."""
        self._events.append(event)
        self._origins.append(origin)
        self._wake()

    async def room(self) -> None:
        """Wait until the log takes what is here."""
        while self.full:
            self._room = self._loop.create_future()
            await self._room

    async def close(self) -> None:
        """Wait until all is in the log, or was refused by it; nothing may be put after this."""
        self._closing = True
        self._wake()
        try:
            await asyncio.wait({self._task})
        finally:
            self._task.cancel()

    async def append(self, events: Sequence[Event], origins: Sequence[Origin | None]) -> None:
        """Append past what is here, raising what the log raises; an outage is waited out while the lease lasts."""
        last = self._loop.time() + self._log.lease_s
        while True:
            try:
                await self._log.append(self._stream_id, events, origins)
            except LogUnavailableError:
                if self._loop.time() >= last:
                    raise
            else:
                return
            await asyncio.sleep(RETRY_S)

    def _wake(self) -> None:
        if self._news is not None:
            self._news.set_result(None)
            self._news = None

    def _make_room(self) -> None:
        if self._room is not None and not self._room.done():  # who waited may have been stopped
            self._room.set_result(None)
        self._room = None

    async def _carry(self) -> None:
        while True:
            if not self._events:
                if self._closing:
                    return
                self._news = self._loop.create_future()
                await self._news
                continue
            events, self._events = self._events, []
            origins, self._origins = self._origins, []
            self._make_room()
            try:
                await self.append(events, origins)
            except Exception as error:  # noqa: BLE001 - the run ends with it, and says so
                self._on_failure(error)
                return  # what follows a hole is worth nothing


class PromptOutbox:
    """Appends one stream's events to a log that never waits: each in place, those that follow at once together.

    `full` says whether to call `room` before more is put.
    """

    __slots__ = (
        "_appended_s",
        "_events",
        "_failed",
        "_gathering",
        "_log",
        "_loop",
        "_on_failure",
        "_origins",
        "_stream_id",
        "_time",
        "full",
    )

    def __init__(self, stream_id: str, log: PromptLog, on_failure: Callable[[BaseException], None]) -> None:
        self._stream_id = stream_id
        self._log = log
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._time = self._loop.time
        self._events: list[Event] = []
        self._origins: list[Origin | None] = []
        self._gathering: asyncio.Handle | None = None
        self._appended_s = -inf
        self._failed = False
        self.full = False

    def put(self, event: Event, origin: Origin | None = None) -> None:
        """Take an event; it is in the log at once, unless another was just before."""
        if self._gathering is None:
            if self._time() >= self._appended_s + GATHER_S:
                self._append((event,), (origin,))
                return
            self._gathering = self._loop.call_soon(self._flush)
        self._events.append(event)
        self._origins.append(origin)
        self.full = len(self._events) >= FULL

    async def room(self) -> None:
        """Let others have their turn; what is here is appended in it."""
        await asyncio.sleep(0)

    async def close(self) -> None:
        """Append what is here; nothing may be put after this."""
        self._flush()

    async def append(self, events: Sequence[Event], origins: Sequence[Origin | None]) -> None:
        """Append past what is here, raising what the log raises."""
        self._log.append_now(self._stream_id, events, origins)

    def _flush(self) -> None:
        if self._gathering is None:
            return
        self._gathering.cancel()
        self._gathering = None
        self.full = False
        events, self._events = self._events, []
        origins, self._origins = self._origins, []
        self._append(events, origins)

    def _append(self, events: Sequence[Event], origins: Sequence[Origin | None]) -> None:
        if self._failed:
            return  # what follows a hole is worth nothing
        try:
            self._log.append_now(self._stream_id, events, origins)
        except Exception as error:  # noqa: BLE001 - the run ends with it, and says so
            self._failed = True
            self._on_failure(error)
        self._appended_s = self._time()
