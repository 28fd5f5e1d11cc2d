"""The figures of a text as it comes to one place: delivered to a reader, or displayed. Pure."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from sse_widget.measure.gaps import STALL_MS, jitter_ms, percentiles, stalls_of
from sse_widget.measure.qoe import Reader, qoe_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sse_widget.measure.spans import Moment


class Flow(msgspec.Struct, frozen=True):
    """The figures that a delivered and a displayed text both have, as `metrics.Metrics` describes them."""

    total_ms: float | None = None
    gap_p50_ms: float | None = None
    gap_p90_ms: float | None = None
    gap_p95_ms: float | None = None
    gap_p99_ms: float | None = None
    jitter_ms: float | None = None
    stalls: int | None = None
    stall_ms: float | None = None
    stall_share: float | None = None
    stall_ratio: float | None = None
    chars_per_s: float | None = None
    goodput_chars_per_s: float | None = None
    qoe: float | None = None


def flow_of(
    moments: Sequence[Moment | None],
    asked_s: float,
    ended_s: float | None,
    reader: Reader,
    stall_threshold_ms: float = STALL_MS,
) -> Flow:
    """Return the figures of deltas in their order; None stands for one that did not come, or nobody knows when.

    Gaps and pauses are those between two neighbours that are both known; other figures are of the known deltas.
    """
    known = [moment for moment in moments if moment is not None]
    if not known:
        return Flow()
    neighbours = [(one, next_) for one, next_ in pairwise(moments) if one is not None and next_ is not None]
    gaps_ms = [1000.0 * (after.last_s - before.last_s) for before, after in neighbours]
    pauses_ms = [1000.0 * (after.first_s - before.last_s) for before, after in neighbours]
    first_s = known[0].last_s
    last_s = over_s = known[-1].last_s
    if ended_s is not None and moments[-1] is not None and ended_s > last_s:
        # Nobody knew that the text was over: a run that hangs until it is given up stalls there.
        pauses_ms.append(1000.0 * (ended_s - last_s))
        over_s = ended_s
    p50_ms, p90_ms, p95_ms, p99_ms = percentiles(gaps_ms, (0.5, 0.9, 0.95, 0.99))
    stalls = stalls_of(pauses_ms, 1000.0 * (over_s - first_s), stall_threshold_ms)
    return Flow(
        total_ms=None if moments[-1] is None else 1000.0 * (last_s - asked_s),
        gap_p50_ms=p50_ms,
        gap_p90_ms=p90_ms,
        gap_p95_ms=p95_ms,
        gap_p99_ms=p99_ms,
        jitter_ms=jitter_ms(gaps_ms),
        stalls=stalls.count,
        stall_ms=stalls.beyond_ms,
        stall_share=stalls.share,
        stall_ratio=stalls.ratio,
        chars_per_s=_rate(sum(moment.chars for moment in known[1:]), last_s - first_s),
        goodput_chars_per_s=_rate(sum(moment.chars for moment in known), last_s - asked_s),
        qoe=qoe_of(known, asked_s, reader),
    )


def _rate(chars: int, seconds: float) -> float | None:
    return chars / seconds if seconds > 0 else None
