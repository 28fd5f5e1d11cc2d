"""The reader's side of a virtual run up to the text: connections, broken or not -> bytes -> events -> deltas. Pure.

Server, network and reader are those of one process, on a number for a clock: what the server writes goes frame by
frame through the fault plan, over the network, into the parser, and what the session then wants is done. A connection
costs a round trip: the request takes one latency to the server, as the greeting does back.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from sse_widget.protocol.actions import Action, Close, Connect, Deliver, Finish, Head, Reset, SessionConfig, Wait
from sse_widget.protocol.backoff import Backoff
from sse_widget.protocol.disturbance import Over
from sse_widget.protocol.events import CONTENT_TYPE, TEXT, TerminalState, event_id, parse_event_id, text_of
from sse_widget.protocol.faults import FaultPlan
from sse_widget.protocol.session import Session
from sse_widget.protocol.sse import Parser

from .log import STREAM_ID, Log
from .network import Link, Network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sse_widget.protocol.disturbance import Disturbance, Happening
    from sse_widget.protocol.sse import Event

    from .log import Write


class Reconnection(msgspec.Struct, frozen=True):
    """How a reader comes back after a break, as SSEConsumer's options of these names say. Times in ms.

    The bound of the random wait is `reconnect_delay_ms`, doubled with each attempt that brings nothing, of which there
    are `max_reconnect_attempts`; silence for `heartbeat_timeout_ms`, or for 2.25 heartbeats if that is longer, is a
    break. Raises ValueError for a value below 0.
    """

    reconnect_delay_ms: float = 1000.0
    max_reconnect_attempts: int = 10
    heartbeat_timeout_ms: float = 45_000.0

    def __post_init__(self) -> None:
        """Check the values."""
        for name in self.__struct_fields__:
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be 0 or more; got {getattr(self, name)!r}")

    @property
    def config(self) -> SessionConfig:
        """The session's settings."""
        return SessionConfig(
            max_attempts=self.max_reconnect_attempts,
            backoff=Backoff(base_ms=self.reconnect_delay_ms),
            heartbeat_timeout_ms=self.heartbeat_timeout_ms,
            logged=True,
        )


class Read(msgspec.Struct, frozen=True):
    """The deltas that a reader was handed, when (seconds), and the state in which the stream ended for it, when.

    `places` are the numbers of the server's deltas, from 0, None for all of them; `write_s` is when they were written
    on the connection that brought them. The question was asked at `asked_s`, `connections` were opened, and
    `wire_bytes` arrived over them.
    """

    texts: tuple[str, ...]
    receive_s: tuple[float, ...]
    end_s: float
    state: TerminalState
    places: tuple[int, ...] | None = None
    write_s: tuple[float, ...] = ()
    asked_s: float = 0.0
    connections: int = 1
    wire_bytes: int = 0


class Conditions(msgspec.Struct, frozen=True):
    """All that decides how a stream comes to a reader."""

    network: Network
    plan: FaultPlan
    reconnection: Reconnection


def read(
    log: Log, conditions: Conditions, network_random: Callable[[], float], unit_random: Callable[[], float]
) -> Read:
    """Follow a stream to the end of the session; the run begins with the first request that is let in, at 0.

    `network_random` is the jitter's, `unit_random` the session's.
    """
    return _Journey(log, conditions, network_random, Session(conditions.reconnection.config, unit_random)).run()


