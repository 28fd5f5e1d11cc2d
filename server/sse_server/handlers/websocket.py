"""`/api/v1/stream/ws`: many streams on one socket, each delivered as an SSE connection's is."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from tornado.iostream import IOStream, StreamClosedError
from tornado.websocket import WebSocketClosedError, WebSocketHandler, WebSocketProtocol13

from sse_server.delivery import Delivery, Visit
from sse_server.errors import ServerError, Words, preferred_lang
from sse_server.faulty_line import CutError, FaultyLine
from sse_server.guards.access import FRAMES
from sse_server.guards.auth import Principal
from sse_server.guards.faults import check_planned_refusal, disturb_messages
from sse_server.guards.validation import read_connection, read_key, read_tuning
from sse_server.handlers.base import Route, refusing
from sse_server.handlers.chat import start_run
from sse_server.handlers.frames import (
    BadFrameError,
    Frame,
    end_message,
    error_message,
    events_message,
    ok_message,
    read_frame,
)
from sse_server.handlers.runs import stop_run, tune_run
from sse_server.log.base import ExpiredStreamError, LogUnavailableError, TrimmedStreamError, UnknownStreamError
from sse_server.tracing import Tracing
from sse_widget.protocol.sse import Parser

if TYPE_CHECKING:
    from sse_server.errors import Lang
    from sse_server.guards.validation import Connection
    from sse_server.log.base import StreamInfo
    from sse_widget.protocol.disturbance import Disturbance

CAP_RETRY_AFTER_S = 5
logger = logging.getLogger(__name__)

MAX_STREAMS = 64
MAX_MESSAGE_BYTES = 4 << 20
"""A larger message ends the socket; one over the limit of a request's body is answered in words."""
MAX_UNPROVEN_BYTES = 64 << 10
"""The same before anyone has proven who they are: whoever reaches the server may make it hold so much."""
PING_S = 30.0
"""A socket that does not answer the protocol's own ping for so long is dead."""
UNUSED_S = 300.0
"""How long a socket without a stream is kept."""
UNPROVEN_S = 30.0
"""How long one is kept that has shown no token, cookie or ticket."""
GOING_AWAY = 1001
TAKEN = Words("its ref carries a stream already", "المرجع ref مستعمل لبث آخر")
NOBODY = Principal(None, rights=frozenset())
"""Whoever opened the socket without credentials: its frames may bring tickets."""


