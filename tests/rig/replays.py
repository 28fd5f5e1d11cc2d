"""How far a replay is from its recording."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

from sse_widget.measure.gaps import percentile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sse_widget.cassette import Cassette

OFFSET_LIMIT_MS = 2.0
"""Record and replay: how far the offset of a replayed read may be from the recorded one."""


def deviations_ms(again: Cassette, original: Cassette, speed: float = 1.0) -> list[float]:
    """Return, for each read of the original, how much later its last byte came in a recording of its replay.

    Both offsets are those of the recorder, since its request was sent; the original's is divided by the speed. Nothing
    is taken out: the way of the replay's own request and bytes over loopback is part of the figure.
    """
    ends = list(accumulate(len(read.data) for read in again.reads))
    played_us = [
        again.reads[bisect_left(ends, end)].offset_us for end in accumulate(len(read.data) for read in original.reads)
    ]
    return [(at - read.offset_us / speed) / 1000 for at, read in zip(played_us, original.reads, strict=True)]


def spread(deviations: Sequence[float]) -> str:
    """Return the distribution of distances in words."""
    distances = [abs(each) for each in deviations]
    shares = ", ".join(f"{percentile(distances, share / 100):.2f} ms (p{share})" for share in (50, 95, 99))
    return f"{shares}, {max(distances):.2f} ms (most)"
