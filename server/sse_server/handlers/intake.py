"""How much of a request is taken in, so that one that is too large is still refused in words."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import tornado.web
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPMessageDelegate

from sse_server.guards.access import check_decisions
from sse_server.guards.validation import MAX_BODY_BYTES

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tornado.httputil import HTTPConnection, HTTPHeaders, RequestStartLine, ResponseStartLine

    from sse_server.config import Config
    from sse_server.handlers.stalls import Stalls

LIMITS = {
    # 10,000 characters of 4 bytes in a query string take 120,000 bytes.
    "max_header_size": 160 << 10,
    "max_buffer_size": 4 << 20,
    # Tornado answers what is beyond this with a bare 400; up to here the body is read and thrown away.
    "max_body_size": 256 << 20,
    "body_timeout": 60.0,
    "idle_connection_timeout": 75.0,
}
"""Arguments of Tornado's HTTPServer. Sizes in bytes, times in seconds."""


def limits_of(config: Config) -> dict[str, Any]:
    """Return the arguments of Tornado's HTTPServer, with the times of the settings.

    A request's head has as long as an idle connection is kept, its body so long more: one that is sent byte by byte
    holds its connection no longer than one that is silent.
    """
    return {**LIMITS, "idle_connection_timeout": config.idle_timeout_s, "body_timeout": config.body_timeout_s}


class Discretion(logging.Filter):
    """Cuts what Tornado logs of a request that is no HTTP down to its fault: the rest is quoted from the request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """See logging.Filter."""
        if isinstance(record.args, tuple) and len(record.args) == 2 and str(record.msg).startswith("Malformed"):
            context, fault = record.args
            record.args = (context, re.split("[:'\"]", str(fault))[0])
        return True


_DISCRETION = Discretion()


def methods_of(handler: type[tornado.web.RequestHandler]) -> list[str]:
    """Return the methods that a handler class answers."""
    # Tornado gives one and the same function to all that a class does not implement.
    missing = tornado.web.RequestHandler.get
    return [name for name in handler.SUPPORTED_METHODS if getattr(handler, name.lower()) is not missing]


class Application(tornado.web.Application):
    """Hands to its handlers at most one byte more of a body than they accept: that one says that it is too large.

    Its connections are watched by `stalls`. Raises UndecidedRouteError for a handler that does not say who may use it.
    """

    def __init__(self, rules: list[Any], stalls: Stalls, **settings: Any) -> None:
        check_decisions((path, handler, methods_of(handler)) for path, handler, *_ in rules)
        logging.getLogger("tornado.general").addFilter(_DISCRETION)
        super().__init__(rules, **settings)
        self._stalls = stalls

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """See tornado.httputil.HTTPServerConnectionDelegate."""
        if isinstance(request_conn, HTTP1Connection):
            self._stalls.watch(request_conn.stream)
        return _Intake(super().start_request(server_conn, request_conn))


class _Intake(HTTPMessageDelegate):
    def __init__(self, inner: HTTPMessageDelegate) -> None:
        self._inner = inner
        self._room = MAX_BODY_BYTES + 1

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        return self._inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        kept = chunk[: self._room]
        self._room -= len(kept)
        return self._inner.data_received(kept) if kept else None

    def finish(self) -> None:
        self._inner.finish()

    def on_connection_close(self) -> None:
        self._inner.on_connection_close()
