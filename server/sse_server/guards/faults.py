"""Fault plans of requests: whether they are allowed here, what they refuse, and on which connection they act."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sse_server.errors import ServerError, Words
from sse_widget.errors import InvalidPlan
from sse_widget.protocol.disturbance import Disturbance
from sse_widget.protocol.fault_steps import KINDS
from sse_widget.protocol.faults import FaultPlan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sse_widget.protocol.faults import Refusal

OF_BYTES = frozenset({"truncate", "corrupt", "drip", "buffer"})
"""Kinds that act on the bytes of an event stream; a WebSocket, which carries whole messages, knows none of them."""
OF_MESSAGES = frozenset(KINDS) - OF_BYTES

_CONNECTION = re.compile(r"\bconnection=(\d{1,6})\b")
_SHOWN = 300
# As this server refuses; any other status comes without a code, as from a proxy.
_OWN_CODES = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    410: "expired",
    413: "question_too_long",
    429: "rate_limited",
    500: "internal",
    503: "overloaded",
}


class PlannedRefusalError(ServerError):
    """The plan refuses this connection, with its own status and Retry-After."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__("planned_refusal", retry_after_s=refusal.retry_after_s, status=refusal.status)
        self.status = refusal.status
        self.code = _OWN_CODES.get(refusal.status, "")


def read_fault(fields: Mapping[str, Any], *, allowed: bool) -> FaultPlan | None:
    """Return the plan in the parameter `fault`, JSON or (in a body) an object; None without one.

    Raises `faults_off` where faults are not allowed, and `bad_fault`, which names step and field.
    """
    given = fields.get("fault")
    if given is None or given == "":
        return None
    if not allowed:
        raise ServerError("faults_off")
    try:
        return FaultPlan.parse(given) if isinstance(given, str) else FaultPlan.of(given)
    except InvalidPlan as error:
        raise ServerError("bad_fault", detail=_detail(error)) from error


def read_connection_number(value: str) -> int:
    """Return the number that X-SSE-Reconnect gives a connection; a reader's first one says none, and is 1."""
    found = _CONNECTION.search(value)
    return max(1, int(found[1])) if found else 1


def check_planned_refusal(plan: FaultPlan | None, number: int) -> None:
    """Raise PlannedRefusalError when the plan refuses the connection of this number."""
    refusal = None if plan is None else plan.refusal(number)
    if refusal is not None:
        raise PlannedRefusalError(refusal)


def disturb_messages(plan: FaultPlan, number: int) -> Disturbance:
    """Return what happens to the messages of a WebSocket's stream: its steps without those that act on bytes."""
    steps = [(place, step) for place, step in enumerate(plan.steps) if step.attempt == number]
    return Disturbance(plan.seed, [(place, step) for place, step in steps if step.kind in OF_MESSAGES])


def _detail(error: InvalidPlan) -> Words:
    field = f"الحقل {error.field}" if error.field else ""
    step = f"الخطوة steps[{error.step}]" if error.step is not None else ""
    where = "، ".join(part for part in (step, field) if part)
    english = error.message.removeprefix("fault plan: ")
    arabic = f"{where}: {error.problem}" if where else error.problem
    return Words(english[:_SHOWN], arabic[:_SHOWN])
