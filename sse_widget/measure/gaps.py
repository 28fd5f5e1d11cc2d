"""Times between what comes one after another: percentiles, jitter and stalls. Pure."""

from __future__ import annotations

from operator import sub
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

STALL_MS = 1000.0
"""A reader notices when text stands still for longer than this (the page's timeline marks the same)."""

ELOQUENT_STALL_MS = 200.0
"""From where on Eloquent calls the wait for a token a stall."""


class Stalls(msgspec.Struct, frozen=True):
    """How often, for how long (ms) and for what share of the time text stood still; `ratio` is Eloquent's."""

    count: int
    beyond_ms: float
    share: float | None
    ratio: float | None


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return a percentile, linear between the two values that are nearest (NumPy's default); None without values."""
    return percentiles(values, (share,))[0]


def percentiles(values: Sequence[float], shares: Sequence[float]) -> list[float | None]:
    """Return several of them."""
    if not values:
        return [None] * len(shares)
    ordered = sorted(values)
    found: list[float | None] = []
    for share in shares:
        place = share * (len(ordered) - 1)
        below = int(place)
        above = min(below + 1, len(ordered) - 1)
        found.append(ordered[below] + (place - below) * (ordered[above] - ordered[below]))
    return found


def jitter_ms(gaps_ms: Sequence[float]) -> float | None:
    """Return the mean of |g_i - g_(i-1)| over gaps that follow each other; None for fewer than two gaps.

    It is the D of RFC 3550, section 6.4.1, for a sender with an even beat, in the plain mean. That section's own
    estimator does not fit: it compares with the sender's timestamps, which text has none of, and smooths by 1/16, so
    that it says more of the end than of the run. The standard deviation does not fit either: it does not know the
    order, so a run that slows down once looks like one that stutters, and one stall, which has figures of its own,
    outweighs all the rest by its square.
    """
    steps = list(map(abs, map(sub, gaps_ms[1:], gaps_ms)))
    return sum(steps) / len(steps) if steps else None


def stalls_of(pauses_ms: Sequence[float], streamed_ms: float, threshold_ms: float = STALL_MS) -> Stalls:
    """Return the stalls among pauses, times without new text, of a text that took `streamed_ms` after its first delta.

    A stall is a pause longer than the threshold. Its time is only the part beyond it, as a video's rebuffering begins
    when the buffer is empty and not with the last segment: until the threshold the reader still had something to read.
    The share is that of `streamed_ms`; like the rebuffering ratio of video it leaves the wait for the start to TTFT and
    TTFP. None when no time passed.

    `ratio` is the stall ratio of Eloquent (arXiv 2401.12961), "proportion of token rendering wait time" in its
    abstract: here the whole length of the pauses longer than 200 ms, over `streamed_ms`. The 200 ms are known from
    works that cite the paper; its formula could not be looked up, so whole pauses, and not what is beyond 200 ms, and
    the time after the first delta as the whole are this project's reading.
    """
    stalls = [pause for pause in pauses_ms if pause > threshold_ms]
    waited_ms = sum(pause for pause in pauses_ms if pause > ELOQUENT_STALL_MS)
    beyond_ms = sum(pause - threshold_ms for pause in stalls)
    return Stalls(
        count=len(stalls),
        beyond_ms=beyond_ms,
        share=beyond_ms / streamed_ms if streamed_ms > 0 else None,
        ratio=waited_ms / streamed_ms if streamed_ms > 0 else None,
    )
