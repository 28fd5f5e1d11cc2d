"""Where the time of each delta went, stage by stage."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

from sse_widget.measure.gaps import percentile
from sse_widget.plots.marks import mark_events
from sse_widget.plots.picture import Picture, picture
from sse_widget.plots.rows import deltas_of, known, number
from sse_widget.plots.theme import HATCHES, STAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sse_widget.measure.frame import Frame
    from sse_widget.plots.theme import Name, Theme

    Since = Literal["question", "token"]

_BEGINS = dict(
    zip(
        STAGES,
        ("", "model_first_s", "chunk_s", "append_s", "write_s", "receive_s", "parse_s", "show_last_s"),
        strict=True,
    )
)
_WAITING = 0.14
_BAR = 0.8
_MOST = 400


def waterfall(
    frame: Frame, *, since: Since = "question", theme: Name = "auto", title: str = "Where the time went"
) -> Picture:
    """Draw one row a delta, from its first token to the screen, a bar a stage; the legend has each stage's median.

    `frame` is `answer.frame()` of a run that was traced: the columns `…_ms` of the stages are the lengths of the bars.
    With `since="question"` bars stand at their time, the wait for the model is a thin line, and heartbeats, breaks and
    new connections are marked; with `since="token"` all begin at their first token, so that stages compare. A stage
    of negative length lies within the clocks' error (`frame.attrs`), and is drawn backwards. Of more than 400 deltas
    draw parts. Raises ValueError without any stage to draw.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"model_first_s": [0.5], "chunk_s": [0.6], "chunk_ms": [100.0], "network_ms": [25.0]})
    >>> frame["write_s"] = 0.6
    >>> waterfall(frame, title="One delta").description
    'One delta. 1 delta; its stages: chunk 100 ms, network 25 ms.'
    """
    deltas = deltas_of(frame)
    lengths = {stage: known(deltas, f"{stage}_ms") for stage in STAGES}
    medians = {stage: percentile(values, 0.5) or 0.0 for stage, values in lengths.items() if values}
    if not set(medians) - {"source"} or len(deltas) > _MOST:
        raise ValueError(f"a waterfall is drawn of 1 to {_MOST} deltas with stages, of a traced run; got {len(deltas)}")

    told = {stage: f"{stage} {number(median)} ms" for stage, median in medians.items() if stage != "source"}
    count = "1 delta; its stages" if len(deltas) == 1 else f"{len(deltas)} deltas; medians of their stages"

    def paint(figure: Figure, colours: Theme) -> str:
        axes = figure.subplots()
        drawn = [stage for stage in STAGES if stage in medians and (stage != "source" or since == "question")]
        for stage in drawn:
            said = f"source, first {number(lengths[stage][0])} ms" if stage == "source" else told[stage]
            _bars(axes, _spans(deltas, stage, since), STAGES.index(stage), said, colours)
        axes.set(ylabel="delta", ylim=(len(deltas) - 0.4, -0.6))
        axes.set_xlabel("seconds since the question" if since == "question" else "ms since the delta's first token")
        axes.locator_params(axis="y", integer=True)
        axes.yaxis.set_major_formatter(lambda place, _: f"{place + 1:.0f}" if place >= 0 else "")
        axes.grid(axis="y", visible=False)
        axes.set_xlim(0, 1.02 * float(axes.dataLim.x1))
        marks = mark_events(axes, frame, colours) if since == "question" else ""
        bars, others = axes.containers, [line for line in axes.lines if not str(line.get_label()).startswith("_")]
        figure.legend(
            handles=[*bars, *others], loc="outside lower left", ncols=4, title="stages, with medians", alignment="left"
        )
        return f"{count}: {', '.join(told.values())}.{marks}{_error(frame)}"

    return picture(paint, theme, title, width=8.0, height=min(9.0, 2.6 + 0.13 * len(deltas)))


class _Span(NamedTuple):
    """Of the delta at a place, where a stage begins, and its length, on the scale of the picture."""

    place: int
    begin: float
    length: float


def _spans(deltas: Frame, stage: str, since: Since) -> list[_Span]:
    length_s = deltas[f"{stage}_ms"] / 1000.0
    begin_s = deltas[_BEGINS[stage]] if _BEGINS[stage] else 0.0 * length_s
    scale = 1.0
    if since == "token":
        begin_s, scale = begin_s - deltas["model_first_s"], 1000.0
    pairs = enumerate(zip(begin_s, length_s, strict=True))
    return [
        _Span(place, scale * float(begin), scale * float(length))
        for place, (begin, length) in pairs
        if math.isfinite(begin + length)
    ]


def _bars(axes: Axes, spans: Sequence[_Span], at: int, label: str, colours: Theme) -> None:
    axes.barh(
        [span.place for span in spans],
        [span.length for span in spans],
        left=[span.begin for span in spans],
        height=_BAR if at else _WAITING,
        color=colours.stages[at],
        edgecolor=colours.ground,
        linewidth=0.3,
        hatch=HATCHES[at],
        label=label,
    )


def _error(frame: Frame) -> str:
    error_ms = frame.attrs.get("clock_error_ms")
    return "" if error_ms is None else f" The clocks agree to {number(float(error_ms))} ms."
