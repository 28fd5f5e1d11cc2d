"""What every route does: let in or refuse, and answer errors in the reader's language."""

from __future__ import annotations

import logging
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec

import msgspec
import tornado.web

from sse_server.errors import Lang, ServerError, preferred_lang
from sse_server.guards.access import OPEN, PAGE, RIGHTS, decision
from sse_server.guards.auth import (
    FOREIGN_PAGE,
    Principal,
    check_fetch_site,
    check_host,
    of_cookie,
    origin_allowed,
)
from sse_server.guards.limits import counted_address
from sse_server.guards.validation import query_fields
from sse_widget.protocol.events import CONTENT_TYPE, dump
from sse_widget.protocol.sse import Event, encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from types import TracebackType

    from sse_server.guards.access import Access
    from sse_server.handlers.services import Services

P = ParamSpec("P")
logger = logging.getLogger(__name__)
METHODS = ("GET", "POST", "DELETE", "PATCH")
JSON = "application/json"
PROBLEM = "application/problem+json"
STREAM_HEADERS = {
    "Content-Type": f"{CONTENT_TYPE}; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}
ALLOWED_HEADERS = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-SSE-Reconnect, X-XSRFToken"


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
    """Base of all routes. `streams` names the methods whose errors go out as an SSE event, not as problem+json.

    `access` says what each method asks of a principal: a right of guards.access, or `open`, `page`, `frames`. One that
    has none keeps the server from starting.
    """

    access: ClassVar[Access] = ""
    streams: tuple[str, ...] = ()
    principal: Principal
    services: Services
    refused = ""
    stream_id = ""
    """The code of the refusal and the stream of the answer, for the journal."""

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
        """Check credentials, Host and Origin, and what the route asks for; sets `principal`.

        Who shows a token or a ticket is no foreign page: it could not know one. Only such a request may come under
        another name of this machine or from an unlisted origin, as it does through a proxy that passes both on.
        """
        asked = self.decision
        if asked == OPEN:
            self.share()
            return
        authorization, ticket = self._credentials()
        if self.request.method != "OPTIONS" and (known := self.services.gate.known(authorization, ticket)):
            self.principal = self._counted(known)
            self.share()
            self.check_right()
            return
        # Behind a proxy of ours the Host is the public one. Rebinding gains nothing where credentials are asked for.
        proxied = self.services.gate.guarded and self.services.proxies.trusts(self.request.remote_ip or "")
        if self.services.config.on_loopback and not proxied:
            check_host(self.request.host)
        self._check_origin()
        if self.request.method != "OPTIONS" and asked != PAGE:
            self.principal = self._counted(self.identify(authorization, ticket))
            self.check_right()

    @property
    def cookie_name(self) -> str:
        """The name of a page's cookie: cookies are shared by all ports of a host, and another server may be there."""
        port = self.request.host.rpartition(":")[2]
        return f"sse_widget_{port if port.isascii() and port.isdecimal() else 'session'}"

    @property
    def decision(self) -> str:
        """What this request needs, as the route declares it."""
        return decision(self.access, self.request.method or "")

    def check_right(self) -> None:
        """Refuse a principal without the right that the route asks for; a route's first argument is its stream."""
        if self.decision in RIGHTS:
            self.principal.require(self.decision, self.path_args[0] if self.path_args else self.principal.stream_id)

    def identify(self, authorization: str, ticket: str) -> Principal:
        """Return who these credentials are, or raise `unauthorized`."""
        cookie = "" if authorization or ticket else self.get_cookie(self.cookie_name, "")
        session = self.services.sessions.session(cookie) if cookie else None
        if session is not None and self.services.gate.keeps(session.principal):
            headers = self.request.headers
            site = headers.get("Sec-Fetch-Site", "")
            known = of_cookie(session, headers.get("Origin", ""), self.own_origin, site)
            if known is not None:
                return known
        return self.services.gate.principal(authorization, ticket)

    def _counted(self, principal: Principal) -> Principal:
        """Say under what this principal's new runs are counted."""
        if self.services.gate.guarded:
            counted = f"principal:{principal.name}"
        else:
            counted = f"address:{counted_address(self.client_address)}"
        return msgspec.structs.replace(principal, counted_as=counted)

    @property
    def client_address(self) -> str:
        """Where the request comes from, past the proxies that are trusted."""
        forwarded = self.request.headers.get("X-Forwarded-For", "")
        return self.services.proxies.client(self.request.remote_ip or "", forwarded)

    @property
    def own_origin(self) -> str:
        """The origin of this server's pages, as the browser sees it."""
        request, proxies = self.request, self.services.proxies
        said = request.headers.get("X-Forwarded-Proto", "")
        return f"{proxies.protocol(request.remote_ip or '', request.protocol, said)}://{request.host}"

    def _credentials(self) -> tuple[str, str]:
        ticket = self.request.query_arguments.get("ticket", [b""])[-1].decode("utf-8", "replace")
        return self.request.headers.get("Authorization", ""), ticket

    def _check_origin(self) -> None:
        if self.request.headers.get("Origin") is None:
            check_fetch_site(self.request.headers.get("Sec-Fetch-Site", ""))
        elif not self.share():
            raise ServerError("forbidden", detail=FOREIGN_PAGE)

    def share(self) -> bool:
        """Let a page of a listed origin read the answer (CORS); whether the page's origin is listed, or our own."""
        origin = self.request.headers.get("Origin", "")
        own = self.own_origin
        listed = origin_allowed(origin, own, self.services.config.allow_origin)
        if listed and origin != own:
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Access-Control-Expose-Headers", "Retry-After, X-Stream-Id, X-Stream-Format")
            self.set_header("Vary", "Origin")
        return listed

    async def options(self, *_: str) -> None:
        """Answer a CORS preflight."""
        self.set_header("Access-Control-Allow-Methods", ", ".join([*METHODS, "OPTIONS"]))
        self.set_header("Access-Control-Allow-Headers", ALLOWED_HEADERS)
        self.set_header("Access-Control-Max-Age", "600")
        self.set_status(204)

    def refuse(self, error: ServerError, **members: object) -> None:
        """Answer with the status of an error, its code and its words; `members` stand beside them in problem+json."""
        if self._finished:
            return
        self.refused = error.code
        self.services.counters.failed(error.code, "request")
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
            self._problem(error.status, data.message, error.code, members)

    def _problem(self, status: int, detail: str, code: str, members: dict[str, object]) -> None:
        """Answer with problem details (RFC 9457); `members` are extensions, its section 3.2."""
        title = self._reason
        self.set_header("Content-Type", PROBLEM)
        self.finish(
            msgspec.json.encode(
                {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code, **members}
            )
        )

    def write_error(self, status_code: int, **info: Any) -> None:
        """Answer what Tornado or Jupyter refuse, and a bug, in the same form."""
        said = getattr(info.get("exc_info", (None, None))[1], "log_message", None) or self._reason
        match status_code:
            case 405:
                known = ", ".join(self.methods())
                self.set_header("Allow", known)
                self.refuse(ServerError("bad_method", method=self.request.method, known=known))
            case 401:
                self.refuse(ServerError("unauthorized"))
            case 403:
                self.refuse(ServerError("forbidden", detail=said))
            case 404:
                self.refuse(ServerError("no_route"))
            case _:
                self.refuse(ServerError("bad_request", detail=said) if status_code < 500 else ServerError("internal"))

    def methods(self) -> list[str]:
        """Return the methods that this route answers."""
        names = [name for name in METHODS if getattr(type(self), name.lower()) is not tornado.web.RequestHandler.get]
        return [*names, "OPTIONS"]

    def log_exception(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Log a bug without the query, which may hold a question or a ticket."""
        if not isinstance(error, tornado.web.HTTPError):
            logger.error("%s %s failed", self.request.method, self.request.path, exc_info=(kind, error, trace))  # type: ignore[arg-type]

    def send_json(self, value: Any, status: int = 200) -> None:
        """Answer with JSON."""
        self.set_status(status)
        self.set_header("Content-Type", JSON)
        self.set_header("Cache-Control", "no-store")
        self.finish(msgspec.json.encode(value))

    def fields(self) -> dict[str, str]:
        """Return the query parameters."""
        return query_fields(self.request.query_arguments)
