"""When the next delta is likely to come.

Pure: times are milliseconds of any steady clock. Its twin is js/pacing/arrivals.js.
"""

from __future__ import annotations

from typing import Final

FRAME_MS: Final = 16.0
"""Shorter differences are not seen: deltas less than this apart are one burst."""

_GAP_WEIGHT: Final = 0.25


class Arrivals:
    """An exponential moving average of the gaps between bursts of deltas."""

    def __init__(self) -> None:
        self._burst_ms: float | None = None
        self._gap_ms: float | None = None

    @property
    def next_ms(self) -> float:
        """The time at which the next burst is expected; that of the last one while no gap is known."""
        return (self._burst_ms or 0.0) + (self._gap_ms or 0.0)

    def note(self, now_ms: float, longest_ms: float) -> None:
        """Take the arrival of a delta. A gap counts as `longest_ms` at most: stalls are forgotten."""
        if self._burst_ms is None:
            self._burst_ms = now_ms
            return
        gap_ms = now_ms - self._burst_ms
        if gap_ms < FRAME_MS:
            return
        gap_ms = min(gap_ms, longest_ms)
        self._gap_ms = gap_ms if self._gap_ms is None else self._gap_ms + (gap_ms - self._gap_ms) * _GAP_WEIGHT
        self._burst_ms = now_ms
