"""One reader of one stream: carries out what `protocol.session` decides, and yields messages."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

import msgspec

from sse_widget.connection import Broken, refusal
from sse_widget.errors import (
    ConnectError,
    IdleTimeout,
    LimitExceeded,
    LogTrimmed,
    PayloadError,
    RemoteError,
    SSEWidgetError,
    WrongContentType,
)
from sse_widget.protocol.actions import Action, Close, Connect, Deliver, Finish, Head, Reset, Wait
from sse_widget.protocol.events import Message, TerminalState, event_id, load
from sse_widget.protocol.session import Session
from sse_widget.protocol.sse import MAX_EVENT_BYTES, Event, Parser

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable

    from sse_widget.connection import Connection
    from sse_widget.endpoint import Request
    from sse_widget.protocol.actions import SessionConfig

T = TypeVar("T")

_ERRORS: dict[str, type[SSEWidgetError]] = {
    "wrong_content_type": WrongContentType,
    "limit_exceeded": LimitExceeded,
    "payload_mismatch": PayloadError,
}


_MAY_WAIT = frozenset({"hello", "error"})


class Status(msgspec.Struct, frozen=True):
    """Where a reader stands; `attempt`, `delay_ms` and `reason` speak of a wait before the next connection."""

    state: Literal["idle", "connecting", "open", "waiting"] | TerminalState
    attempt: int = 0
    delay_ms: float = 0.0
    reason: str = ""


class Witness(Protocol):
    """Sees what comes over the network, as it comes."""

    def opened(self, url: str, headers: Iterable[tuple[str, str]], last_seq: int) -> None:
        """Take the head of a response with status 200, which brings what follows `last_seq`."""

    def read(self, data: bytes) -> None:
        """Take the bytes of one read; none are the end of the response."""


class Stream:
    """An async iterator over the messages of one stream, over as many connections as it takes.

    Iteration ends when the stream does; `state` then says how, and `error` why, None after `done`, `stopped` and
    `closed`. It never raises for what happens on the way. Messages are those of `protocol.events`; an event without
    a type there comes as `protocol.sse.Event`, and `Reset` says that the text begins anew. After a `break`, a
    second loop goes on where the first one left. One event loop only.

    `bytes_read` counts those of the bodies, over all connections. `receive_s` and `parse_s` are when the bytes of the
    message that was yielded last arrived and were parsed, in seconds of the loop's clock.
    """

    def __init__(
        self,
        request_for: Callable[[Connect], Request],
        connection: Connection,
        config: SessionConfig,
        unit_random: Callable[[], float],
        *,
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        self.status = Status("idle")
        self.error: SSEWidgetError | None = None
        self.bytes_read = 0
        self.receive_s = 0.0
        self.parse_s = 0.0
        self._request_for = request_for
        self._session = Session(config, unit_random)
        self._max_event_bytes = max_event_bytes
        self._connection = connection
        self._queue: deque[Action] = deque()
        self._pending: Connect | None = None
        self._parser = Parser(max_event_bytes=max_event_bytes)
        self._head: Head | None = None
        self._cause: SSEWidgetError | None = None
        self._timeout: asyncio.Timeout | None = None
        self._on_status: Callable[[Status], None] | None = None
        self._witness: Witness | None = None

    @property
    def stream_id(self) -> str:
        """Id of the stream, empty until the server has said it."""
        return self._session.stream_id

    @property
    def last_event_id(self) -> str:
        """Where another reader would go on from; of a server that is not ours, what it sent last."""
        if self.stream_id:
            return event_id(self.stream_id, self._session.last_seq)
        return self._parser.last_event_id

    @property
    def state(self) -> TerminalState | None:
        """The terminal state, None while the stream runs."""
        match self.status.state:
            case "idle" | "connecting" | "open" | "waiting":
                return None
            case state:
                return state

    @property
    def connection(self) -> int:
        """How many connections were asked for, with the one that is open or being made."""
        return self._session.connection

    @property
    def head(self) -> Head | None:
        """What the server answered last, None without an answer."""
        return self._head

    @property
    def cause(self) -> SSEWidgetError | None:
        """What the last attempt failed with, None while one is open or none was made."""
        return self._cause

    def on_status(self, call: Callable[[Status], None]) -> Stream:
        """Have every change of `status` told to `call`, which replaces the one before."""
        self._on_status = call
        return self

    def seen_by(self, witness: Witness) -> Stream:
        """Have a witness see every response and its bytes; it replaces the one before."""
        self._witness = witness
        return self

    def restart(self) -> None:
        """Drop the connection and resume at once."""
        self._act(self._session.restart(_now_ms()))

    def disconnect(self) -> None:
        """Leave: the state becomes `closed`, and the run goes on."""
        self._act(self._session.disconnect())

    def __aiter__(self) -> AsyncIterator[Message | Event | Reset]:
        """Read on to the end of the stream."""
        return self._read(_typed)

    def events(self) -> AsyncGenerator[Event | Reset, None]:
        """Read on to the end of the stream, each event as it came, with its id."""
        return self._read(_raw)

    async def _read(self, form: Callable[[Event], T]) -> AsyncGenerator[T | Reset, None]:
        self._queue.extend(self._session.start(_now_ms()) or self._session.restart(_now_ms()))
        try:
            while self.state is None:
                while self._queue:
                    action = self._queue.popleft()
                    match action:
                        case Deliver(event):
                            yield form(event)
                        case Reset():
                            yield action
                        case _:
                            await self._carry_out(action)
                if self.state is None:
                    self._queue.extend(await self._input())
        finally:
            await self._connection.aclose()

    def _act(self, actions: list[Action]) -> None:
        self._queue.extend(actions)
        if actions and self._timeout is not None:
            self._timeout.reschedule(asyncio.get_running_loop().time())

    async def _carry_out(self, action: Close | Connect | Wait | Finish) -> None:
        match action:
            case Close():
                self._pending = None
                await self._connection.close()
            case Connect():
                self._pending = action
                self._set(Status("connecting", self._session.attempt, reason=action.reason))
            case Wait(delay_ms, attempt, reason):
                self._set(Status("waiting", attempt, delay_ms, reason))
            case Finish(state):
                self.error = self._error_of(action)
                self._set(Status(state, reason=action.code))

    async def _input(self) -> list[Action]:
        """Wait for the next thing that happens, until the session's deadline, and tell the session."""
        deadline_ms = self._session.deadline_ms or 0.0
        try:
            async with asyncio.timeout_at(deadline_ms / 1000.0) as self._timeout:
                return await self._network()
        except TimeoutError:
            if self._queue:
                return []  # `_act` cut the wait short
            self._take_retry()
            if self._session.phase != "waiting":
                self._cause = IdleTimeout("no byte arrived for longer than the watchdog allows")
            return self._session.tick(max(_now_ms(), deadline_ms))  # timers may fire a little early
        except Broken as error:
            self._cause = error
            self._take_retry()
            return self._session.failed(error.reason, _now_ms())
        except (ConnectError, LimitExceeded) as error:
            self._cause = error
            return self._session.refuse(error.code, error.message)
        finally:
            self._timeout = None

    async def _network(self) -> list[Action]:
        if self._pending is not None:
            connect, self._pending = self._pending, None
            await self._connection.close()
            request = self._request_for(connect)
            self._head = await self._connection.open(request)
            if self._witness is not None and self._head.status == 200:
                self._witness.opened(request.url, self._connection.headers, connect.after)
            self._parser = Parser(last_event_id=self._parser.last_event_id, max_event_bytes=self._max_event_bytes)
            self._cause = None
            actions = self._session.head(self._head, _now_ms())
            if self._session.phase == "open":
                self._set(Status("open", self._session.attempt))
            return actions
        if self._session.phase != "open":
            await asyncio.Event().wait()
        # The consumer may have been away for long, which is no silence of the server.
        self._session.bytes_arrived(_now_ms())
        chunk = await self._connection.read()
        if self._witness is not None:
            self._witness.read(chunk)
        return self._feed(chunk)

    def _feed(self, chunk: bytes) -> list[Action]:
        now_ms = _now_ms()
        if not chunk:
            self._take_retry()
            return self._session.ended(now_ms)
        self._session.bytes_arrived(now_ms)
        self.bytes_read += len(chunk)
        events = self._parser.feed(chunk)
        self.receive_s, self.parse_s = now_ms / 1000.0, _now_ms() / 1000.0
        actions: list[Action] = []
        for event in events:
            if event.event in _MAY_WAIT:
                self._take_retry()
            actions += self._session.event(event, now_ms)
        return actions

    def _take_retry(self) -> None:
        """Tell the session of `retry:` where a wait may follow; asking after every read would slow the parser."""
        if self._parser.retry_ms is not None:
            self._session.retry(self._parser.retry_ms)

    def _set(self, status: Status) -> None:
        self.status = status
        if self._on_status is not None:
            self._on_status(status)

    def _error_of(self, finish: Finish) -> SSEWidgetError | None:
        match finish.state:
            case "gap":
                return LogTrimmed(finish.message)
            case "interrupted":
                return self._interruption(finish)
            case "error" if isinstance(self._cause, ConnectError | LimitExceeded):
                return self._cause
            case "error" if self._head is not None and self._head.status != 200:
                return refusal(self._head)
            case "error":
                return _ERRORS.get(finish.code, RemoteError)(finish.message, code=finish.code)
            case _:
                return None

    def _interruption(self, finish: Finish) -> ConnectError:
        status = None if self._head is None or self._head.status == 200 else self._head.status
        cause = f" ({self._cause})" if self._cause is not None else ""
        error = ConnectError(f"{finish.message}{cause}", status=status, code=finish.code)
        error.__cause__ = self._cause
        return error


def _typed(event: Event) -> Message | Event:
    return load(event.event, event.data) or event


def _raw(event: Event) -> Event:
    return event


def _now_ms() -> float:
    """The loop's own clock, which its timeouts go by."""
    return asyncio.get_running_loop().time() * 1000.0
