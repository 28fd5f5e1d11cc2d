"""A seeded plan of faults, the same in both languages: JSON in, one disturbance a connection out.

    {"seed": 7, "steps": [{"attempt": 1, "kind": "cut", "event": 3, "where": "character"}]}

A step names the connection that it acts on (what `X-SSE-Reconnect` calls `connection`), so that no cut repeats for
ever. The same plan does the same to the same frames, byte by byte. `fault_steps` says what a step can be,
`disturbance` what it does. Twin of js/protocol/faults.js.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sse_widget.errors import InvalidPlan
from sse_widget.protocol.chance import SEEDS, Chance
from sse_widget.protocol.disturbance import Disturbance
from sse_widget.protocol.fault_steps import KINDS, WHERE, Step, Whole, fields_of, step_of, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_STEPS = 64
MAX_TEXT_CHARS = 16_384
"""Of a plan as JSON: more than MAX_STEPS steps need."""
DRAWN_ATTEMPTS = 8
"""A drawn plan leaves the connections after this one alone, so that a reader with ten attempts gets through."""
DRAWN_STEPS = 16
DRAWN_EVENTS = 1000

_SEED = Whole(0, SEEDS - 1, required=True)
_DRAWING = SEEDS - 1  # a stream of randomness that no step has

# What a drawn step may have, in the order in which it is drawn. Of the refusals, the last two are for good.
_DRAWN: dict[str, dict[str, Sequence[Any]]] = {
    "cut": {"where": WHERE, "clean": (False, True)},
    "stall": {"ms": range(1, 60_001)},
    "delay": {"events": range(10), "ms": range(1, 2001)},
    "jitter": {"events": range(10), "ms": range(1, 2001)},
    "duplicate": {"times": range(1, 4)},
    "reorder": {"by": range(1, 5)},
    "truncate": {},
    "corrupt": {},
    "refuse": {"status": (429, 500, 502, 503, 504, 408, 429, 503, 404, 410), "retry_after_s": range(10)},
    "drip": {"events": range(10), "bytes": range(1, 65), "ms": range(1, 51)},
    "buffer": {"bytes": range(64, 8193)},
    "heartbeat_loss": {"pings": range(4)},
}


class Refusal(msgspec.Struct, frozen=True):
    """An HTTP answer instead of a stream; `retry_after_s` is the header's, None without one."""

    status: int
    retry_after_s: int | None = None


class FaultPlan(msgspec.Struct, frozen=True):
    """What is to go wrong; `seed` chooses what the steps leave open."""

    seed: int
    steps: tuple[Step, ...] = ()

    @classmethod
    def of(cls, value: object) -> FaultPlan:
        """Return the plan of decoded JSON; raises InvalidPlan, which names the step and the field."""
        if not isinstance(value, dict):
            raise InvalidPlan("it must be an object")
        for name in value:
            if name not in {"seed", "steps"}:
                raise InvalidPlan("is no field of a plan, which has seed, steps", field=name)
        seed = whole(value.get("seed"), _SEED, "seed")
        steps = value.get("steps", [])
        if not isinstance(steps, list) or len(steps) > MAX_STEPS:
            raise InvalidPlan(f"must be a list of at most {MAX_STEPS} steps", field="steps")
        return cls(seed, tuple(step_of(step, number) for number, step in enumerate(steps)))

    @classmethod
    def parse(cls, text: str | bytes) -> FaultPlan:
        """Return the plan of a JSON text; raises InvalidPlan."""
        if len(text) > MAX_TEXT_CHARS:
            raise InvalidPlan(f"it is longer than {MAX_TEXT_CHARS} characters")
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InvalidPlan("it is no JSON") from None
        return cls.of(value)

    @classmethod
    def read(cls, value: object) -> FaultPlan:
        """Return the plan that is given as one, as decoded JSON or as a JSON text; raises InvalidPlan."""
        if isinstance(value, FaultPlan):
            return cls.of(msgspec.json.decode(value.dump()))
        return cls.parse(value) if isinstance(value, str | bytes) else cls.of(value)

    @classmethod
    def random(cls, seed: int, *, attempts: int = 4, steps: int = 6, events: int = 32) -> FaultPlan:
        """Draw a plan of 1 to `steps` steps on the first `attempts` connections, within their first `events` frames.

        Every kind is as likely. Raises InvalidPlan when a bound is out of its own: 8, 16 and 1000.
        """
        chance = Chance(whole(seed, _SEED, "seed"), _DRAWING)
        attempts = whole(attempts, Whole(1, DRAWN_ATTEMPTS), "attempts")
        events = whole(events, Whole(1, DRAWN_EVENTS), "events")
        count = 1 + chance.below(whole(steps, Whole(1, DRAWN_STEPS), "steps"))
        return cls.of({"seed": seed, "steps": [_drawn(chance, attempts, events) for _ in range(count)]})

    def dump(self) -> str:
        """Return the plan as JSON on one line, the same in both languages, with every field of its steps."""
        fields = {"seed": self.seed, "steps": [fields_of(step) for step in self.steps]}
        return msgspec.json.encode(fields).decode()

    def refusal(self, attempt: int) -> Refusal | None:
        """Return what a connection is refused with, None when it is let in; `attempt` counts from 1."""
        for step in self.steps:
            if step.kind == "refuse" and step.attempt == attempt:
                return Refusal(step.status, step.retry_after_s)
        return None

    def disturb(self, attempt: int) -> Disturbance:
        """Return what happens to the frames of a connection."""
        return Disturbance(self.seed, [(n, step) for n, step in enumerate(self.steps) if step.attempt == attempt])


def _drawn(chance: Chance, attempts: int, events: int) -> dict[str, Any]:
    fields: dict[str, Any] = {"attempt": 1 + chance.below(attempts), "kind": KINDS[chance.below(len(KINDS))]}
    if fields["kind"] != "refuse":
        fields["event"] = chance.below(events)
    for name, options in _DRAWN[fields["kind"]].items():
        fields[name] = options[chance.below(len(options))]
    return fields
