"""The figures of a whole load: percentiles over its requests, rates, and how many were served well enough. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from sse_widget.load.plan import Plan, keeps
from sse_widget.measure.gaps import percentile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sse_widget.load.sample import Sample

OF_A_REQUEST = (
    "ttft_ms",
    "tpot_ms",
    "tpot_vllm_ms",
    "delivered_total_ms",
    "delivered_gap_p95_ms",
    "delivered_jitter_ms",
    "delivered_stall_share",
    "delivered_chars_per_s",
    "delivered_qoe",
)
"""Figures of `measure.metrics` of which percentiles over requests are taken."""


class Spread(msgspec.Struct, frozen=True):
    """How a figure is spread: percentiles are linear between the two values that are nearest."""

    count: int
    mean: float
    min: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """All requests of a load.

    | figure | is |
    |---|---|
    | `requests`, `done`, `failed` | that ended; whose answer came whole; the others |
    | `left` | that were open when the load was interrupted: in no other figure |
    | `unsent` | that were due, and waited for others to end until the duration was over: in no other figure |
    | `errors`, `reconnects` | failed requests by their code; connections beyond the first of a request |
    | `elapsed_s`, `peak_open` | how long the load was on; how many were open at once |
    | `requests_per_s`, `tokens_per_s`, `chars_per_s` | of whole answers, over `elapsed_s`; None if not told |
    | `good`, `goodput_per_s` | requests that kept every level of the plan's `slo`, and these over `elapsed_s` |
    | `driver_lag_p99_ms` | how late this process itself was: no figure is more exact |
    | `spreads` | by name: those of `measure.metrics`, of whole answers; and those below |

    | spread | is |
    |---|---|
    | `gap_ms` | times between deliveries, of all whole and broken answers together (vLLM's ITL) |
    | `ttft_due_ms`, `total_due_ms` | open arrivals: `ttft_ms`, `delivered_total_ms`, from when the request was due |
    | `late_ms` | open arrivals: from when a request was due until it was sent |

    Goodput is the word of serving (vLLM `--goodput`, aiperf): requests a second that keep their service level.
    """

    requests: int
    done: int
    failed: int
    left: int
    unsent: int = 0
    errors: dict[str, int]
    reconnects: int
    elapsed_s: float
    peak_open: int
    requests_per_s: float | None
    tokens_per_s: float | None
    chars_per_s: float | None
    good: int | None
    goodput_per_s: float | None
    driver_lag_p99_ms: float | None
    spreads: dict[str, Spread]


def summary_of(  # noqa: PLR0913 - what was seen, each by its name
    plan: Plan,
    samples: Sequence[Sample],
    *,
    gaps_ms: Sequence[float],
    elapsed_s: float,
    peak_open: int = 0,
    left: int = 0,
    unsent: int = 0,
    lags_ms: Sequence[float] = (),
) -> Summary:
    """Return the figures of what was measured."""
    whole = [sample for sample in samples if sample.ok]
    tokens = [sample.metrics.tokens for sample in whole]
    good = sum(keeps(sample, plan.slo) for sample in whole) if plan.slo else None
    told = [count for count in tokens if count is not None]
    return Summary(
        requests=len(samples),
        done=len(whole),
        failed=len(samples) - len(whole),
        left=left,
        unsent=unsent,
        errors=dict(Counter(sample.code for sample in samples if not sample.ok).most_common()),
        reconnects=sum(sample.reconnects for sample in samples),
        elapsed_s=elapsed_s,
        peak_open=peak_open,
        requests_per_s=_rate(len(whole), elapsed_s),
        tokens_per_s=_rate(sum(told), elapsed_s) if len(told) == len(whole) else None,
        chars_per_s=_rate(sum(sample.metrics.chars for sample in whole), elapsed_s),
        good=good,
        goodput_per_s=None if good is None else _rate(good, elapsed_s),
        driver_lag_p99_ms=percentile(lags_ms, 0.99),
        spreads=_spreads(whole, gaps_ms, opened=plan.arrivals != "closed"),
    )


def _rate(amount: float, seconds: float) -> float | None:
    return amount / seconds if seconds > 0 else None


def _spreads(whole: Sequence[Sample], gaps_ms: Sequence[float], *, opened: bool) -> dict[str, Spread]:
    values: dict[str, list[float | None]] = {
        name: [getattr(sample.metrics, name) for sample in whole] for name in OF_A_REQUEST
    }
    values["gap_ms"] = list(gaps_ms)
    if opened:
        for name, figure in (("ttft_due_ms", "ttft_ms"), ("total_due_ms", "delivered_total_ms")):
            values[name] = [_after(getattr(sample.metrics, figure), sample.late_ms) for sample in whole]
        values["late_ms"] = [sample.late_ms for sample in whole]
    return _known(values)


def _after(value: float | None, late_ms: float) -> float | None:
    return None if value is None else value + late_ms


def _known(values: Mapping[str, Sequence[float | None]]) -> dict[str, Spread]:
    known = {name: [value for value in those if value is not None] for name, those in values.items()}
    return {name: _spread(those) for name, those in known.items() if those}


def _spread(values: Sequence[float]) -> Spread:
    def at(share: float) -> float:
        return percentile(values, share) or 0.0

    return Spread(
        count=len(values),
        mean=sum(values) / len(values),
        min=min(values),
        p50=at(0.5),
        p90=at(0.9),
        p95=at(0.95),
        p99=at(0.99),
        max=max(values),
    )
