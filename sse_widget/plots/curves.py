"""What was delivered and what was displayed over time, against what a reader expects."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from sse_widget.measure.qoe import Reader
from sse_widget.plots.marks import mark_events
from sse_widget.plots.picture import Picture, picture
from sse_widget.plots.rows import deltas_of, number
from sse_widget.plots.theme import LINES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sse_widget.measure.frame import Frame
    from sse_widget.plots.theme import Name, Theme

Flow = list[tuple[float, float, int]]

_ENGLISH = Reader()
_STRAIGHT_S = 1e-9


class Reading(NamedTuple):
    """For each character, when it is expected and when it can be read, in s; see `measure.qoe.qoe_of`."""

    expected_s: list[float]
    read_s: list[float]

    @property
    def late(self) -> float:
        """The area between the two curves, S_delay, in character seconds."""
        return sum(self.read_s) - sum(self.expected_s)

    @property
    def late_until_s(self) -> float:
        """When the last character was read that was late; 0 where none was."""
        pairs = zip(self.expected_s, self.read_s, strict=True)
        return max((read for expected, read in pairs if read - expected > _STRAIGHT_S), default=0.0)

    @property
    def qoe(self) -> float | None:
        """1 - S_delay / S_whole; None without characters."""
        whole = sum(self.read_s)
        return 1.0 - self.late / whole if whole > 0 else (1.0 if self.read_s else None)


def curves(
    frame: Frame, *, reader: Reader = _ENGLISH, theme: Name = "auto", title: str = "Delivered and displayed"
) -> Picture:
    """Draw how many characters were delivered and displayed over time, and how far both trail a reader's expectation.

    `frame` is `answer.frame()`. The dashed line is the expected reading curve of `reader` (from 1 s on, 21 characters a
    second, unless told otherwise); the hatched area between it and what the reader could read is S_delay of the quality
    of experience (Andes, arXiv 2404.16283). Heartbeats, breaks and new connections are marks. Raises ValueError
    without any delta.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"chars": [5, 5], "receive_s": [0.5, 1.0], "paint_s": [0.6, 1.1]})
    >>> curves(frame, title="Fast").description
    'Fast. 10 characters; delivered by 1 s, quality of experience 1; displayed by 1.1 s, quality of experience 1.'
    """
    deltas = deltas_of(frame)
    if not len(deltas):
        raise ValueError("there is nothing to draw: the run has no delta")
    flows = {name: flow for name, flow in flows_of(deltas).items() if flow}
    readings = {name: reading_of(flow, reader) for name, flow in flows.items()}
    said = {name: f"quality of experience {number(reading.qoe or 0.0)}" for name, reading in readings.items()}

    def paint(figure: Figure, colours: Theme) -> str:
        axes = figure.subplots()
        for (name, flow), line in zip(flows.items(), LINES, strict=False):
            label = f"{name}: {said[name]}"
            axes.plot(*corners(flow), color=getattr(colours, name), linestyle=line, linewidth=1.9, label=label)
        seen = readings.get("displayed", readings["delivered"])
        if seen.read_s:
            _expectation(axes, seen, colours)
        axes.set(xlabel="seconds since the question", ylabel="characters", ylim=(0, None))
        axes.set_xlim(0, 1.04 * max([seen.late_until_s, *(flow[-1][1] for flow in flows.values())]))
        marks = mark_events(axes, frame, colours)
        figure.legend(loc="outside lower left", ncols=2)
        ends = "; ".join(f"{name} by {number(flow[-1][1])} s, {said[name]}" for name, flow in flows.items())
        return f"{int(deltas['chars'].sum())} characters; {ends}.{marks}"

    return picture(paint, theme, title, height=4.0)


def flows_of(deltas: Frame) -> dict[str, Flow]:
    """Return of what was delivered and of what was displayed (s of the first and of the last character, characters)."""
    received = "receive_s" if "receive_s" in deltas else "received_s"
    painted = "paint_s" if "paint_s" in deltas else "painted_s"
    shown = "show_first_s" if "show_first_s" in deltas else "shown_s"
    return {"delivered": _flow(deltas, received, received), "displayed": _flow(deltas, shown, painted)}


def _flow(deltas: Frame, first: str, last: str) -> Flow:
    if last not in deltas:
        return []
    there = deltas[deltas[last].notna()]
    begins = there[first].fillna(there[last]) if first in there else there[last]
    return [
        (float(begin), float(end), int(chars))
        for begin, end, chars in zip(begins, there[last], there["chars"], strict=True)
    ]


def corners(flow: Flow) -> tuple[list[float], list[float]]:
    """Return times and numbers of characters between which the curve runs straight, from the question on."""
    ends = list(accumulate(chars for *_, chars in flow))
    times_s, counts = [0.0], [0.0]
    for (first_s, last_s, chars), end in zip(flow, ends, strict=True):
        times_s += [first_s, last_s]
        counts += [float(end - chars), float(end)]
    return times_s, counts


def reading_of(flow: Flow, reader: Reader) -> Reading:
    """Return when each character is expected and read; the characters of a delta appear evenly."""
    expected_s: list[float] = []
    read_s: list[float] = []
    for first_s, last_s, chars in flow:
        for place in range(chars):
            shown_s = first_s + (last_s - first_s) * place / max(chars - 1, 1) if last_s > first_s else first_s
            due_s = reader.ttft_s + len(expected_s) / reader.chars_per_s
            before_s = read_s[-1] + 1.0 / reader.chars_per_s if read_s else 0.0
            expected_s.append(due_s)
            read_s.append(max(due_s, shown_s, before_s))
    return Reading(expected_s, read_s)


def _expectation(axes: Axes, reading: Reading, colours: Theme) -> None:
    # Character i takes the height from i - 1 to i, so the drawn area is the sum over the characters.
    heights, expected_s, read_s = _straightened(reading)
    axes.plot(
        expected_s, heights, color=colours.expected, linestyle=(0, (6, 3)), linewidth=1.2, label="expected reading"
    )
    if reading.late > _STRAIGHT_S * len(reading.read_s):
        axes.fill_betweenx(
            heights,
            expected_s,
            read_s,
            facecolor=f"{colours.warn}2e",
            edgecolor=colours.warn,
            hatch="////",
            linewidth=0.0,
            label=f"read later than expected: {number(reading.late)} character seconds",
        )


def _straightened(reading: Reading) -> tuple[list[float], list[float], list[float]]:
    """Return heights and both times, without the points between which both curves run straight."""
    count = len(reading.read_s)
    heights = [0.0, *(place + 0.5 for place in range(count)), float(count)]
    expected_s = [reading.expected_s[0], *reading.expected_s, reading.expected_s[-1]]
    read_s = [reading.read_s[0], *reading.read_s, reading.read_s[-1]]
    kept = [
        at
        for at in range(len(heights))
        if at in {0, 1, count, count + 1} or _bends(expected_s, at) or _bends(read_s, at)
    ]
    return [heights[at] for at in kept], [expected_s[at] for at in kept], [read_s[at] for at in kept]


def _bends(values: Sequence[float], at: int) -> bool:
    return abs(values[at + 1] - 2 * values[at] + values[at - 1]) > _STRAIGHT_S
