"""HTTP as a page in a browser sends it, over httpx; whose exceptions become a `Failure` here."""

from __future__ import annotations

import asyncio
import zlib
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
import msgspec

from sse_widget.diagnosis.observations import Failure, Head, Hop
from sse_widget.endpoint import is_loopback, origin_of, plain
from sse_widget.errors import LimitExceeded
from sse_widget.protocol.events import CONTENT_TYPE
from sse_widget.protocol.sse import Parser
from sse_widget.refusal import read_refusal

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping

    from sse_widget.protocol.sse import Event

BROWSER_ENCODINGS = "gzip, deflate, br, zstd"
PLAIN = "identity"
ANSWER_TIMEOUT_S = 15.0
"""For a response head that nothing delays on purpose."""

MOST_REDIRECTS = 10
_BODY_BYTES = 16 * 1024
_SAID_CHARS = 200
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Failed(Exception):
    """A request without an answer, or one that broke off."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


class Opened:
    """A response whose body is read as it arrives; `decoded` is False when its encoding is not one of ours."""

    def __init__(self, response: httpx.Response, head: Head, sent_s: float) -> None:
        self.head = head
        self.decoded = True
        self._response = response
        self._sent_s = sent_s
        self._parser = Parser()
        encoding = head.get("content-encoding").lower()
        self._inflate = zlib.decompressobj(47) if encoding in {"gzip", "x-gzip", "deflate"} else None
        if encoding and self._inflate is None and encoding != PLAIN:
            self.decoded = False

    async def reads(self, limit_s: float) -> AsyncIterator[tuple[float, list[Event]]]:
        """Yield (seconds since the request, events) for each read, until the body ends or `limit_s` is over.

        Raises Failed: `timeout` at the limit, `cut` when the connection breaks.
        """
        loop = asyncio.get_running_loop()
        chunks = self._response.aiter_raw()
        try:
            async with asyncio.timeout_at(self._sent_s + limit_s):
                async for chunk in chunks:
                    yield loop.time() - self._sent_s, self._events(chunk)
        except (httpx.HTTPError, TimeoutError) as error:
            raise Failed(failure_of(error, loop.time() - self._sent_s)) from error
        finally:
            await chunks.aclose()  # type: ignore[attr-defined]

    async def explained(self) -> tuple[Head, bytes]:
        """Return the head with what the body says of a refusal, and the first 16 KiB of the body."""
        body = b""
        with suppress(httpx.HTTPError, TimeoutError):
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                async for chunk in self._response.aiter_bytes():
                    body += chunk
                    if len(body) > _BODY_BYTES:
                        break
        return explained(self.head, body), body

    def _events(self, chunk: bytes) -> list[Event]:
        if not self.decoded:
            return []
        try:
            return self._parser.feed(chunk if self._inflate is None else self._inflate.decompress(chunk))
        except (zlib.error, LimitExceeded):
            self.decoded = False
            return []


class Exchange:
    """One client for an examination. The token goes to the origin of `url` only, and never into a report."""

    def __init__(self, url: str, token: str, tls: ssl.SSLContext) -> None:
        self._home = origin_of(url)
        self._token = token
        self._http = httpx.AsyncClient(
            verify=tls,
            timeout=httpx.Timeout(None, connect=ANSWER_TIMEOUT_S),
            # The probes run side by side; each stream holds a connection.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            headers={"User-Agent": "sse-widget-doctor"},
            trust_env=not is_loopback(urlsplit(url).hostname or ""),
        )

    async def aclose(self) -> None:
        """Drop every connection."""
        await self._http.aclose()

    def authorization(self, url: str) -> dict[str, str]:
        """Return the header with the token, for the origin that it is meant for."""
        return {"Authorization": f"Bearer {self._token}"} if self._token and origin_of(url) == self._home else {}

    @asynccontextmanager
    async def opened(  # noqa: PLR0913 - settings, each by its name
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        limit_s: float = ANSWER_TIMEOUT_S,
        anonymous: bool = False,
    ) -> AsyncIterator[Opened]:
        """Send a request and yield its response once the head is there. Raises Failed."""
        loop = asyncio.get_running_loop()
        sent_s = loop.time()
        wanted = {"Accept": CONTENT_TYPE, "Accept-Encoding": BROWSER_ENCODINGS, "Cache-Control": "no-store"}
        if body is not None:
            wanted["Content-Type"] = "application/json"
        own = {} if anonymous else self.authorization(url)
        content = None if body is None else msgspec.json.encode(body)
        try:
            request = self._http.build_request(
                method, url, headers={**wanted, **own, **(headers or {})}, content=content
            )
            async with asyncio.timeout(limit_s):
                response = await self._http.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, TimeoutError) as error:
            raise Failed(failure_of(error, loop.time() - sent_s)) from error
        try:
            yield Opened(response, _head(response, loop.time() - sent_s), sent_s)
        finally:
            with suppress(httpx.HTTPError):
                await response.aclose()

    async def ask(self, method: str, url: str, **options: Any) -> tuple[Head, bytes]:
        """Return head and body (at most 16 KiB) of a response, of a stream the head. Raises Failed."""
        async with self.opened(method, url, **options) as answer:
            if answer.head.status == 200 and answer.head.media_type == CONTENT_TYPE:
                return answer.head, b""
            return await answer.explained()

    async def follow(self, url: str) -> tuple[tuple[Hop, ...], bool, Head, bytes]:
        """GET through redirects: the hops, whether they go in circles, and the answer at their end. Raises Failed."""
        hops: list[Hop] = []
        visited = {url}
        while True:
            head, body = await self.ask("GET", url)
            if head.status not in _REDIRECTS:
                return tuple(hops), False, head, body
            location = _joined(url, head.get("location"))
            hops.append(Hop(plain(url), head.status, plain(location)))
            if not location:
                return tuple(hops), False, head, body
            if location in visited or len(hops) >= MOST_REDIRECTS:
                return tuple(hops), True, head, body
            visited.add(location)
            url = location


def trusted() -> ssl.SSLContext:
    """Return a context with the authorities that our clients trust (SSL_CERT_FILE names others); takes up to 0.3 s."""
    return httpx.create_ssl_context()


def explained(head: Head, body: bytes) -> Head:
    """Return the head of an answer with what its body says, if it refuses."""
    if head.status < 400:
        return head
    said = read_refusal(head.media_type, body)
    return msgspec.structs.replace(head, code=said.code, message=said.message[:_SAID_CHARS])


def failure_of(error: Exception, after_s: float) -> Failure:
    """Return what an exception of httpx, or a timeout, says about the connection."""
    detail = str(error) or type(error).__name__
    match error:
        case TimeoutError() | httpx.TimeoutException():
            return Failure("timeout", "", after_s)
        case httpx.ConnectError():
            return Failure("refused", detail, after_s)
        case httpx.RemoteProtocolError() if "disconnected" in detail or "peer closed" in detail:
            return Failure("cut", detail, after_s)
        case httpx.RemoteProtocolError():
            return Failure("protocol", detail, after_s)
        case httpx.ReadError() | httpx.WriteError() | httpx.CloseError():
            return Failure("cut", detail, after_s)
        case _:
            return Failure("other", detail, after_s)


def proxy_of(url: str) -> str:
    """Return the name of the environment's proxy that requests to `url` go through; empty without one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(host):
        return ""
    found = getproxies()
    return f"{parts.scheme.upper()}_PROXY" if parts.scheme in found else "ALL_PROXY" if "all" in found else ""


def _joined(url: str, location: str) -> str:
    try:
        target = urljoin(url, location) if location else ""
        return target if urlsplit(target).scheme in {"http", "https"} else ""
    except ValueError:
        return ""


def _head(response: httpx.Response, after_s: float) -> Head:
    headers = tuple((name.lower(), value) for name, value in response.headers.multi_items())
    url = plain(str(response.request.url))
    return Head(url, response.status_code, headers, response.request.method, after_s)
