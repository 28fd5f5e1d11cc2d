"""How values are spread: as a histogram, and as the share that is no more than so much."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from sse_widget.measure.gaps import percentile
from sse_widget.plots.picture import Picture, picture
from sse_widget.plots.rows import number, told
from sse_widget.plots.theme import LINES, MARKERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sse_widget.plots.theme import Name, Theme

    Kind = Literal["both", "histogram", "ecdf"]

_BINS = 30
_MARKED = ((0.5, "o"), (0.95, "D"))


def distribution(
    samples: Mapping[str, Sequence[float]],
    *,
    unit: str = "ms",
    kind: Kind = "both",
    theme: Name = "auto",
    title: str = "Distribution",
) -> Picture:
    """Draw how the values of one or more samples are spread: how many are how large, and which share is no larger.

    `samples` has the values (0 or more, in `unit`) of each by its name, at least one of each, and at most six; a
    histogram is drawn of at most two, with the second below the line. Raises ValueError otherwise.

    >>> distribution({"TTFT": [210, 180, 190, 810]}, title="Waiting").description
    'Waiting. TTFT: median 200 ms, 95th percentile 720 ms.'
    """
    most = 6 if kind == "ecdf" else 2
    if not samples or len(samples) > most or not all(samples.values()):
        raise ValueError(f"a distribution ({kind}) is drawn of 1 to {most} samples that have values")

    def paint(figure: Figure, colours: Theme) -> str:
        shown = ("histogram", "ecdf") if kind == "both" else (kind,)
        for axes, name in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
            if name == "ecdf":
                ecdf(axes, samples, colours)
            else:
                histogram(axes, samples, colours, unit)
            axes.set_xlabel(unit)
        return f"{'; '.join(f'{name}: {told(values, unit)}' for name, values in samples.items())}."

    return picture(paint, theme, title, width=8.4 if kind == "both" else 5.2)


def steps(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return the corners of the empirical distribution: at each value, the share of values that are not above it."""
    ordered = sorted(values)
    return [ordered[0], *ordered], [0.0, *((place + 1) / len(ordered) for place in range(len(ordered)))]


def ecdf(axes: Axes, samples: Mapping[str, Sequence[float]], colours: Theme) -> None:
    """Draw the empirical distributions, each with a mark at its median and at its 95th percentile."""
    for place, (name, values) in enumerate(samples.items()):
        colour, line = colour_of(name, place, colours), LINES[place]
        axes.step(*steps(values), where="post", color=colour, linestyle=line, linewidth=1.8, label=name)
        for share, marker in _MARKED:
            at = percentile(values, share) or 0.0
            axes.plot([at], [share], marker, color=colour, markeredgecolor=colours.ground, markersize=6.5)
    axes.set(ylim=(0, 1.03), title="share that is no longer (● median, ◆ 95 %)")
    axes.set_xlim(0, 1.04 * max(max(values) for values in samples.values()) or None)
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    axes.legend(loc="best")


def histogram(axes: Axes, samples: Mapping[str, Sequence[float]], colours: Theme, unit: str) -> None:
    """Draw one sample above the line and one below it, so that neither hides the other."""
    longest = max(max(values) for values in samples.values())
    count = max(len(values) for values in samples.values())
    bins = min(_BINS, max(8, math.ceil(2 * math.sqrt(count))))
    edges = [(longest or 1.0) * edge / bins for edge in range(bins + 1)]
    for place, (name, values) in enumerate(samples.items()):
        side, hatch, at = ((1, "", "top"), (-1, "////", "bottom"))[place]
        colour = colour_of(name, place, colours)
        weights = [side] * len(values)
        axes.hist(values, edges, weights=weights, color=colour, hatch=hatch, edgecolor=colours.ground, linewidth=0.8)
        said = f"{name}, median {number(percentile(values, 0.5) or 0.0)} {unit}"
        axes.text(0.98, 0.97 if side > 0 else 0.03, said, transform=axes.transAxes, ha="right", va=at, fontsize=8.5)
    axes.axhline(0, color=colours.faint, linewidth=0.8)
    axes.margins(y=0.22)
    axes.set_title("how many are how long")
    axes.set_xlim(left=0)
    axes.locator_params(axis="y", integer=True)
    axes.yaxis.set_major_formatter(lambda many, _: f"{abs(many):.0f}")


def colour_of(name: str, place: int, colours: Theme) -> str:
    """Return the colour of a series: delivered and displayed have theirs everywhere, others go by their place."""
    fixed = {"delivered": colours.delivered, "displayed": colours.displayed}
    return fixed.get(name, colours.series[place % len(MARKERS)])
