"""The requests of a load, one under the other: when each was due, sent, answered first, and over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sse_widget.plots.picture import Picture, picture
from sse_widget.plots.rows import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sse_widget.measure.frame import Frame
    from sse_widget.plots.theme import Name, Theme

MOST_DRAWN = 300


def requests(frame: Frame, *, theme: Name = "auto", title: str = "Requests") -> Picture:
    """Draw each request as a line over the time of the load: waiting for its first text, then with text until its end.

    `frame` needs the columns `started_s`, `ended_s`, `ttft_ms` and `state` of `report.frame()`; with `planned_s`, what
    was sent late is seen to be. Of more than 300 requests as many are drawn, evenly chosen. Raises ValueError without
    any.

    >>> import pandas as pd
    >>> times = {"started_s": [0.0, 0.5], "ended_s": [1.0, 2.0], "ttft_ms": [200.0, 300.0], "state": ["done", "error"]}
    >>> requests(pd.DataFrame(times), title="Load").description
    'Load. 2 requests in 2 s, 1 of them failed.'
    """
    if len(frame) == 0:
        raise ValueError("there are no requests to draw")
    step = -(-len(frame) // MOST_DRAWN)
    shown = frame.sort_values("started_s").iloc[::step].reset_index(drop=True)
    failed = int((frame["state"] != "done").sum())
    some = f", {len(shown)} of them drawn" if step > 1 else ""

    def paint(figure: Figure, colours: Theme) -> str:
        _lines(figure.subplots(), shown, colours)
        return f"{len(frame)} requests in {number(frame['ended_s'].max())} s{some}, {failed} of them failed."

    return picture(paint, theme, title, width=7.5, height=min(6.0, 1.7 + 0.05 * len(shown)))


def _lines(axes: Axes, shown: Frame, colours: Theme) -> None:
    places = shown.index + 1
    width = 2.6 if len(shown) <= 60 else 1.2
    first_s = (shown["started_s"] + shown["ttft_ms"] / 1000.0).fillna(shown["ended_s"])
    if "planned_s" in shown and bool(shown["planned_s"].notna().any()):
        late = axes.hlines(places, shown["planned_s"], shown["started_s"], linewidth=width, label="due, not sent yet")
        late.set(color=colours.warn, linestyle=(0, (1, 1)))
    waiting = axes.hlines(places, shown["started_s"], first_s, linewidth=width, label="waiting for text")
    waiting.set(color=colours.series[1], linestyle=(0, (2, 1)))
    axes.hlines(places, first_s, shown["ended_s"], colors=colours.delivered, linewidth=width, label="text comes")
    failed = shown["state"] != "done"
    if bool(failed.any()):
        axes.plot(
            shown["ended_s"][failed], places[failed], "x", color=colours.warn, markersize=6, label="failed", zorder=3
        )
    axes.set(xlabel="s after the load began", ylabel="request", xlim=(0, None), ylim=(len(shown) + 1, 0))
    axes.locator_params(axis="y", integer=True)
    axes.legend(loc="lower left", ncols=4, bbox_to_anchor=(0, 1.0), borderaxespad=0.2)
