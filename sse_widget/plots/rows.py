"""What the plots take from a frame; knows nothing of how it is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sse_widget.measure.gaps import percentile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sse_widget.measure.frame import Frame

_TEXT = ("delta", "snapshot")


def deltas_of(frame: Frame) -> Frame:
    """Return the rows of text, without those of heartbeats and states."""
    return frame[frame["kind"].isin(_TEXT)] if "kind" in frame else frame


def done_of(table: Frame) -> tuple[Frame, str]:
    """Return the runs of a sweep that ended in done, and what is to be said of the others; all where no state is told.

    What was never shown was never late: means over runs that failed would make their settings look better.
    """
    if "state" not in table:
        return table, ""
    done = table[table["state"] == "done"]
    failed = len(table) - len(done)
    return done, f" {failed} runs that did not end in done were left out." if failed else ""


def known(frame: Frame, column: str) -> list[float]:
    """Return the known values of a column; none where the frame has no such column."""
    if column not in frame:
        return []
    return [float(value) for value in frame[column].dropna()]


def told(values: Sequence[float], unit: str = "ms") -> str:
    """Say the middle and the end of values: median and 95th percentile."""
    middle, end = percentile(values, 0.5), percentile(values, 0.95)
    if middle is None or end is None:
        return "not known"
    return f"median {number(middle)} {unit}, 95th percentile {number(end)} {unit}"


def number(value: float) -> str:
    """Write a number as people do: three digits that count, no exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else "0"
