"""The requests of one stream: how it is started, and how it is resumed. Twin of js/transport/endpoint.js."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

import msgspec

from sse_widget.errors import ConnectError
from sse_widget.protocol.events import CONTENT_TYPE, event_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sse_widget.protocol.actions import Connect

STREAM_HEADERS = {"Accept": CONTENT_TYPE, "Cache-Control": "no-store"}
"""Exactly this Accept: some proxies stream for no other (jupyter-server-proxy)."""

_OWN_CHAT = re.compile(r"/api/v1/stream/chat/?$")
_RUN_PATH = re.compile(r"/runs/[0-9a-f]{32}/?$")
# These ask a question, or say where to begin; a resume does neither.
_START_PARAMS = frozenset({"q", "question", "key", "after", "snapshot"})
_NOT_A_WORD = re.compile(r"[^\w.-]", re.ASCII)
_TOKEN = re.compile(r"[!-~]+")
_PORTS = {"http": 80, "https": 443}


class Request(msgspec.Struct, frozen=True):
    """One request; `content` None sends no body."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes | None = None


class Endpoint:
    """Where one stream is started and read. Its runs lie in `runs/` beside the URL, or where the URL of a run does.

    `own_headers` go with every request, the headers of `start` with the first one only.
    """

    def __init__(self, start: Request, own_headers: Mapping[str, str]) -> None:
        self._start = start
        self._own = {**STREAM_HEADERS, **own_headers}

    def request(self, connect: Connect) -> Request:
        """Return the request that the session asks for."""
        headers = dict(self._own)
        if connect.connection > 1:
            reason = _NOT_A_WORD.sub("_", connect.reason)[:64]
            headers["X-SSE-Reconnect"] = f"connection={connect.connection}; reason={reason}"
        if connect.target == "resume":
            return self._resume(connect, headers)
        if connect.last_event_id:
            headers["Last-Event-ID"] = connect.last_event_id
        return msgspec.structs.replace(self._start, headers={**headers, **self._start.headers})

    def _resume(self, connect: Connect, headers: dict[str, str]) -> Request:
        parts = urlsplit(self._start.url)
        query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True)
                 if name not in _START_PARAMS]  # fmt: skip
        if connect.snapshot:
            query.append(("snapshot", "1"))
        elif connect.after > 0:
            headers["Last-Event-ID"] = event_id(connect.stream_id, connect.after)
        runs = _RUN_PATH.sub("/runs/", parts.path) if _RUN_PATH.search(parts.path) else urljoin(parts.path, "runs/")
        path = runs + quote(connect.stream_id, safe="")
        return Request("GET", urlunsplit((parts.scheme, parts.netloc, path, urlencode(query), "")), headers)


def checked_base(url: str) -> str:
    """Return a server's base URL without the slash at its end. Raises ConnectError when it cannot be one."""
    checked_origin(url)
    if {"?", "#"} & set(url):
        raise ConnectError(f"the server's URL {_shown(url)} must end with its path; a token goes into token=")
    return url.rstrip("/")


def checked_token(token: str) -> str:
    """Return a bearer token. Raises ConnectError, without showing it, when no header can carry it."""
    if not _TOKEN.fullmatch(token):
        raise ConnectError(
            "the token holds a space, a line break or a letter that is not ASCII, which no HTTP header can carry; "
            "copy it again, without anything around it"
        )
    return token


def joined(base: str, url: str) -> str:
    """Return the URL as seen from the base. Raises ConnectError when it can be none."""
    try:
        return urljoin(base, url)
    except ValueError as error:
        raise ConnectError(f"the URL {_shown(url)} cannot be used: {error}") from error


def with_parameter(url: str, name: str, value: str) -> str:
    """Return a URL with one more parameter in its query."""
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode({name: value})) if part)
    return urlunsplit(parts._replace(query=query))


def checked_origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port (RFC 6454, 4). Raises ConnectError when the URL is not of http or https."""
    mend = "write it like http://127.0.0.1:8765"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConnectError(f"the URL {_shown(url)} cannot be used: {error}; {mend}") from error
    if parts.scheme not in _PORTS:
        raise ConnectError(f"the URL {_shown(url)} must begin with http:// or https://; {mend}")
    if not host or port == 0:
        raise ConnectError(f"the URL {_shown(url)} has no {'port to connect to' if host else 'host'}; {mend}")
    return parts.scheme, host, port or _PORTS[parts.scheme]


def origin_of(url: str) -> str:
    """Return scheme and authority of a URL that was checked, as they are written there, without a user."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def plain(url: str) -> str:
    """Return a URL that was checked without user and query, which may hold secrets; empty stays empty."""
    return origin_of(url) + urlsplit(url).path if url else ""


def is_own_chat(url: str) -> bool:
    """Whether the path is the one of sse-widget's server, where the same key is the same run."""
    return _OWN_CHAT.search(urlsplit(url).path) is not None


def is_run(url: str) -> bool:
    """Whether the path is that of a run of sse-widget's server, which is read from its log."""
    return _RUN_PATH.search(urlsplit(url).path) is not None


def has_key(request: Request) -> bool:
    """Whether the request names its run by a key already."""
    return "idempotency-key" in {name.lower() for name in request.headers} or "key" in dict(
        parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
    )


def _shown(url: str) -> str:
    """The same of what may be no URL at all."""
    before, _, after = url.partition("?")[0].rpartition("@")
    scheme = before.partition("://")[0] + "://" if "://" in before else ""
    return repr(scheme + after)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