class SocketHandler(Route, WebSocketHandler):
    """One socket. A request without credentials is let in where its frames bring tickets of their own."""

    access = FRAMES
    ping_interval = PING_S
    ping_timeout = PING_S
    max_message_size = MAX_MESSAGE_BYTES

    def initialize(self, services: Any) -> None:
        """Take the services of this server."""
        super().initialize(services)
        self._streams: dict[str, asyncio.Task[None]] = {}
        self._unused: asyncio.TimerHandle | None = None
        self._wire: IOStream | None = None
        self._over: asyncio.TimerHandle | None = None
        self._proven = True

    def identify(self, authorization: str, ticket: str) -> Principal:
        """Return who these credentials are: nobody, when there are none at all."""
        try:
            return super().identify(authorization, ticket)
        except ServerError:
            if authorization or ticket:
                raise
            return NOBODY

    def check_origin(self, origin: str) -> bool:  # noqa: ARG002 - Tornado's signature
        """Accept: `prepare` has refused foreign pages before this is asked."""
        return True

    @refusing
    async def get(self, *arguments: str) -> None:
        """Become a WebSocket."""
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise ServerError("upgrade_required")
        limit = self.services.config.max_connections
        if len(self.services.sockets) >= limit:
            raise ServerError("too_many_connections", retry_after_s=CAP_RETRY_AFTER_S, limit=limit)
        if not self.principal.rights:
            self._proven, self.max_message_size = False, MAX_UNPROVEN_BYTES
        await super().get(*arguments)

    def open(self, *_: str) -> None:
        """Take the socket into the books."""
        if self.ws_connection is None:
            return
        self._wire = self.ws_connection.stream
        self.set_nodelay(True)
        self.services.sockets.add(self)
        self.services.counters.sockets += 1
        self._watch_use()
        if self.principal.until_s < inf:
            # It lasts as long as what opened it: whoever comes again shows what holds now, or is refused.
            left_s = max(0.0, self.principal.until_s - time.time())
            self._over = asyncio.get_running_loop().call_later(left_s, self.leave)

    async def on_message(self, message: str | bytes) -> None:
        """Obey one frame; the next is read when this one is answered."""
        try:
            await self._answer(message)
        except (WebSocketClosedError, StreamClosedError):
            return
        except TimeoutError:
            self._drop()

    async def _answer(self, message: str | bytes) -> None:
        ref, lang = "", ""
        try:
            frame = read_frame(message)
            ref, lang = frame.ref, frame.lang
            await self._obey(frame)
        except BadFrameError as error:
            await self._refuse(error.ref, error, error.lang)
        except ServerError as error:
            await self._refuse(ref, error, lang)
        except (WebSocketClosedError, StreamClosedError, TimeoutError):
            raise
        except Exception:
            logger.exception("a frame of a WebSocket failed")
            await self._refuse(ref, ServerError("internal"), lang)

    async def _refuse(self, ref: str, error: ServerError, accept_language: str) -> None:
        self.services.counters.failed(error.code, "request")
        await self._send(error_message(ref, error, self._lang(accept_language)))

    def _lang(self, accept_language: str) -> Lang:
        return preferred_lang(accept_language) if accept_language else self.lang

    async def _obey(self, frame: Frame) -> None:
        match frame.op:
            case "start":
                await self._start(frame)
            case "attach":
                await self._attach(frame)
            case "stop" | "tune":
                await self._send(ok_message(frame.ref, await self._order(frame)))
            case "leave":
                await self._leave(frame.ref)
            case "ping":
                await self._send(ok_message(frame.ref, {"ts": time.time(), "node": self.services.node}))

    async def _start(self, frame: Frame) -> None:
        fields = {**frame.body, **frame.place()}
        connection = self._connection_of(frame, fields)
        principal = self._principal(frame)
        self._check_room(frame.ref)
        self.services.caps.check(principal.name or "")
        key = read_key(frame.key or frame.body.get("key", ""))
        stream_id, created = await start_run(self.services, principal, fields, key, self._lang(frame.lang))
        info = await self.services.runs.info(stream_id, principal.name)
        await self._follow(frame, info, Visit(0, not created, once=connection.once), connection)

    async def _attach(self, frame: Frame) -> None:
        connection = self._connection_of(frame, frame.place())
        self._check_room(frame.ref)
        info = await self._find(frame, "read")
        visit = Visit(connection.after or 0, connection.after is not None, connection.snapshot)
        await self._follow(frame, info, visit, connection)

    def _connection_of(self, frame: Frame, fields: dict[str, Any]) -> Connection:
        connection = read_connection(fields, allow_faults=self.services.config.allow_faults)
        self.services.counters.reconnected(f"reason={frame.reason}")
        check_planned_refusal(connection.fault, frame.connection)
        return connection

    async def _order(self, frame: Frame) -> dict[str, Any]:
        """Stop or tune a run; return what the HTTP route answers."""
        info = await self._find(frame, frame.op)
        if frame.op == "stop":
            return await stop_run(self.services.runs, info)
        return await tune_run(self.services.runs, info, read_tuning(frame.changes))

    async def _leave(self, ref: str) -> None:
        stream = self._streams.pop(ref, None)
        if stream is not None:
            stream.cancel()
            await asyncio.wait({stream})
        await self._send(end_message(ref))

    def _principal(self, frame: Frame) -> Principal:
        if frame.ticket:
            principal = self.services.gate.principal("", frame.ticket)
            self._prove()
            return principal
        if not self.principal.rights:
            raise ServerError("unauthorized")
        return self.principal

    def _prove(self) -> None:
        """Keep a socket whose frames bring tickets as any other's."""
        if not self._proven and isinstance(self.ws_connection, WebSocketProtocol13):
            self._proven = True
            self.ws_connection.params.max_message_size = MAX_MESSAGE_BYTES
            self._watch_use()

    async def _find(self, frame: Frame, right: str) -> StreamInfo:
        principal = self._principal(frame)
        principal.require(right, frame.stream_id)
        return await self.services.runs.info(frame.stream_id, principal.name)

    def _check_room(self, ref: str) -> None:
        if ref in self._streams:
            # Under the ref itself it would be taken for the end of that stream.
            raise BadFrameError(TAKEN)
        if len(self._streams) >= MAX_STREAMS:
            raise ServerError("too_many_streams", limit=MAX_STREAMS)

    async def _follow(self, frame: Frame, info: StreamInfo, visit: Visit, connection: Connection) -> None:
        if visit.finds_nothing(info):
            await self._send(end_message(frame.ref, 204))
            return
        leave = self.services.caps.take(info.meta.owner)
        plan = connection.fault
        line = self._faulty_line(frame.ref, info, disturb_messages(plan, frame.connection)) if plan else None
        self._streams[frame.ref] = asyncio.create_task(self._deliver_counted(frame.ref, info, visit, connection, line))
        self._streams[frame.ref].add_done_callback(lambda _: leave())
        self._watch_use()

    def _faulty_line(self, ref: str, info: StreamInfo, disturbance: Disturbance) -> FaultyLine:
        write = partial(self._write_events, ref, info.stream_id)
        return FaultyLine(disturbance, write, send_timeout_s=self.services.config.send_timeout_s)

    async def _deliver_counted(self, *what: Any) -> None:
        with self.services.counters.connected("websocket"):
            await self._deliver(*what)

    async def _deliver(
        self, ref: str, info: StreamInfo, visit: Visit, connection: Connection, line: FaultyLine | None
    ) -> None:
        services = self.services
        try:
            delivery = Delivery(
                services.log,
                partial(self._write_events, ref, info.stream_id) if line is None else line.write,
                services.counters,
                heartbeat_s=connection.heartbeat_s or services.config.heartbeat_s,
                send_timeout_s=services.config.send_timeout_s,
                tracing=Tracing(services.log, stamps=connection.trace == "all") if connection.trace else None,
            )
            try:
                following = delivery.follow(info, visit, services.node)
                await (following if line is None else line.carry(following))
            except (UnknownStreamError, ExpiredStreamError, TrimmedStreamError):
                logger.info("stream %s was dropped while it was read", info.stream_id)
            self._streams.pop(ref, None)
            await self._send(end_message(ref))
        except (WebSocketClosedError, StreamClosedError):
            return
        except (TimeoutError, CutError, LogUnavailableError):
            self._drop()
        except Exception:
            logger.exception("stream %s could not be delivered", info.stream_id)
            self._drop()
        finally:
            self._streams.pop(ref, None)
            self._watch_use()

    async def _write_events(self, ref: str, stream_id: str, data: bytes) -> None:
        events = Parser().feed(data)
        if events:  # a fault plan lets parts of frames through, of which a message shows nothing
            await self._write(events_message(ref, stream_id, events))

    async def _send(self, message: bytes) -> None:
        async with asyncio.timeout(self.services.config.send_timeout_s):
            await self._write(message)

    async def _write(self, message: bytes) -> None:
        # A reader that is given up leaves its write behind: Tornado's own callback fails when that is cancelled.
        writing = self.write_message(message)
        writing.add_done_callback(lambda done: done.exception())
        await asyncio.shield(writing)

    def _watch_use(self) -> None:
        """Have the socket closed when it carries nothing for long."""
        if self._unused is not None:
            self._unused.cancel()
            self._unused = None
        if not self._streams and self in self.services.sockets:
            self._unused = asyncio.get_running_loop().call_later(UNUSED_S if self._proven else UNPROVEN_S, self.leave)

    def leave(self) -> None:
        """Say goodbye and close."""
        self.close(GOING_AWAY)
        self._drop()

    def _drop(self) -> None:
        """End a socket whose reader stays behind, or for good; the client resumes each of its streams."""
        if self._wire is not None:
            self._wire.close()

    def on_close(self) -> None:
        """Stop delivering; the runs go on."""
        if self in self.services.sockets:
            self.services.sockets.discard(self)
            self.services.counters.sockets -= 1
        for stream in self._streams.values():
            stream.cancel()
        self._watch_use()
        if self._over is not None:
            self._over.cancel()
