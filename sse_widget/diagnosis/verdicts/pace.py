"""How a stream of known pace arrived: its span, and whether something held it back."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sse_widget.diagnosis.observations import Drip

HELD_SHARE = 0.5
"""A stream is held back when its deltas arrive within less than this share of the time that they were written in."""


def times(drip: Drip) -> tuple[float, ...]:
    """Return the arrivals of deltas, or of bytes where the body could not be decoded."""
    return drip.deltas if len(drip.deltas) > 1 else drip.reads


def span_s(drip: Drip) -> float:
    """Return the time from the first arrival to the last."""
    found = times(drip)
    return found[-1] - found[0] if found else 0.0


def longest_gap_s(drip: Drip) -> float:
    """Return the longest time between two arrivals."""
    return max((later - earlier for earlier, later in pairwise(times(drip))), default=0.0)


def is_held(drip: Drip) -> bool:
    """Whether the stream arrived in much less time than it was written in: something kept it."""
    return drip.written_s > 0 and bool(times(drip)) and span_s(drip) < HELD_SHARE * drip.written_s


def is_packed(drip: Drip) -> bool:
    """Whether the stream came compressed."""
    return drip.head is not None and bool(drip.head.get("content-encoding"))
