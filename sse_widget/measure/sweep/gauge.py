"""What is measured of virtual runs: the figures of `Metrics`, and those that only a virtual run knows."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sse_widget.measure.gaps import percentiles
from sse_widget.measure.graphemes import segment
from sse_widget.measure.metrics import Metrics, delivered_of, displayed_of
from sse_widget.measure.qoe import Reader
from sse_widget.measure.spans import Received, added_chars

if TYPE_CHECKING:
    from collections.abc import Collection

    from sse_widget.measure.virtual.run import VirtualRun

TEXT_LAG: Final = "text_lag_p95_ms"
PAUSE: Final = "pause_ms"

OWN: Final = {
    "state": "str",
    "connections": "int64",
    "text_lag_p50_ms": "float64",
    TEXT_LAG: "float64",
    PAUSE: "float64",
}
"""The figures of a virtual run beside those of `Metrics`, and their types in a table."""

_DISPLAYED: Final = frozenset(displayed_of(Received(0.0), ()))
_METRICS: Final = Metrics.__struct_fields__
FIGURES: Final = (*OWN, *_METRICS)
"""All that can be asked for, in the order of the columns."""


class Gauge(msgspec.Struct, frozen=True):
    """Measures virtual runs: which figures (all when None), for a reader of which speed, from where on a pause stalls.

    | figure | is |
    |---|---|
    | `state`, `connections` | how the stream ended for the reader; how many connections it took |
    | `text_lag_p50_ms`, `text_lag_p95_ms` | from the model to the eye: paint - model_first of each delta |
    | `pause_ms` | how long the text stands still, as a reader finds it who looks at any moment while it is typed: \
sum of the squares of the times between frames that add text, over their sum. 16.7 ms is a text that grows with every \
frame of 60 Hz |
    | others | as `Metrics` says |

    Raises ValueError for a name that is no figure.
    """

    names: tuple[str, ...] = FIGURES
    reader: Reader = Reader()
    stall_threshold_ms: float = 1000.0

    def __post_init__(self) -> None:
        """Check the names."""
        unknown = [name for name in self.names if name not in FIGURES]
        if unknown:
            raise ValueError(f"there is no figure {unknown[0]!r}; there are {', '.join(FIGURES)}")

    @property
    def identity(self) -> dict[str, Any]:
        """What two gauges share that measure the same."""
        return {
            "figures": list(self.names),
            "reader": msgspec.to_builtins(self.reader),
            "stall": self.stall_threshold_ms,
        }


def gauge_of(figures: Collection[str] | None, reader: Reader, stall_threshold_ms: float) -> Gauge:
    """Return the gauge of these figures, in the order of `FIGURES`."""
    asked = FIGURES if figures is None else tuple(figures)
    ordered = [name for name in FIGURES if name in asked] + [name for name in asked if name not in FIGURES]
    return Gauge(tuple(ordered), reader, stall_threshold_ms)


class Measuring:
    """A gauge at work on runs that share stages: what no stage changed is measured once."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._names = frozenset(gauge.names)
        self._chars = lru_cache(64)(_chars_of)
        self._last: VirtualRun | None = None
        self._delivered: dict[str, float | None] = {}

    def __call__(self, run: VirtualRun) -> tuple[Any, ...]:
        """Return the figures of a run, in the order of the gauge."""
        found: dict[str, Any] = {}
        if not self._names.isdisjoint(OWN):
            found |= _own(run)
        if not self._names.isdisjoint(_METRICS):
            found |= self._metrics(run)
        return tuple([found[name] for name in self._gauge.names])

    def _metrics(self, run: VirtualRun) -> dict[str, float | None]:
        reader, stall_ms = self._gauge.reader, self._gauge.stall_threshold_ms
        received, chars = run.received, self._chars(run.texts)
        if self._last is None or not _same_delivery(run, self._last):
            self._delivered = delivered_of(received, chars, reader, stall_ms)
        self._last = run
        shown = {} if self._names.isdisjoint(_DISPLAYED) else displayed_of(received, chars, reader, stall_ms)
        return self._delivered | shown


def _same_delivery(run: VirtualRun, other: VirtualRun) -> bool:
    """Whether the two share what was read, so that it need not be looked at again."""
    ends = (run.asked_s, run.end_s, run.wire_bytes)
    return run.receive_s is other.receive_s and ends == (other.asked_s, other.end_s, other.wire_bytes)


def _chars_of(texts: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(added_chars(texts, segment))


def _own(run: VirtualRun) -> dict[str, Any]:
    lags_ms = [1000.0 * (paint_s - first_s) for paint_s, first_s in zip(run.paint_s, run.model_first_s, strict=True)]
    p50_ms, p95_ms = percentiles(lags_ms, (0.5, 0.95))
    pauses_ms = [1000.0 * (later - earlier) for earlier, later in pairwise(run.frames_s)]
    typed_ms = sum(pauses_ms)
    pause_ms = sum([pause * pause for pause in pauses_ms]) / typed_ms if typed_ms else None
    return {
        "state": run.state,
        "connections": run.connections,
        "text_lag_p50_ms": p50_ms,
        TEXT_LAG: p95_ms,
        PAUSE: pause_ms,
    }
