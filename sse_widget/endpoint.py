"""The requests of one stream: how it is started, and how it is resumed. Twin of js/transport/endpoint.js."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

import msgspec

from sse_widget.protocol.events import CONTENT_TYPE, event_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sse_widget.protocol.actions import Connect

STREAM_HEADERS = {"Accept": CONTENT_TYPE, "Cache-Control": "no-store"}
"""Exactly this Accept: some proxies stream for no other (jupyter-server-proxy)."""

_RUN_PATH = re.compile(r"/runs/[0-9a-f]{32}/?$")
# These ask a question, or say where to begin; a resume does neither.
_START_PARAMS = frozenset({"q", "question", "key", "after", "snapshot"})
_NOT_A_WORD = re.compile(r"[^\w.-]", re.ASCII)


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
