"""What the routes that stream a run have in common."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tornado.iostream import IOStream, StreamClosedError

from sse_server.delivery import Delivery, Visit
from sse_server.errors import ServerError
from sse_server.faulty_line import CutError, FaultyLine
from sse_server.guards.faults import check_planned_refusal, read_connection_number
from sse_server.guards.validation import read_connection, read_key
from sse_server.handlers.base import STREAM_HEADERS, Route
from sse_server.handlers.frames import event_frames
from sse_server.handlers.outlet import Outlet
from sse_server.log.base import ExpiredStreamError, LogUnavailableError, TrimmedStreamError, UnknownStreamError
from sse_server.tracing import Tracing
from sse_widget.protocol.events import parse_event_id
from sse_widget.protocol.sse import Parser

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from sse_server.counters import Transport
    from sse_server.delivery import Write
    from sse_server.guards.validation import Connection
    from sse_server.log.base import StreamInfo
    from sse_widget.protocol.faults import FaultPlan


_EXPECTED = (
    StreamClosedError,
    TimeoutError,
    CutError,
    UnknownStreamError,
    ExpiredStreamError,
    TrimmedStreamError,
    LogUnavailableError,
)
"""What ends a connection without an end of its body; its reader resumes."""


class StreamRoute(Route):
    """A route that streams a run to its connection."""

    _delivery: asyncio.Task[Any] | None = None
    _left = False
    _outlet: Outlet | None = None

    def last_event_id(self) -> tuple[str, int] | None:
        """Return (stream_id, seq) of the Last-Event-ID header, None without one."""
        value = self.request.headers.get("Last-Event-ID", "")
        if not value:
            return None
        place = parse_event_id(value)
        if place is None:
            raise ServerError("bad_event_id")
        return place

    def connection_of(self, fields: Mapping[str, Any]) -> Connection:
        """Return the parameters of this connection, unless its fault plan refuses it."""
        connection = read_connection(fields, allow_faults=self.services.config.allow_faults)
        self.services.counters.reconnected(self.request.headers.get("X-SSE-Reconnect", ""))
        check_planned_refusal(connection.fault, self.connection_number)
        return connection

    @property
    def connection_number(self) -> int:
        """Which of its reader's connections this is, from 1."""
        return read_connection_number(self.request.headers.get("X-SSE-Reconnect", ""))

    async def find(self, stream_id: str, right: str) -> StreamInfo:
        """Return a stream that this principal has this right to."""
        self.principal.require(right, stream_id)
        return await self.services.runs.info(stream_id, self.principal.name)

    def key_of(self, fields: Mapping[str, Any]) -> str:
        """Return the idempotency key of a request that starts a run, empty without one."""
        return read_key(self.request.headers.get("Idempotency-Key") or fields.get("key", ""))

    def answer_created(self, stream_id: str, **more: Any) -> None:
        """Answer 201: where the run is read, and the ticket that a browser reads it with."""
        url = f"{self.services.prefix}/api/v1/stream/runs/{stream_id}"
        self.set_header("Location", url)
        self.stream_id = stream_id
        self.set_header("X-Stream-Id", stream_id)
        ticket = self.services.tickets.issue(stream_id)
        created = {"stream_id": stream_id, "url": url, "ticket": ticket, "node": self.services.node}
        self.send_json({**created, **more}, 201)

    async def follow(self, info: StreamInfo, after: int, connection: Connection, *, resumed: bool) -> bool:
        """Stream a run to this connection until it ends or the client leaves; return whether all of it has left."""
        visit = Visit(after, resumed, connection.snapshot, connection.once)
        if visit.finds_nothing(info):
            self.set_status(204)
            self.finish()
            return True
        self.stream_id = info.stream_id
        leave = self.services.caps.take(info.meta.owner)
        self.set_header("X-Stream-Id", info.stream_id)
        polled = bytearray() if connection.once and self.wants_json else None
        if polled is None:
            self._begin()
        try:
            delivering = self._deliver(info, visit, connection, polled)
            whole = await self.carry(delivering, "poll" if connection.once else "sse")
        finally:
            leave()
        if whole and polled is not None:
            # A proxy that refuses or holds back what is called an event stream lets this through.
            self.send_json(event_frames(info.stream_id, Parser().feed(bytes(polled))))
        elif whole and self.request.version == "HTTP/1.0":
            # Its body has no other end, also where the client asked to keep the connection.
            await self.finish()
            self._wire().close()
        return whole

    async def carry(self, delivering: Awaitable[None], transport: Transport = "sse") -> bool:
        """Stream until the end, and return True; what breaks off before is dropped."""
        self._delivery = asyncio.current_task()
        try:
            with self.services.counters.connected(transport):
                await delivering
        except asyncio.CancelledError:
            if not self._left or self._delivery is None:
                raise
            self._delivery.uncancel()
        except _EXPECTED:
            pass
        else:
            return True
        finally:
            self._delivery = None
        self._drop()
        return False

    def _begin(self) -> None:
        for name, value in STREAM_HEADERS.items():
            self.set_header(name, value)
        # With Nagle's algorithm a small event would wait for the acknowledgement of the one before it.
        self._wire().set_nodelay(True)

    async def _deliver(self, info: StreamInfo, visit: Visit, connection: Connection, polled: bytearray | None) -> None:
        services = self.services
        write: Write = self._write_through if polled is None else polled.extend
        line = self.faulty_line(connection.fault, write)
        delivery = Delivery(
            services.log,
            write if line is None else line.write,
            services.counters,
            heartbeat_s=connection.heartbeat_s or services.config.heartbeat_s,
            send_timeout_s=services.config.send_timeout_s,
            tracing=Tracing(services.log, stamps=connection.trace == "all") if connection.trace else None,
            in_place=self._straight if line is None and polled is None else None,
        )
        following = delivery.follow(info, visit, services.node)
        services.deliveries.add(delivery)
        try:
            await (following if line is None else line.carry(following))
        finally:
            services.deliveries.discard(delivery)

    def faulty_line(self, plan: FaultPlan | None, write: Write) -> FaultyLine | None:
        """Return what stands between a delivery and `write` on this connection, None without a plan."""
        if plan is None:
            return None
        disturbance = plan.disturb(self.connection_number)
        return FaultyLine(disturbance, write, send_timeout_s=self.services.config.send_timeout_s)

    def _write_through(self, data: bytes) -> Awaitable[None] | None:
        """Write what Tornado needs not see; it sends the head, and with it whatever comes first."""
        if self._outlet is not None:
            return self._outlet.write(data)
        self.write(data)
        flushed = self.flush()
        wire = self._wire()
        if "Content-Encoding" not in self._headers and not wire.closed():
            self._outlet = Outlet(wire, flushed, chunked="Transfer-Encoding" in self._headers)
        return flushed

    def _straight(self) -> Write:
        """Return the shortest way for what follows the first bytes."""
        return self._write_through if self._outlet is None else self._outlet.write

    def _drop(self) -> None:
        """End a connection that cannot be completed; the reader sees an interruption and resumes."""
        if not self._finished:
            # A reset could overtake what has left; an end without the last chunk is as broken, and loses none of it.
            self._wire().close()

    def _wire(self) -> IOStream:
        stream: IOStream = self.request.connection.stream  # type: ignore[union-attr]
        return stream

    def on_connection_close(self) -> None:
        """Stop delivering to a client that has left; the run goes on."""
        super().on_connection_close()
        if self._delivery is not None:
            self._left = True
            self._delivery.cancel()
