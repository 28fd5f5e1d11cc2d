"""What a load is to be: how many streams, when they begin, when it is over, and what service is good enough. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sse_widget.load.arrivals import Arrivals
from sse_widget.measure.metrics import Metrics

if TYPE_CHECKING:
    from sse_widget.load.sample import Sample

MOST_REQUESTS = 100_000
"""A row is kept for each request, about 1.5 KB: a load ends with this many, whatever else it was to be."""

MOST_OPEN = 10_000
_ELSEWHERE = ("displayed_", "lag_", "tail_", "ttfp_", "overhead")
_FIGURES = sorted(name for name in Metrics.__struct_fields__ if not name.startswith(_ELSEWHERE))
_WAITING = frozenset({"ttft_ms", "delivered_total_ms", "ended_ms"})
_MORE_IS_BETTER = ("_per_s", "_qoe")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A load. Raises ValueError for what cannot be.

    `arrivals` closed: `concurrency` streams at a time, a new one when one has ended. Open (constant, poisson): `rate`
    requests a second begin when they are due, with at most `concurrency` open at once; one that is due while so many
    are open begins late, and its wait counts, because latency is also counted from the time it was due (else the
    slowest answers would keep questions away and make the load look better: coordinated omission).

    It is over after `requests`, or after `duration_s` seconds, in which requests begin: what is due and still waits for
    others to end is not sent then, and counted (`unsent`). Answers that have begun are read to their end. Before it,
    `warmup` requests, as many at a time as `concurrency`, are asked and not counted. One that takes longer than
    `timeout_s` is left and failed. `slo` names figures of `measure.metrics` and their limits: at most, and for rates
    and quality of experience at least.
    """

    arrivals: Arrivals = "closed"
    rate: float | None = None
    concurrency: int = 4
    requests: int = MOST_REQUESTS
    duration_s: float | None = None
    warmup: int = 0
    timeout_s: float = 120.0
    seed: int = 0
    slo: dict[str, float] = {}

    def __post_init__(self) -> None:
        opened = self.arrivals != "closed"
        for wrong, problem in (
            (opened and not (self.rate and self.rate > 0), "open arrivals need a rate above 0, in requests a second"),
            (not opened and self.rate is not None, "a rate goes with constant or poisson arrivals"),
            (not 1 <= self.concurrency <= MOST_OPEN, f"concurrency must be 1 to {MOST_OPEN}"),
            (not 1 <= self.requests <= MOST_REQUESTS, f"requests must be 1 to {MOST_REQUESTS}"),
            (self.duration_s is not None and not self.duration_s > 0, "the duration must be above 0 s"),
            (not 0 <= self.warmup <= MOST_REQUESTS, f"warm-up must be 0 to {MOST_REQUESTS} requests"),
            (not self.timeout_s > 0, "the timeout must be above 0 s"),
        ):
            if wrong:
                raise ValueError(problem)
        for name in self.slo:
            if name not in _FIGURES:
                raise ValueError(f"there is no figure {name!r} to set a level for; there are {', '.join(_FIGURES)}")


def keeps(sample: Sample, slo: dict[str, float]) -> bool:
    """Whether an answer came whole and kept every level. A figure that it does not have is not kept.

    Waits (ttft_ms, delivered_total_ms, ended_ms) count from the time the request was due.
    """
    return sample.ok and all(_kept(sample, name, limit) for name, limit in slo.items())


def _kept(sample: Sample, name: str, limit: float) -> bool:
    value: float | None = getattr(sample.metrics, name)
    if value is None:
        return False
    if name.endswith(_MORE_IS_BETTER):
        return value >= limit
    return value + (sample.late_ms if name in _WAITING else 0.0) <= limit
