"""How the gaps between the deltas of a run are spread, delivered and displayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sse_widget.measure.gaps import STALL_MS
from sse_widget.plots.distribution import distribution
from sse_widget.plots.rows import deltas_of, known

if TYPE_CHECKING:
    from sse_widget.measure.frame import Frame
    from sse_widget.plots.distribution import Kind
    from sse_widget.plots.picture import Picture
    from sse_widget.plots.theme import Name


def gaps(frame: Frame, *, kind: Kind = "both", theme: Name = "auto", title: str = "Gaps between deltas") -> Picture:
    """Draw the gaps of a run, delivered and displayed: how many are how long, and which share is no longer than that.

    `frame` needs the columns `gap_ms` and `displayed_gap_ms` (`answer.frame()`); where nobody knows what was displayed,
    only what was delivered is drawn. `kind` ("histogram", "ecdf") leaves one of the two panels out. Raises ValueError
    without any gap.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"gap_ms": [None, 100, 120, 400], "displayed_gap_ms": [None, 110, 115, 160]})
    >>> gaps(frame, title="Run 1").description
    'Run 1. delivered: median 120 ms, 95th percentile 372 ms; displayed: median 115 ms, 95th percentile 156 ms.'
    """
    deltas = deltas_of(frame)
    flows = {"delivered": known(deltas, "gap_ms"), "displayed": known(deltas, "displayed_gap_ms")}
    flows = {name: values for name, values in flows.items() if values}
    if not flows:
        raise ValueError("there are no gaps to draw: a run needs two deltas")
    drawn = distribution(flows, kind=kind, theme=theme, title=title)
    for axes in drawn.figure.axes:
        axes.set_xlabel("gap, ms")
    if max(max(values) for values in flows.values()) > 0.8 * STALL_MS:
        for axes in drawn.figure.axes:
            axes.axvline(STALL_MS, color=drawn.colours.warn, linewidth=1, linestyle=":")
            axes.annotate(
                "stall",
                (STALL_MS, 0.5),
                (3, 0),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=drawn.colours.warn,
            )
    return drawn
