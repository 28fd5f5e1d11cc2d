"""What every route does: let in or refuse, answer errors in the reader's language, stream one run."""

from __future__ import annotations

import asyncio
import time
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import msgspec
import tornado.web
from tornado.iostream import StreamClosedError

from sse_server.config import Config
from sse_server.delivery import Counters, Delivery, Reading, greeting, snapshot
from sse_server.errors import Lang, ServerError, preferred_lang
from sse_server.guards.auth import Gate, Principal, check_host, origin_allowed
from sse_server.guards.tickets import TicketOffice
from sse_server.guards.validation import Connection, query_fields
from sse_server.log.base import EventLog, ExpiredStreamError, TrimmedStreamError, UnknownStreamError
from sse_server.runs import Runs
from sse_widget.protocol.events import CONTENT_TYPE, Hello, dump, parse_event_id
from sse_widget.protocol.sse import Event, encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from sse_server.log.base import StreamInfo

P = ParamSpec("P")
JSON = "application/json"
PROBLEM = "application/problem+json"
STREAM_HEADERS = {
    "Content-Type": f"{CONTENT_TYPE}; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}
ALLOWED_HEADERS = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-SSE-Reconnect, X-XSRFToken"


class Services(msgspec.Struct, frozen=True):
    """What handlers work with, made in app.py. `prefix` is the path before `/api/v1`, `node` names the process."""

    config: Config
    log: EventLog
    runs: Runs
    gate: Gate
    tickets: TicketOffice
    counters: Counters
    prefix: str
    node: str


def refusing(method: Callable[P, Awaitable[None]]) -> Callable[P, Coroutine[Any, Any, None]]:
    """Make a handler method answer a ServerError as the refusal that it is."""

    @wraps(method)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            await method(*args, **kwargs)
        except ServerError as error:
            route: Any = args[0]
            route.refuse(error)

    return guarded


class Route(tornado.web.RequestHandler):
    """Base of all routes. `streams` names the methods whose errors go out as an SSE event, not as problem+json."""

    streams: tuple[str, ...] = ()
    principal: Principal
    services: Services
    _delivery: asyncio.Task[None] | None = None

    def initialize(self, services: Services) -> None:
        """Take the services of this server."""
        self.services = services

    @property
    def lang(self) -> Lang:
        """The language of this reader's messages."""
        return preferred_lang(self.request.headers.get("Accept-Language", ""))

    @property
    def wants_json(self) -> bool:
        """Whether the client asked for JSON rather than a stream."""
        return JSON in self.request.headers.get("Accept", "")

    @refusing
    async def prepare(self) -> None:
        """Let the request in, or refuse it."""
        await self.admit()

    async def admit(self) -> None:
        """Check Host, Origin and credentials; sets `principal`."""
        if self.services.config.on_loopback:
            check_host(self.request.host)
        self._check_origin()
        if self.request.method != "OPTIONS":
            self.principal = self.services.gate.principal(
                self.request.headers.get("Authorization", ""), self.get_query_argument("ticket", "")
            )

    def _check_origin(self) -> None:
        origin = self.request.headers.get("Origin")
        if origin is None:
            return
        own = f"{self.request.protocol}://{self.request.host}"
        if not origin_allowed(origin, own, self.services.config.allow_origin):
            raise ServerError("forbidden", detail="pages of this origin may not ask; see --allow-origin")
        if origin != own:
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Access-Control-Expose-Headers", "Retry-After, X-Stream-Id")
            self.set_header("Vary", "Origin")

    async def options(self, *_: str) -> None:
        """Answer a CORS preflight."""
        self.set_header("Access-Control-Allow-Methods", "GET, POST, DELETE, PATCH, OPTIONS")
        self.set_header("Access-Control-Allow-Headers", ALLOWED_HEADERS)
        self.set_header("Access-Control-Max-Age", "600")
        self.set_status(204)

    def refuse(self, error: ServerError) -> None:
        """Answer with the status of an error, its code and its words."""
        if self._finished:
            return
        self.set_status(error.status)
        self.set_header("Cache-Control", "no-store")
        self.set_header("Vary", "Accept-Language, Origin")
        if error.retry_after_s is not None:
            self.set_header("Retry-After", str(error.retry_after_s))
        if error.status == 401:
            self.set_header("WWW-Authenticate", "Bearer")
        data = error.event(self.lang)
        if self.request.method in self.streams and not self.wants_json:
            self.set_header("Content-Type", STREAM_HEADERS["Content-Type"])
            self.finish(encode(Event("error", dump(data))))
        else:
            self._problem(error.status, data.message, error.code)

    def _problem(self, status: int, detail: str, code: str) -> None:
        """Answer with problem details (RFC 9457)."""
        title = self._reason
        self.set_header("Content-Type", PROBLEM)
        self.finish(
            msgspec.json.encode(
                {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code}
            )
        )

    def write_error(self, status_code: int, **_: Any) -> None:
        """Answer what Tornado itself refuses (405, 404, a bug) in the same form."""
        if status_code >= 500:
            self.refuse(ServerError("internal"))
            return
        code = {404: "not_found", 403: "forbidden", 401: "unauthorized"}.get(status_code, "invalid_request")
        self._problem(status_code, self._reason, code)

    def send_json(self, value: Any, status: int = 200) -> None:
        """Answer with JSON."""
        self.set_status(status)
        self.set_header("Content-Type", JSON)
        self.set_header("Cache-Control", "no-store")
        self.finish(msgspec.json.encode(value))

    def fields(self) -> dict[str, str]:
        """Return the query parameters."""
        return query_fields(self.request.query_arguments)

    def last_event_id(self) -> tuple[str, int] | None:
        """Return (stream_id, seq) of the Last-Event-ID header, None without one."""
        value = self.request.headers.get("Last-Event-ID", "")
        if not value:
            return None
        place = parse_event_id(value)
        if place is None:
            raise ServerError("bad_event_id")
        return place

    async def find(self, stream_id: str, right: str) -> StreamInfo:
        """Return a stream that this principal has this right to."""
        self.principal.require(right, stream_id)
        return await self.services.runs.info(stream_id, self.principal.name)

    async def follow(self, info: StreamInfo, after: int, connection: Connection, *, resumed: bool) -> None:
        """Stream a run to this connection until it ends or the client leaves."""
        if info.ended and after >= info.last and (resumed or after):
            self.set_status(204)
            self.finish()
            return
        if after > info.last:
            raise ServerError("bad_event_id")
        for name, value in STREAM_HEADERS.items():
            self.set_header(name, value)
        self.set_header("X-Stream-Id", info.stream_id)
        self.services.counters.opened()
        self._delivery = asyncio.create_task(self._deliver(info, after, connection, resumed=resumed))
        try:
            await asyncio.wait({self._delivery})
        finally:
            self.services.counters.closed()
        if self._delivery.cancelled() or self._delivery.exception() is not None:
            self._drop()

    async def _deliver(self, info: StreamInfo, after: int, connection: Connection, *, resumed: bool) -> None:
        heartbeat_s = connection.heartbeat_s or self.services.config.heartbeat_s
        delivery = Delivery(
            self.services.log,
            self._write_through,
            self.services.counters,
            heartbeat_s=heartbeat_s,
            send_timeout_s=self.services.config.send_timeout_s,
        )
        gap = after + 1 < info.first
        hello = Hello(
            ts=time.time(),
            model=info.meta.model,
            stream_id=info.stream_id,
            conversation_id=info.meta.conversation_id,
            resumed=resumed,
            after=after,
            gap=gap,
            heartbeat_s=heartbeat_s,
            node=self.services.node,
        )
        first = greeting(hello)
        if connection.snapshot and after == 0 and info.text:
            first += snapshot(info)
            after = info.text_seq
        await delivery.send(first)
        if not gap:
            await delivery.run(Reading(info.stream_id, after, connection.once))

    async def _write_through(self, data: bytes) -> None:
        self.write(data)
        await self.flush()

    def _drop(self) -> None:
        """End a connection that cannot be completed; the reader sees an interruption and resumes."""
        error = None if self._delivery is None or self._delivery.cancelled() else self._delivery.exception()
        expected = StreamClosedError | TimeoutError | UnknownStreamError | ExpiredStreamError | TrimmedStreamError
        if error is not None and not isinstance(error, expected):
            raise error
        if self.request.connection is not None and not self._finished:
            self.request.connection.stream.close()  # type: ignore[attr-defined]

    def on_connection_close(self) -> None:
        """Stop delivering to a client that has left; the run goes on."""
        super().on_connection_close()
        if self._delivery is not None:
            self._delivery.cancel()
