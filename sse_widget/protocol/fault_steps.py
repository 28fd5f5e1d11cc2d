"""The steps of a fault plan: what can be done to a connection, and which values are allowed.

A *frame* is one encoded event, as the server writes it (of a foreign recording: one read). `event` counts the frames of
one connection from 0, which is `hello`; `ping` and `timing` have no number, because when they come depends on the
clock. Twin of js/protocol/fault_steps.js.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from sse_widget.errors import InvalidPlan

Kind = Literal[
    "cut",
    "stall",
    "delay",
    "jitter",
    "duplicate",
    "reorder",
    "truncate",
    "corrupt",
    "refuse",
    "drip",
    "buffer",
    "heartbeat_loss",
]
Where = Literal["before", "inside", "after", "character", "line_end"]

MAX_BYTES = 1 << 20
"""No step holds or drops more bytes than this: 1 MiB."""
MAX_FRAMES_LATE = 16


class Step(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One fault, on the connection with the number `attempt` (1 is a reader's first); `event` is where it begins.

    - `cut` ends the connection: `before`, `inside` (at the byte `offset`) or `after` the frame, inside a UTF-8
      `character` or between CR and LF (`line_end`) of the first frame from `event` on that has one. `clean` ends the
      body, else it breaks.
    - `stall` waits `ms` before the frame, and all that comes later waits with it.
    - `delay` holds each of `events` frames (0: all) `ms` longer; `jitter` from 0 to `ms` longer. The order is kept.
    - `duplicate` sends the frame `times` more; `reorder` sends it after the `by` frames that follow it.
    - `truncate` drops the last `bytes` of the frame, at least 1 of which stays; `corrupt` changes its byte at `offset`
      (modulo its length) by XOR with `mask`. The connection goes on.
    - `refuse` answers with `status` and Retry-After `retry_after_s` instead of a stream.
    - `drip` lets `bytes` through every `ms`, for `events` frames (0: all).
    - `buffer` holds everything back until `bytes` are there or the body ends, as a proxy does; a break loses them.
    - `heartbeat_loss` swallows `pings` pings (0: all).

    What is None is chosen by the plan's seed.
    """

    attempt: int
    kind: Kind
    event: int = 0
    events: int = 0
    where: Where = "inside"
    offset: int | None = None
    clean: bool = False
    ms: int = 0
    times: int = 1
    by: int = 1
    bytes: int | None = None
    mask: int | None = None
    status: int = 503
    retry_after_s: int | None = None
    pings: int = 0


class Whole(msgspec.Struct, frozen=True):
    """A whole number from `least` to `most`; `default` is None when the seed chooses."""

    least: int
    most: int
    default: int | None = None
    required: bool = False


class Choice(msgspec.Struct, frozen=True):
    """One of some words; the first is the default."""

    words: tuple[str, ...]


class Flag(msgspec.Struct, frozen=True):
    """True or false; false unless said."""


Rule = Whole | Choice | Flag

ATTEMPT = Whole(1, 1000, required=True)
WHERE = ("inside", "before", "after", "character", "line_end")
_EVENT = {"event": Whole(0, 1_000_000, 0)}
_EVENTS = {**_EVENT, "events": Whole(0, 1_000_000, 0)}
_MS = {"ms": Whole(1, 600_000, required=True)}

RULES: dict[str, dict[str, Rule]] = {
    "cut": {**_EVENT, "where": Choice(WHERE), "offset": Whole(1, MAX_BYTES), "clean": Flag()},
    "stall": {**_EVENT, **_MS},
    "delay": {**_EVENTS, **_MS},
    "jitter": {**_EVENTS, **_MS},
    "duplicate": {**_EVENT, "times": Whole(1, 8, 1)},
    "reorder": {**_EVENT, "by": Whole(1, MAX_FRAMES_LATE, 1)},
    "truncate": {**_EVENT, "bytes": Whole(1, MAX_BYTES)},
    "corrupt": {**_EVENT, "offset": Whole(0, MAX_BYTES), "mask": Whole(1, 255)},
    "refuse": {"status": Whole(400, 599, 503), "retry_after_s": Whole(0, 3600)},
    "drip": {**_EVENTS, "bytes": Whole(1, MAX_BYTES, 1), "ms": Whole(1, 60_000, 1)},
    "buffer": {**_EVENT, "bytes": Whole(1, MAX_BYTES, 4096)},
    "heartbeat_loss": {**_EVENT, "pings": Whole(0, 1_000_000, 0)},
}
KINDS = tuple(RULES)


def step_of(value: object, number: int) -> Step:
    """Return the step that decoded JSON describes; raises InvalidPlan with its `number` and the field."""
    if not isinstance(value, dict):
        raise InvalidPlan("must be an object", step=number)
    rules = RULES.get(kind) if isinstance(kind := value.get("kind"), str) else None
    if rules is None:
        raise InvalidPlan(f"must be one of {', '.join(KINDS)}", field="kind", step=number)
    for name in value:
        if name not in rules and name not in {"attempt", "kind"}:
            raise InvalidPlan(f"is no field of {kind}, which has {', '.join(rules)}", field=name, step=number)
    fields: dict[str, Any] = {"attempt": _checked(value, "attempt", ATTEMPT, number), "kind": kind}
    fields |= {name: _checked(value, name, rule, number) for name, rule in rules.items()}
    if kind == "cut" and fields["offset"] is not None and fields["where"] != "inside":
        raise InvalidPlan("belongs to a cut inside a frame", field="offset", step=number)
    return Step(**fields)


def fields_of(step: Step) -> dict[str, Any]:
    """Return a step as JSON has it: every field of its kind but those that the seed chooses."""
    fields = {name: getattr(step, name) for name in ("attempt", "kind", *RULES[step.kind])}
    return {name: value for name, value in fields.items() if value is not None}


def whole(given: object, rule: Whole, field: str, step: int | None = None) -> int:
    """Return a whole number within its bounds, 3.0 being one; raises InvalidPlan."""
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int) or not rule.least <= given <= rule.most:
        raise InvalidPlan(f"must be a whole number from {rule.least} to {rule.most}", field=field, step=step)
    return given


def _checked(value: dict[str, Any], name: str, rule: Rule, number: int) -> int | str | bool | None:
    match rule:
        case Whole():
            if name not in value and not rule.required:
                return rule.default
            return whole(value.get(name), rule, name, number)
        case Choice(words):
            given = value.get(name, words[0])
            if given not in words:
                raise InvalidPlan(f"must be one of {', '.join(words)}", field=name, step=number)
            return str(given)
        case Flag():
            given = value.get(name, False)
            if not isinstance(given, bool):
                raise InvalidPlan("must be true or false", field=name, step=number)
            return given
