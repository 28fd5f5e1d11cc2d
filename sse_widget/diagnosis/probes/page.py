"""Probes of what a page needs beside a stream: WebSocket and CORS."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketError, websocket_connect

from sse_widget.diagnosis.observations import Cors, Failure, Head, Socket
from sse_widget.diagnosis.probes.exchange import Failed, explained
from sse_widget.endpoint import plain

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from tornado.httputil import HTTPHeaders

    from sse_widget.diagnosis.probes.exchange import Exchange

SOCKET_TIMEOUT_S = 10.0
_NO_ANSWER = 599  # Tornado's own status
ASKED_HEADERS = ("content-type", "idempotency-key")
"""What our pages send along with a question, which makes browsers ask first."""


async def socket(url: str, headers: Mapping[str, str], tls: ssl.SSLContext) -> Socket:
    """Open the WebSocket at the http(s) URL and send one ping; with an `Origin` header as a page of it does."""
    loop = asyncio.get_running_loop()
    began_s, origin = loop.time(), headers.get("Origin", "")
    request = HTTPRequest(
        "ws" + url.removeprefix("http"),
        headers=dict(headers),
        ssl_options=tls,
        connect_timeout=SOCKET_TIMEOUT_S,
        request_timeout=SOCKET_TIMEOUT_S,
        follow_redirects=False,
    )
    try:
        connection = await websocket_connect(request)
    except HTTPClientError as error:
        if error.code == _NO_ANSWER:
            return Socket(failure=Failure("cut", error.message), origin=origin)
        return Socket(_refusal(error, plain(url)), origin=origin)
    except (WebSocketError, StreamClosedError, OSError) as error:
        return Socket(failure=Failure("cut", str(error) or type(error).__name__), origin=origin)
    opened_s = loop.time() - began_s
    head = Head(plain(url), 101, _lowered(connection.headers), after_s=opened_s)
    try:
        pong_s = await _pong(connection, "doctor")
    finally:
        connection.close()
    return Socket(head, opened_s, pong_s, origin)


async def _pong(connection: object, ref: str) -> float:
    loop = asyncio.get_running_loop()
    sent_s = loop.time()
    try:
        async with asyncio.timeout(SOCKET_TIMEOUT_S):
            await connection.write_message(msgspec.json.encode({"op": "ping", "ref": ref}).decode())  # type: ignore[attr-defined]
            while (message := await connection.read_message()) is not None:  # type: ignore[attr-defined]
                if isinstance(message, str) and f'"{ref}"' in message:
                    return loop.time() - sent_s
    except (TimeoutError, WebSocketError, StreamClosedError):
        pass
    return 0.0


async def cors(exchange: Exchange, origin: str, ask_url: str, read_url: str, *, own: bool = True) -> Cors:
    """Ask as a page of `origin`: the preflight of a question, and reading a stream without credentials."""
    asked = ASKED_HEADERS if own else ("content-type", "authorization")
    preflight: Head | None = None
    simple: Head | None = None
    try:
        if ask_url:
            preflight, _ = await exchange.ask(
                "OPTIONS",
                ask_url,
                headers={
                    "Origin": origin,
                    "Access-Control-Request-Method": "POST",
                    "Access-Control-Request-Headers": ",".join(asked),
                    "Accept": "*/*",
                },
                anonymous=True,
            )
        if read_url:
            async with exchange.opened("GET", read_url, headers={"Origin": origin}, anonymous=own) as answer:
                simple = answer.head
    except Failed as error:
        return Cors(origin, asked, preflight, simple, error.failure)
    return Cors(origin, asked, preflight, simple)


def _refusal(error: HTTPClientError, url: str) -> Head:
    """The head of an answer that is no 101."""
    response = error.response
    if response is None:
        return Head(url, error.code)
    return explained(Head(url, error.code, _lowered(response.headers)), response.body or b"")


def _lowered(headers: HTTPHeaders | None) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value) for name, value in (headers.get_all() if headers else ()))
