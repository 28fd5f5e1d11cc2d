"""The widget's knobs as traits: bounds and units, presets, and whose change it is that the run has to hear of.

The twin of js/knobs/specs.js; tests/vectors/knobs.json holds both to the same table.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Real
from typing import TYPE_CHECKING, Any

import traitlets as t
from ipywidgets import Widget

from sse_widget.errors import InvalidPlan
from sse_widget.pacing.chunker import Knobs
from sse_widget.pacing.pace import PacerOptions
from sse_widget.protocol.faults import FaultPlan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

OF_RUN = ("chunk_tokens", "chunk_ms", "delay_ms", "flush_on_punctuation")
"""The knobs of the producer: they go to the server, those of the typewriter and the connection stay in the page."""

_CHUNKS = Knobs()
_PACE = PacerOptions()
_FROM_PAGE: ContextVar[frozenset[str]] = ContextVar("from_page", default=frozenset())

DEFAULTS: Mapping[str, float | bool] = {
    "chunk_tokens": _CHUNKS.chunk_tokens,
    "chunk_ms": _CHUNKS.chunk_ms,
    "delay_ms": _CHUNKS.delay_ms,
    "flush_on_punctuation": _CHUNKS.flush_on_punctuation,
    "base_delay_ms": _PACE.base_delay_ms,
    "punctuation_delay_multiplier": _PACE.punctuation_delay_multiplier,
    "comma_delay_multiplier": _PACE.comma_delay_multiplier,
    "chars_per_step": _PACE.chars_per_step,
    "max_lag_ms": _PACE.max_lag_ms,
}
PRESETS: Mapping[str, Mapping[str, float | bool]] = {
    "defaults": DEFAULTS,
    "raw": {
        **DEFAULTS,
        "chunk_tokens": 1,
        "chunk_ms": 0.0,
        "base_delay_ms": 0.0,
        "punctuation_delay_multiplier": 0.0,
        "comma_delay_multiplier": 0.0,
        "max_lag_ms": 0.0,
    },
    "reading": {
        **DEFAULTS,
        "base_delay_ms": 24.0,
        "chars_per_step": 1,
        "punctuation_delay_multiplier": 12.0,
        "comma_delay_multiplier": 5.0,
        "max_lag_ms": 2000.0,
    },
    "slow_network": {
        **DEFAULTS,
        "chunk_tokens": 20,
        "chunk_ms": 1500.0,
        "delay_ms": 900.0,
        "flush_on_punctuation": False,
        "max_lag_ms": 1200.0,
    },
}
"""What each preset sets: `raw` shows every token as it comes, `reading` types at a comfortable pace, `slow_network`
sends little and seldom."""

CUSTOM = "custom"


def preset_of(values: Mapping[str, Any]) -> str:
    """Return the name of the preset that these values are, to the last knob, else "custom"."""
    return next(
        (name for name, preset in PRESETS.items() if all(values[knob] == preset[knob] for knob in preset)), CUSTOM
    )


class Knob(t.TraitType[Any, Any]):
    """A number between bounds, in a unit. With `optional`, None leaves it to the server."""

    def __init__(  # noqa: PLR0913 - what a knob is, each by its name
        self,
        initial: float | None,
        low: float,
        high: float,
        unit: str,
        says: str,
        *,
        optional: bool = False,
    ) -> None:
        self._low, self._high, self._unit = low, high, unit
        self._whole = isinstance(initial, int)
        span = f"{low:g} to {high:g} {unit}"
        super().__init__(initial, allow_none=optional, help=f"{says} ({span})")
        self.tag(sync=True)

    def validate(self, obj: Any, value: Any) -> Any:  # noqa: ARG002 - traitlets' signature
        """Return the number; raises TraitError that says the bounds and the unit."""
        fits = not isinstance(value, bool) and isinstance(value, Real) and self._low <= float(value) <= self._high
        if not fits or (self._whole and float(value) % 1):
            kind = "a whole number" if self._whole else "a number"
            or_none = ", or None" if self.allow_none else ""
            raise t.TraitError(
                f"{self.name} must be {kind} from {self._low:g} to {self._high:g} {self._unit}{or_none}; got {value!r}"
            )
        return int(value) if self._whole else float(value)


class PlanTrait(t.TraitType[Any, Any]):
    """A fault plan, kept as its JSON; empty for none. It takes whatever `FaultPlan.read` takes."""

    def validate(self, obj: Any, value: Any) -> Any:  # noqa: ARG002 - traitlets' signature
        """Return the JSON; raises TraitError that names the step and the field."""
        try:
            return FaultPlan.read(value).dump() if value else ""
        except InvalidPlan as error:
            raise t.TraitError(error.message) from error


class KnobTraits(Widget):  # type: ignore[misc]
    """The knobs; setting one acts on the running answer, and on every question from then on.

    A change has one owner, who alone sends it to the run: the page those that its reader makes, the kernel those that
    Python makes. The traits then tell each other's side, where they change nothing more. A page's message may come
    late, when the kernel was busy: a knob that Python has set after the page had seen the last revision keeps the
    value that Python gave it.
    """

    chunk_tokens = Knob(_CHUNKS.chunk_tokens, 1, 1000, "tokens", "A delta is sent when it has so many tokens.")
    chunk_ms = Knob(_CHUNKS.chunk_ms, 0, 60_000, "ms", "No token waits longer for its delta.")
    delay_ms = Knob(_CHUNKS.delay_ms, 0, 60_000, "ms", "The least gap between two deltas.")
    flush_on_punctuation = t.Bool(
        _CHUNKS.flush_on_punctuation, help="Whether a delta is sent at the end of a sentence or clause."
    ).tag(sync=True)
    base_delay_ms = Knob(_PACE.base_delay_ms, 0, 60_000, "ms", "The typewriter's pause after each step.")
    chars_per_step = Knob(_PACE.chars_per_step, 1, 1000, "characters", "What the typewriter shows in a step.")
    punctuation_delay_multiplier = Knob(
        _PACE.punctuation_delay_multiplier,
        0,
        1000,
        "times",
        "The pause after a sentence, as a multiple of base_delay_ms.",
    )
    comma_delay_multiplier = Knob(
        _PACE.comma_delay_multiplier, 0, 1000, "times", "The pause after a clause, as a multiple of base_delay_ms."
    )
    max_lag_ms = Knob(_PACE.max_lag_ms, 0, 60_000, "ms", "The typewriter never trails what arrived by more.")
    heartbeat_s = Knob(
        None, 0.05, 300, "s", "Silence after which the server pings this page; None: the server's own.", optional=True
    )
    reconnect = t.Bool(default_value=True, help="Whether the page mends a connection that was lost.").tag(sync=True)
    preset = t.Enum([*PRESETS, CUSTOM], "defaults", help="Sets several knobs; custom when they are no preset.").tag(
        sync=True
    )
    timeline = t.Bool(default_value=False, help="Whether the timeline is unfolded.").tag(sync=True)
    ask_box = t.Bool(default_value=True, help="Whether there is a box to ask in.").tag(sync=True)
    knobs_revision = t.Int(0, help="How often Python has set a knob.").tag(sync=True)
    knobs_seen = t.Int(0, help="The revision that the page had seen when it set a knob.").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self._set_at: dict[str, int] = {}
        self._applying = False
        preset = PRESETS.get(traits.get("preset", ""))
        if preset is not None:
            traits = {**preset, **traits}
            traits["preset"] = preset_of({**DEFAULTS, **traits})
        super().__init__(**traits)

    @property
    def params(self) -> dict[str, Any]:
        """What a question is sent with."""
        return {name: getattr(self, name) for name in OF_RUN}

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what a page has set; see ipywidgets.Widget."""
        seen = sync_data.get("knobs_seen", self.knobs_seen)
        late = {name: getattr(self, name) for name in sync_data if self._set_at.get(name, 0) > seen}
        state = {**sync_data, **late}
        if "preset" in state or not DEFAULTS.keys().isdisjoint(state):
            state["preset"] = preset_of({**self._knobs, **state})
        with _set_by_page(state):
            super().set_state(state)

    def notify_change(self, change: Any) -> None:
        """Tell page and observers, several knobs in one message; see ipywidgets.Widget."""
        name = change["name"]
        if name not in DEFAULTS and name != "preset":
            super().notify_change(change)
            return
        with self.hold_sync():
            if name not in _FROM_PAGE.get() and not self._applying:
                self._applying = True
                try:
                    self._turned(name)
                finally:
                    self._applying = False
            super().notify_change(change)

    @property
    def _knobs(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in DEFAULTS}

    def _turned(self, name: str) -> None:
        """Python has set a knob, or a preset: that is one change, which the run is told once."""
        preset = PRESETS.get(self.preset, {}) if name == "preset" else {}
        changes = {knob: value for knob, value in preset.items() if getattr(self, knob) != value}
        for knob, value in changes.items():
            setattr(self, knob, value)
        names = list(changes) if name == "preset" else [name]
        self.knobs_revision += 1
        self._set_at.update(dict.fromkeys(names, self.knobs_revision))
        self.preset = preset_of(self._knobs)
        of_run = {knob: getattr(self, knob) for knob in names if knob in OF_RUN}
        if of_run:
            self._tune(of_run)

    def _tune(self, changes: dict[str, Any]) -> None:
        """Send what Python has turned to the run; the widget does."""


@contextmanager
def _set_by_page(names: Iterable[str]) -> Iterator[None]:
    token = _FROM_PAGE.set(frozenset(names))
    try:
        yield
    finally:
        _FROM_PAGE.reset(token)
