"""One HTTP exchange at a time over httpx, the only module of the client that knows it.

httpx's exceptions are translated here, once: `Broken` where another attempt may help, ConnectError where none will.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from sse_widget.endpoint import plain
from sse_widget.errors import ConnectError, RemoteError, SSEWidgetError
from sse_widget.pool import Pool
from sse_widget.protocol.actions import Head
from sse_widget.refusal import media_type, read_refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sse_widget.endpoint import Request

EXCHANGE_TIMEOUT_S = 30.0
"""For a whole request that answers with JSON, or with nothing: create, stop, tune, push."""

MAX_REFUSAL_BYTES = 64 * 1024
"""How much of the body of a refusal is read for its message."""

# UnicodeError: a header that is not ASCII, a host that is no name.
_FINAL = (httpx.InvalidURL, httpx.LocalProtocolError, httpx.TooManyRedirects, httpx.UnsupportedProtocol, UnicodeError)


class Broken(ConnectError):
    """A connection that could not be made, or broke; `reason` is one short word."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class Connection:
    """Opens one response after the other: `open`, then `read` until it returns no bytes, or `close` at any time.

    `close` ends the response; `aclose` also leaves the pool below it, which others may share. Until then, a connection
    whose response was read to its end serves the next request.
    """

    def __init__(self, pool: Pool | None = None) -> None:
        self._pool = pool or Pool()
        self._entered = False
        self._response: httpx.Response | None = None

    def prepare(self, url: str) -> None:
        """Make ready to send, so that the next request spends no time on it: certificates can take 0.3 s to load."""
        with _translated(url, "network"):
            self._client_for(url)

    async def open(self, request: Request, sending: Callable[[], None] | None = None) -> Head:
        """Send the request and return the response head, for a refusal with what its body says.

        Redirects are followed. `sending` is called when the first byte is about to be sent, the connection made; of
        several requests, to a proxy or to where a redirect leads, the last call counts.
        Raises Broken, or ConnectError when the request can never succeed.
        """
        head = await self._send(request, sending)
        if head.status in {200, 204}:
            return head
        return await self._explained(head)

    async def exchange(self, request: Request, max_bytes: int = MAX_REFUSAL_BYTES) -> tuple[str, bytes]:
        """Send the request and return media type and body of its 2xx response, up to `max_bytes` of it.

        Raises RemoteError or ConnectError for any other status.
        """
        body = bytearray()
        try:
            head = await self._send(request)
            if not 200 <= head.status < 300:
                raise refusal(await self._explained(head))
            await self._read_into(body, max_bytes)
        finally:
            await self.close()
        return media_type(head.content_type), bytes(body)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers of the response that is open, as (lower-case name, value); empty without one."""
        return [] if self._response is None else self._response.headers.multi_items()

    async def read(self) -> bytes:
        """Return the next bytes as they arrived; empty at the end of the body."""
        if self._response is None:
            return b""
        with _translated(str(self._response.url), "cut"):
            return await anext(self._chunks, b"")

    async def close(self) -> None:
        """Drop the response that is open, if any."""
        response, self._response = self._response, None
        if response is not None:
            await response.aclose()

    async def aclose(self) -> None:
        """Drop everything."""
        await self.close()
        if self._entered:
            self._entered = False
            await self._pool.leave()

    def _client_for(self, url: str) -> httpx.AsyncClient:
        if not self._entered:
            self._entered = True
            self._pool.enter()
        return self._pool.client_for(url)

    async def _send(self, request: Request, sending: Callable[[], None] | None = None) -> Head:
        async def trace(name: str, _: dict[str, Any]) -> None:
            if sending is not None and name.endswith("send_request_headers.started"):
                sending()

        with _translated(request.url, "network"):
            http = self._client_for(request.url)
            outgoing = http.build_request(
                request.method,
                request.url,
                headers=request.headers,
                content=request.content,
                extensions=None if sending is None else {"trace": trace},  # httpcore's, of docs/extensions.md
            )
            self._response = await http.send(outgoing, stream=True)
            self._chunks = self._response.aiter_bytes()
            return _head(self._response)

    async def _explained(self, head: Head) -> Head:
        body = bytearray()
        with suppress(Broken):  # what has arrived is read, and the status stands anyway
            await self._read_into(body)
        said = read_refusal(head.content_type, bytes(body))
        return msgspec.structs.replace(head, code=said.code, message=said.message)

    async def _read_into(self, body: bytearray, max_bytes: int = MAX_REFUSAL_BYTES) -> None:
        while len(body) < max_bytes and (chunk := await self.read()):
            body += chunk[: max_bytes - len(body)]


def refusal(head: Head) -> SSEWidgetError:
    """Return the error for a response that is neither 200 nor 204."""
    message = head.message or f"the server answered {head.status}"
    if head.code:
        return RemoteError(message, code=head.code)
    return ConnectError(message, status=head.status)


def retry_after_ms(value: str, unix_s: float) -> float | None:
    """Return the delay that a Retry-After header asks for: seconds, or an HTTP date (RFC 9110, 10.2.3)."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:15]) * 1000.0
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - unix_s) * 1000.0
    except ValueError:
        return None


def _head(response: httpx.Response) -> Head:
    headers = response.headers
    return Head(
        status=response.status_code,
        content_type=headers.get("content-type", ""),
        # Where our server speaks as another does, its events have neither our ids nor our end.
        stream_id="" if "x-stream-format" in headers else headers.get("x-stream-id", ""),
        retry_after_ms=retry_after_ms(headers.get("retry-after", ""), time.time()),
    )


@contextmanager
def _translated(url: str, reason: str) -> Iterator[None]:
    try:
        yield
    except _FINAL as error:
        raise ConnectError(f"cannot use {plain(url)}: {error}") from error
    except httpx.HTTPError as error:
        raise Broken(f"{plain(url)}: {str(error) or type(error).__name__}", reason) from error
