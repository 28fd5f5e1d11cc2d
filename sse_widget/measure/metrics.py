"""The figures of a run as one reader had it delivered (design.md section 10; twin of js/measure/figures.js). Pure.

The segmenter, which splits a text into grapheme clusters (UAX 29), is an argument. What was displayed is the browser's
to say, so every figure that has a displayed twin is called delivered here.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Segment = Callable[[str], list[str]]


class Span(msgspec.Struct, frozen=True, gc=False):
    """One delta: its seq in the stream, its text, and when it was received, in seconds of the reader's clock."""

    seq: int
    text: str
    received_s: float


class Received(msgspec.Struct, frozen=True):
    """All that one reader received of a run that was asked at `asked_s`.

    `tokens` is how many the text is of, and `first_tokens` how many of them the first delta holds; None when unknown.
    """

    asked_s: float
    spans: tuple[Span, ...] = ()
    tokens: int | None = None
    first_tokens: int | None = None


class Metrics(msgspec.Struct, frozen=True):
    """Times in ms from the question, None where there is nothing to say. `chars` are grapheme clusters.

    With r_i the time and c_i the characters of delta i of n, asked at t0: TTFT = r_1 - t0; total = r_n - t0; gaps are
    r_i - r_(i-1); characters a second are those after the first delta, over r_n - r_1; and
    TPOT = (r_n - r_1) / (tokens - tokens in delta 1), where both counts are known.
    """

    deltas: int
    chars: int
    tokens: int | None
    ttft_ms: float | None
    tpot_ms: float | None
    delivered_total_ms: float | None
    delivered_gap_p50_ms: float | None
    delivered_gap_p95_ms: float | None
    delivered_chars_per_s: float | None


def metrics_of(received: Received, segment: Segment) -> Metrics:
    """Return the figures of what was received."""
    spans = received.spans
    chars = list(added_chars((span.text for span in spans), segment))
    gaps_ms = [1000.0 * (after.received_s - before.received_s) for before, after in pairwise(spans)]
    first_s = spans[0].received_s if spans else received.asked_s
    last_s = spans[-1].received_s if spans else received.asked_s
    streamed_s = last_s - first_s
    return Metrics(
        deltas=len(spans),
        chars=sum(chars),
        tokens=received.tokens,
        ttft_ms=1000.0 * (first_s - received.asked_s) if spans else None,
        tpot_ms=_tpot_ms(received, streamed_s),
        delivered_total_ms=1000.0 * (last_s - received.asked_s) if spans else None,
        delivered_gap_p50_ms=percentile(gaps_ms, 0.5),
        delivered_gap_p95_ms=percentile(gaps_ms, 0.95),
        delivered_chars_per_s=sum(chars[1:]) / streamed_s if streamed_s > 0 else None,
    )


def added_chars(texts: Iterable[str], segment: Segment) -> Iterable[int]:
    """Yield how many characters each text adds to those before it, which may have cut a cluster."""
    last = ""
    for text in texts:
        if not text:
            yield 0
            continue
        clusters = segment(last + text)
        yield len(clusters) - bool(last)
        last = clusters[-1]


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return a percentile, linear between the two values that are nearest (NumPy's default); None without values."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _tpot_ms(received: Received, streamed_s: float) -> float | None:
    if received.tokens is None or received.first_tokens is None or not received.spans:
        return None
    later = received.tokens - received.first_tokens
    return 1000.0 * streamed_s / later if later > 0 else None
