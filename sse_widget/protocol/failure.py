"""Why an attempt, or a stream, failed: as a status says it, or an `error` event. Twin of js/protocol/failure.js."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from sse_widget.protocol.actions import Head
    from sse_widget.protocol.sse import Event

_TRANSIENT = frozenset({408, 425, 500, 502, 504})
_BUSY = {429: "rate_limited", 503: "overloaded"}
_REFUSED = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    410: "expired",
    413: "invalid_request",
}


class Failure(msgspec.Struct, frozen=True):
    """A message for people, and a code of the error tree."""

    message: str = ""
    code: str = "internal"


LOST = Failure("the connection was lost and could not be resumed", "connect_failed")


def wait_of(head: Head) -> float | None:
    """Return how many ms the next attempt has to wait at least; None when none can have better luck.

    A server that has too much to do is believed when it says how long.
    """
    if head.status in _BUSY:
        return head.retry_after_ms or 0.0
    return 0.0 if head.status in _TRANSIENT else None


def failure_of_head(head: Head) -> Failure:
    """Return what a refusal says, or else its status."""
    code = head.code or _BUSY.get(head.status) or _REFUSED.get(head.status, "connect_failed")
    return Failure(head.message or f"the server answered {head.status}", code)


def failure_of_event(event: Event) -> Failure:
    """Return what an `error` event says."""
    try:
        return msgspec.json.decode(event.data, type=Failure)
    except msgspec.DecodeError:
        return Failure(event.data)