class _Journey:
    """One reader's way. Its clock is 0 when the first request reaches the server."""

    def __init__(self, log: Log, conditions: Conditions, network_random: Callable[[], float], session: Session) -> None:
        self._log = log
        self._network, self._plan = conditions.network, conditions.plan
        self._random = network_random
        self._session = session
        self._latency_s = conditions.network.latency_ms / 1000.0
        self._now_s = -self._latency_s
        self._began_s: float | None = None
        self._way: _Way | None = None
        self._head: tuple[float, Head] | None = None
        self._parser = Parser()
        self._deltas: list[tuple[int, str, float, float]] = []
        self._state: TerminalState = "interrupted"
        self._bytes = 0

    def run(self) -> Read:
        self._act(self._session.start(self._now_s * 1000.0))
        while self._session.phase != "ended":
            self._act(self._next())
        began_s = self._began_s or 0.0
        return Read(
            texts=tuple([text for _, text, _, _ in self._deltas]),
            receive_s=tuple([at_s - began_s for _, _, at_s, _ in self._deltas]),
            end_s=self._now_s - began_s,
            state=self._state,
            places=tuple([place for place, _, _, _ in self._deltas]),
            write_s=tuple([at_s for _, _, _, at_s in self._deltas]),
            asked_s=-self._latency_s - began_s,
            connections=self._session.connection,
            wire_bytes=self._bytes,
        )

    def _next(self) -> list[Action]:
        """Let the next thing happen: a head or bytes arrive, or the session's time is up."""
        deadline_ms = self._session.deadline_ms
        assert deadline_ms is not None, "a session that has not ended waits for something"  # noqa: S101
        at_s = self._head[0] if self._head else self._way.at_s if self._way else None
        if at_s is None or at_s * 1000.0 > deadline_ms:
            self._now_s = max(self._now_s, deadline_ms / 1000.0)
            return self._session.tick(deadline_ms)
        self._now_s = max(self._now_s, at_s)
        now_ms = self._now_s * 1000.0
        if self._head:
            head, self._head = self._head[1], None
            return self._session.head(head, now_ms)
        data = self._way.take() if self._way else None
        if isinstance(data, bytes):
            return self._arrived(data, now_ms)
        self._way = None
        return self._session.failed("cut", now_ms) if data else self._session.ended(now_ms)

    def _arrived(self, data: bytes, now_ms: float) -> list[Action]:
        self._bytes += len(data)
        self._session.bytes_arrived(now_ms)
        events = self._parser.feed(data)
        if self._parser.retry_ms is not None:
            self._session.retry(self._parser.retry_ms)
        return [action for event in events for action in self._session.event(event, now_ms)]

    def _act(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Connect():
                    self._connect(action)
                case Close() | Wait():
                    self._way = self._head = None
                case Deliver(event) if event.event == TEXT:
                    self._note(event)
                case Reset():
                    self._deltas.clear()
                case Finish(state):
                    self._state = state
                case Deliver():
                    pass

    def _note(self, event: Event) -> None:
        text, id_, way = text_of(event.data), parse_event_id(event.id), self._way
        if text and id_ is not None and way is not None and 0 <= id_[1] - 2 < self._log.deltas:
            self._deltas.append((id_[1] - 2, text, self._now_s, way.written_s[id_[1]]))

    def _connect(self, connect: Connect) -> None:
        server_s = self._now_s + self._latency_s
        self._way = None
        refusal = self._plan.refusal(connect.connection)
        if refusal is not None:
            wait_ms = None if refusal.retry_after_s is None else 1000.0 * refusal.retry_after_s
            head = Head(refusal.status, CONTENT_TYPE, retry_after_ms=wait_ms)
        else:
            self._began_s = server_s if self._began_s is None else self._began_s
            head = self._open(connect, server_s, self._began_s)
        self._head = (server_s + self._latency_s, head)

    def _open(self, connect: Connect, server_s: float, began_s: float) -> Head:
        last, ended_s = self._log.last
        from_s = server_s - began_s
        if connect.after >= last and from_s >= ended_s:
            return Head(204)
        disturbance = self._plan.disturb(connect.connection)
        link = Link(self._network, self._random)
        self._way = _Way(self._log.writes(connect.after, from_s), disturbance, link, began_s)
        self._parser = Parser(last_event_id=event_id(STREAM_ID, connect.after) if connect.stream_id else "")
        return Head(200, CONTENT_TYPE, STREAM_ID)


class _Way:
    """One connection: the server's writes through the fault plan and over the network, one after the other.

    `at_s` is when the next of it arrives, None when nothing more does; `written_s` says when each seq was written.
    """

    def __init__(self, writes: Iterator[Write], disturbance: Disturbance, link: Link, began_s: float) -> None:
        self.written_s: dict[int, float] = {}
        self._writes = writes
        self._disturbance = disturbance
        self._link = link
        self._began_s = began_s
        self._sent_s = began_s
        self._coming: list[tuple[float, bytes | bool]] = []

    @property
    def at_s(self) -> float | None:
        while not self._coming and not self._disturbance.over:
            write = next(self._writes, None)
            if write is None:
                self._send(self._disturbance.end(self._sent_s * 1000.0))
                continue
            self._sent_s = self._began_s + write.at_s
            self.written_s |= dict.fromkeys([seq for seq, _ in write.frames], write.at_s)
            at_ms = self._sent_s * 1000.0
            self._send([one for _, frame in write.frames for one in self._disturbance.feed(frame, at_ms)])
        return self._coming[0][0] if self._coming else None

    def take(self) -> bytes | bool:
        """Return what arrives next: bytes, or the end, and whether it is a break."""
        return self._coming.pop(0)[1]

    def _send(self, happenings: list[Happening]) -> None:
        """Put what leaves at one time into one write."""
        for (at_ms, over), group in groupby(happenings, lambda one: (one.at_ms, isinstance(one, Over))):
            # What is not held up leaves at its very time, not at one that was ms in between.
            at_s = self._sent_s if at_ms == self._sent_s * 1000.0 else at_ms / 1000.0
            if over:
                self._coming += [(self._link.arrival(at_s, 0), one.broken) for one in group if isinstance(one, Over)]
            else:
                data = b"".join([one.data for one in group if not isinstance(one, Over)])
                self._coming.append((self._link.arrival(at_s, len(data)), data))
