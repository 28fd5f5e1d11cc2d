"""Verdicts on what pages need beside a stream: WebSocket, CORS, connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sse_widget.diagnosis import software
from sse_widget.diagnosis.judgement import Judgement, fault, ok, skipped, warning
from sse_widget.diagnosis.verdicts.network import unprobed
from sse_widget.endpoint import origin_of

if TYPE_CHECKING:
    from sse_widget.diagnosis.observations import Cors, Head, Observed

MOST_CONNECTIONS = 6
"""What browsers open to one origin over HTTP/1.1, across all tabs."""

_SWITCHING = 101


def websocket(seen: Observed) -> Judgement:
    """The handshake and one ping on `/api/v1/stream/ws`."""
    if seen.kind in {"openai", "foreign"}:
        return skipped("websocket", "foreign")
    socket = seen.socket
    if socket is None:
        return unprobed("websocket", seen)
    head = socket.head
    if head is None:
        detail = "" if socket.failure is None else socket.failure.detail
        return fault("websocket.cut", "websocket", detail=detail)
    if head.status == _SWITCHING:
        if socket.pong_s <= 0:
            return fault("websocket.mute", "websocket", opened_ms=socket.opened_s * 1000)
        return ok("websocket.good", opened_ms=socket.opened_s * 1000, pong_ms=socket.pong_s * 1000)
    return _not_switched(seen, head, socket.origin)


def _not_switched(seen: Observed, head: Head, origin: str) -> Judgement:
    if head.status == 404 and head.code == "not_found":
        return skipped("websocket", "absent")
    if head.status == 403 and head.code == "forbidden":
        if cors(seen).verdict == "fault":
            return skipped("websocket", "cors")
        return fault("websocket.refused", "cors", origin=origin, message=head.message)
    if head.code == "upgrade_required":
        return fault("websocket.stripped", "websocket", status=head.status, who=head.get("server"))
    return fault("websocket.blocked", "websocket", status=head.status, who=software.who(head))


def cors(seen: Observed) -> Judgement:
    """Whether a page of the given origin may ask and read."""
    if seen.cors is None:
        if seen.interrupted or not seen.drips:
            return unprobed("cors", seen)
        return skipped("cors", "no_origin")
    found = seen.cors
    if found.failure is not None:
        return fault("cors.failed", origin=found.origin, detail=found.failure.detail)
    if origin_of(seen.url) == found.origin:
        return ok("cors.same", origin=found.origin)
    for head in (found.preflight, found.simple):
        if head is not None and (problem := _refusal(head, found)) is not None:
            return problem
    if found.simple is not None and seen.kind == "own":
        exposed = {name.strip().lower() for name in found.simple.get("access-control-expose-headers").split(",")}
        if not exposed & {"x-stream-id", "*"}:
            return warning("cors.hidden", "cors", origin=found.origin, exposed=", ".join(sorted(exposed - {""})) or "-")
    return ok("cors.good", origin=found.origin)


def _refusal(head: Head, found: Cors) -> Judgement | None:
    """The rules of the CORS check and the preflight (Fetch standard, 4.9 and 4.8)."""
    preflight = head is found.preflight
    step = "OPTIONS" if preflight else head.method
    allowed = head.every("access-control-allow-origin")
    figures: dict[str, Any] = {"origin": found.origin, "step": step, "status": head.status, "who": software.who(head)}
    if len(allowed) > 1:
        return fault("cors.twice", "cors_twice", got=", ".join(allowed), **figures)
    if not allowed or allowed[0] not in {found.origin, "*"}:
        topic = "" if software.who(head) == software.OWN else "cors"
        return fault("cors.refused", topic, got=allowed[0] if allowed else "-", **figures)
    if not preflight:
        return None
    if not 200 <= head.status < 300:
        return fault("cors.preflight", "cors", **figures)
    names = {name.strip().lower() for name in head.get("access-control-allow-headers").split(",")}
    missing = [name for name in found.asked_headers if name.lower() not in names and "*" not in names]
    if missing:
        return fault("cors.headers", "cors", missing=", ".join(missing), **figures)
    return None


def connections(seen: Observed) -> Judgement:
    """Six connections an origin over HTTP/1.1; over HTTP/2 there is no such limit."""
    way = seen.network
    if way is None or not way.reached or seen.answer is None:
        return unprobed("connections", seen)
    shared = seen.socket is not None and seen.socket.pong_s > 0
    if way.certificate is not None and way.certificate.alpn == "h2":
        return ok("connections.many")
    if shared:
        return ok("connections.shared", most=MOST_CONNECTIONS)
    if way.secure and not way.through:
        return warning("connections.six", "http2", most=MOST_CONNECTIONS)
    return ok("connections.plain", most=MOST_CONNECTIONS)


def browser(seen: Observed) -> Judgement | None:
    """What only the page itself can find out."""
    return skipped("browser", "page") if seen.in_notebook else None
