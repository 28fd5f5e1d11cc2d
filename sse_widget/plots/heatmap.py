"""A figure of a sweep over two of its parameters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from matplotlib.patches import Rectangle

from sse_widget.plots.picture import Picture, picture
from sse_widget.plots.rows import done_of, number
from sse_widget.plots.theme import contrast

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sse_widget.measure.frame import Frame
    from sse_widget.plots.theme import Name, Theme

_COLOURS = "cividis"
_INKS = ("#000000", "#fffffe")  # no colours of a theme: the cells are the same in the dark
_WRITTEN = 14
_WIDE = 20


def heatmap(  # noqa: PLR0913 - what is drawn, and how; all but the first four by name
    df: Frame, x: str, y: str, value: str, *, best: str = "least", theme: Name = "auto", title: str = ""
) -> Picture:
    """Draw the mean of column `value` for each pair of values of the columns `x` and `y`.

    `df` is a sweep's table, one row a run; streams, seeds and other parameters go into the mean. The cell that is
    `best` ("least" or "most") has a frame; a pair without runs is left out, and so are runs that did not end in done.
    The colours (cividis: Nuñez, Anderton and Renslow 2018, doi:10.1371/journal.pone.0199239) are one scale for every
    kind of colour vision, logarithmic where the most is more than 20 times the least; up to 14 cells a side also have
    their number. Raises ValueError where there is no such column or nothing to draw.

    >>> import pandas as pd
    >>> df = pd.DataFrame({"chunk_tokens": [1, 1, 6, 6], "delay_ms": [0, 50, 0, 50], "lag_p95_ms": [90, 120, 300, 310]})
    >>> heatmap(df, "chunk_tokens", "delay_ms", "lag_p95_ms").description
    'Mean lag_p95_ms. 2 by 2 cells, from 90 to 310; least 90 at chunk_tokens 1, delay_ms 0.'
    """
    missing = [name for name in (x, y, value) if name not in df]
    if missing:
        raise ValueError(f"the table has no column {', '.join(missing)}; there are {', '.join(map(str, df.columns))}")
    done, left_out = done_of(df)
    cells = done.groupby([y, x], observed=True)[value].mean().unstack().sort_index(axis=0).sort_index(axis=1)
    known: dict[tuple[Any, Any], float] = {
        (column, row): float(at) for column in cells for row, at in cells[column].dropna().items()
    }
    if not known or best not in ("least", "most"):
        raise ValueError("a heat map needs numbers to draw, and the best is the 'least' or the 'most'")
    place = (min if best == "least" else max)(known, key=lambda cell: known[cell])

    def paint(figure: Figure, colours: Theme) -> str:
        axes = figure.subplots()
        wide = min(known.values()) > 0 and max(known.values()) > _WIDE * min(known.values())
        mesh = axes.pcolormesh(
            cells.to_numpy(dtype=float),
            cmap=_COLOURS,
            norm="log" if wide else "linear",
            edgecolors=colours.ground,
            linewidth=1.5,
        )
        _label(axes, cells, x, y)
        _scale(figure.colorbar(mesh, ax=axes, label=f"mean {value}", pad=0.02), wide=wide)
        if max(cells.shape) <= _WRITTEN:
            _write(axes, cells, mesh)
        column, row = [*cells.columns].index(place[0]), [*cells.index].index(place[1])
        for ink, width in zip(_INKS, (4.0, 1.8), strict=True):
            axes.add_patch(Rectangle((column, row), 1, 1, fill=False, edgecolor=ink, linewidth=width, clip_on=False))
        return (
            f"{len(cells.columns)} by {len(cells)} cells, "
            f"from {number(min(known.values()))} to {number(max(known.values()))}; "
            f"{best} {number(known[place])} at {x} {_said(place[0])}, {y} {_said(place[1])}.{left_out}"
        )

    width = min(10.0, 2.6 + 0.75 * len(cells.columns))
    return picture(
        paint, theme, title or f"Mean {value}", width=max(5.0, width), height=min(8.0, 1.7 + 0.45 * len(cells))
    )


def _scale(bar: Any, *, wide: bool) -> None:
    bar.outline.set_visible(False)
    if wide:
        bar.ax.yaxis.get_major_locator().set_params(subs=(1.0, 2.0, 5.0))
    bar.ax.yaxis.set_major_formatter(lambda value, _: number(value))
    bar.ax.yaxis.set_minor_formatter(lambda *_: "")


def _label(axes: Axes, cells: Frame, x: str, y: str) -> None:
    axes.set_xticks([place + 0.5 for place in range(len(cells.columns))], [_said(value) for value in cells.columns])
    axes.set_yticks([place + 0.5 for place in range(len(cells))], [_said(value) for value in cells.index])
    axes.set(xlabel=x, ylabel=y)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _write(axes: Axes, cells: Frame, mesh: Any) -> None:
    for row, values in enumerate(cells.to_numpy(dtype=float)):
        for column, value in enumerate(values):
            if math.isfinite(value):
                red, green, blue, _ = mesh.to_rgba(value, bytes=True)
                cell = f"#{red:02x}{green:02x}{blue:02x}"
                ink = _INKS[contrast(_INKS[1], cell) > contrast(_INKS[0], cell)]
                axes.text(column + 0.5, row + 0.5, number(value), ha="center", va="center", fontsize=8, color=ink)


def _said(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
