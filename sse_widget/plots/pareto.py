"""Which settings of a sweep are not beaten by another one in both lag and smoothness."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any, Protocol

from matplotlib.lines import Line2D

from sse_widget.measure.pareto import front_of
from sse_widget.pacing.chunker import Knobs
from sse_widget.pacing.pace import PacerOptions
from sse_widget.plots.picture import Picture, picture
from sse_widget.plots.rows import done_of, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sse_widget.measure.frame import Frame
    from sse_widget.plots.theme import Name, Theme

_KNOBS = (*Knobs.__struct_fields__, *PacerOptions.__struct_fields__)
_LETTERS = 12


class Recommended(Protocol):
    """What knows the knobs that it recommends."""

    @property
    def knobs(self) -> Mapping[str, Any]:
        """Values by parameter."""


def pareto(  # noqa: PLR0913 - what is drawn, and how; all but the table by name
    df: Frame,
    *,
    lag: str = "text_lag_p95_ms",
    smoothness: str = "pause_ms",
    by: Sequence[str] = (),
    recommended: Mapping[str, Any] | Recommended | None = None,
    theme: Name = "auto",
    title: str = "Lag against smoothness",
) -> Picture:
    """Draw the settings of a sweep by two columns of which less is better, and join those that none beats in both.

    `df` is a sweep's table, one row a run. A setting is a combination of the columns `by`, unless told otherwise of all
    knobs of chunker and typewriter that the table has several values of; its point is the mean over its runs (streams,
    seeds). Settings on the front have letters, up to 12 of them, which the key below explains. `recommended` (values by
    parameter, or what `sw.recommend` returns) has a star. Runs that did not end in done are left out. Raises ValueError
    where there is no such column, no setting, or none that is recommended.

    >>> import pandas as pd
    >>> df = pd.DataFrame({"chunk_ms": [1, 3, 6], "text_lag_p95_ms": [80, 90, 200], "pause_ms": [60, 30, 45]})
    >>> print(pareto(df, recommended={"chunk_ms": 3}).description)
    Lag against smoothness. 3 settings, 2 of them on the front: A chunk_ms 1 (80, 60), B chunk_ms 3 (90, 30).
    Recommended: chunk_ms 3.
    """
    names = list(by) or [name for name in df.columns if name in _KNOBS and df[name].nunique() > 1]
    missing = [name for name in (*names, lag, smoothness) if name not in df]
    if missing or not names:
        raise ValueError(
            f"the table lacks {', '.join(missing) or 'a knob with several values'}; "
            f"it has {', '.join(map(str, df.columns))}"
        )
    done, left_out = done_of(df)
    means = done.groupby(names, observed=True)[[lag, smoothness]].mean().dropna().reset_index()
    settings = [dict(zip(names, values, strict=True)) for values in means[names].itertuples(index=False)]
    points = [(float(one), float(other)) for one, other in zip(means[lag], means[smoothness], strict=True)]
    if not points:
        raise ValueError("there is no setting to draw")
    front = front_of(points)
    corners = list(dict.fromkeys(points[at] for at in front))
    key = [
        f"{letter} {_shared([settings[at] for at in front if points[at] == point])} "
        f"({number(point[0])}, {number(point[1])})"
        for letter, point in zip(ascii_uppercase[:_LETTERS], corners, strict=False)
    ]
    knobs = recommended if recommended is None or isinstance(recommended, Mapping) else recommended.knobs
    star = None if knobs is None else _place(settings, knobs)

    def paint(figure: Figure, colours: Theme) -> str:
        axes = figure.subplots()
        axes.plot(*zip(*points, strict=True), ".", color=colours.faint, markersize=5, label=f"{len(points)} settings")
        _front(axes, corners, colours)
        if star is not None:
            axes.plot(
                *([value] for value in points[star]),
                "*",
                markersize=17,
                color=colours.displayed,
                markeredgecolor=colours.ground,
                label="recommended",
                zorder=4,
            )
        axes.set(xlabel=f"{lag} (less is prompter)", ylabel=f"{smoothness} (less is smoother)")
        axes.margins(0.08)
        axes.legend(loc="best")
        blank = [Line2D([], [], linestyle="none") for _ in key]
        figure.legend(blank, key, loc="outside lower left", ncols=1, handlelength=0, handletextpad=0)
        said = "" if star is None else f"\nRecommended: {_said(settings[star])}."
        return f"{len(points)} settings, {len(front)} of them on the front: {', '.join(key)}.{left_out}{said}"

    return picture(paint, theme, title, height=4.2)


def _front(axes: Axes, points: Sequence[tuple[float, float]], colours: Theme) -> None:
    axes.plot(
        *zip(*points, strict=True),
        "o-",
        color=colours.delivered,
        markersize=6,
        drawstyle="steps-post",
        linewidth=1.4,
        label="front: none is better in both",
    )
    for letter, point in zip(ascii_uppercase[:_LETTERS], points, strict=False):
        axes.annotate(
            letter, point, (5, 5), textcoords="offset points", fontsize=9, fontweight="bold", color=colours.ink
        )


def _place(settings: Sequence[Mapping[str, Any]], recommended: Mapping[str, Any]) -> int:
    for place, setting in enumerate(settings):
        if all(setting[name] == value for name, value in recommended.items() if name in setting):
            return place
    raise ValueError(f"the recommended setting is none of the sweep's: {_said(recommended)}")


def _shared(settings: Sequence[Mapping[str, Any]]) -> str:
    """Name the settings of one point by what they have in common."""
    first = settings[0]
    common = {name: value for name, value in first.items() if all(other[name] == value for other in settings)}
    others = " and ".join(name for name in first if name not in common)
    return f"{_said(common)}, any {others} of {len(settings)}" if others else _said(common)


def _said(setting: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in setting.items()
    )
