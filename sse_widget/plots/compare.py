"""Runs beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sse_widget.measure.gaps import percentile
from sse_widget.plots.curves import corners, flows_of
from sse_widget.plots.picture import Picture, picture
from sse_widget.plots.rows import deltas_of, known, number
from sse_widget.plots.theme import LINES, MARKERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sse_widget.measure.frame import Frame
    from sse_widget.plots.theme import Name, Theme

_COLUMNS = {"delivered": "gap_ms", "displayed": "displayed_gap_ms"}
_APART = {"delivered": -0.17, "displayed": 0.17}


def compare(frames: Mapping[str, Frame], *, theme: Name = "auto", title: str = "Runs beside each other") -> Picture:
    """Draw up to six runs by their names: what their readers saw over time, and the gaps in which it came.

    On the left are the characters that were displayed, or, where nobody knows, delivered (then the name says so). On
    the right the gaps of both: a mark at the median, a line from the 5th to the 95th percentile. Raises ValueError for
    no run, more than six, or one without a delta.

    >>> import pandas as pd
    >>> slow = pd.DataFrame({"chars": [5, 5], "receive_s": [0.5, 1.5], "gap_ms": [None, 1000.0]})
    >>> fast = pd.DataFrame({"chars": [5, 5], "receive_s": [0.1, 0.2], "gap_ms": [None, 100.0]})
    >>> print(compare({"slow": slow, "fast": fast}, title="Two").description)
    Two. slow: delivered by 1.5 s, delivered gaps 1,000 ms; fast: delivered by 0.2 s, delivered gaps 100 ms.
    """
    if not 1 <= len(frames) <= len(MARKERS):
        raise ValueError(f"1 to {len(MARKERS)} runs are drawn beside each other; got {len(frames)}")
    deltas = {name: deltas_of(frame) for name, frame in frames.items()}
    empty = [name for name, rows in deltas.items() if not len(rows)]
    if empty:
        raise ValueError(f"a run without a delta cannot be drawn: {', '.join(empty)}")

    def paint(figure: Figure, colours: Theme) -> str:
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        said = []
        for place, (name, rows) in enumerate(deltas.items()):
            seen = _curve(left, rows, name, place, colours)
            gaps = {flow: known(rows, column) for flow, column in _COLUMNS.items()}
            _ranges(right, gaps, place, colours)
            middles = [
                f"{flow} gaps {number(percentile(values, 0.5) or 0.0)} ms" for flow, values in gaps.items() if values
            ]
            said.append(f"{name}: {', '.join([seen, *middles])}")
        left.set(
            xlabel="seconds since the question",
            ylabel="characters",
            xlim=(0, None),
            ylim=(0, None),
            title="what was seen",
        )
        right.set(
            xlabel="gap, ms", title="gaps: median, 5 % to 95 %", xlim=(0, _room(right)), ylim=(len(deltas) - 0.5, -0.5)
        )
        right.set_yticks(range(len(deltas)), list(deltas))
        right.grid(axis="y", visible=False)
        left.legend(loc="lower right")
        for flow in (flow for flow, column in _COLUMNS.items() if any(known(rows, column) for rows in deltas.values())):
            right.plot([], [], "o" if flow == "delivered" else "s", color=getattr(colours, flow), label=flow)
        figure.legend(*right.get_legend_handles_labels(), loc="outside lower right", ncols=2)
        return f"{'; '.join(said)}."

    return picture(paint, theme, title, width=8.6, height=max(3.6, 2.0 + 0.4 * len(frames)))


def _room(axes: Axes) -> float | None:
    """Return the end of an axis that leaves room for the last mark."""
    return 1.04 * float(axes.dataLim.x1) or None


def _curve(axes: Axes, rows: Frame, name: str, place: int, colours: Theme) -> str:
    flows = flows_of(rows)
    seen = "displayed" if flows["displayed"] else "delivered"
    times_s, counts = corners(flows[seen])
    label = name if seen == "displayed" else f"{name} (delivered)"
    axes.plot(times_s, counts, color=colours.series[place], linestyle=LINES[place], linewidth=1.8)
    axes.plot(times_s[-1:], counts[-1:], MARKERS[place], color=colours.series[place], markersize=6)
    axes.plot([], [], MARKERS[place], linestyle=LINES[place], color=colours.series[place], label=label)
    return f"{seen} by {number(times_s[-1])} s"


def _ranges(axes: Axes, gaps: Mapping[str, list[float]], place: int, colours: Theme) -> None:
    for flow, values in gaps.items():
        if values:
            low, middle, high = (percentile(values, share) or 0.0 for share in (0.05, 0.5, 0.95))
            at, colour = place + _APART[flow], getattr(colours, flow)
            axes.plot([low, high], [at, at], "|-" if flow == "delivered" else "|--", color=colour, linewidth=2)
            axes.plot([middle], [at], "o" if flow == "delivered" else "s", color=colour, markersize=6)
