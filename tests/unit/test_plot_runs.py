"""Plots of a run: bars, curves and areas are the frame's numbers."""

from __future__ import annotations

import random
from itertools import accumulate

import pandas as pd
import pytest

from sse_widget.measure.gaps import percentile
from sse_widget.measure.qoe import Reader, qoe_of
from sse_widget.measure.spans import Moment
from sse_widget.plots.compare import compare
from sse_widget.plots.curves import corners, curves, flows_of, reading_of
from sse_widget.plots.marks import events_of
from sse_widget.plots.theme import STAGES
from sse_widget.plots.waterfall import waterfall

STAMPS = ("model_first", "chunk", "append", "write", "receive", "parse", "show_last", "paint")


def _frame(count=12, seed=1, slow=1.0):
    """A frame as `frame_of` makes it, of stamps that follow each other at random distances."""
    drawn = random.Random(seed)
    rows = []
    for place in range(count):
        at_s, row = slow * 0.3 * (place + 1), {"kind": "delta", "seq": place + 2, "chars": drawn.randint(1, 9)}
        for stage, stamp in zip(STAGES, STAMPS, strict=True):
            length_s = at_s if stage == "source" else drawn.uniform(0.001, 0.2)
            at_s = at_s if stage == "source" else at_s + length_s
            row |= {f"{stamp}_s": at_s, f"{stage}_ms": 1000 * length_s}
        row["show_first_s"] = drawn.uniform(row["parse_s"], row["show_last_s"])
        rows.append(row | {"at_s": row["receive_s"], "state": None})
    frame = pd.DataFrame(rows)
    frame["gap_ms"] = 1000 * frame["receive_s"].diff()
    frame["displayed_gap_ms"] = 1000 * frame["paint_s"].diff()
    return frame


def _with_events(frame):
    events = pd.DataFrame(
        [
            ("state", 0.01, "connecting"),
            ("state", 0.02, "open"),
            ("ping", 0.9, None),
            ("ping", 1.4, None),
            ("state", 1.5, "waiting"),
            ("state", 1.7, "connecting"),
            ("state", 1.8, "open"),
            ("state", 2.5, "connecting"),
            ("state", 2.6, "open"),
            ("state", 4.0, "done"),
        ],
        columns=["kind", "at_s", "state"],
    )
    return pd.concat([frame, events]).sort_values("at_s", kind="stable").reset_index(drop=True)


def _bars(picture):
    return {
        bars.get_label().split(maxsplit=1)[0].rstrip(","): [
            (round(bar.get_y() + bar.get_height() / 2), bar.get_x(), bar.get_width()) for bar in bars
        ]
        for bars in picture.figure.axes[0].containers
    }


def test_each_bar_is_a_stage_as_long_as_the_frame_says():
    frame = _frame()
    bars = _bars(waterfall(_with_events(frame)))
    assert list(bars) == list(STAGES)
    for stage in STAGES:
        assert [place for place, *_ in bars[stage]] == list(range(len(frame)))
        assert [width for *_, width in bars[stage]] == pytest.approx(list(frame[f"{stage}_ms"] / 1000))


def test_the_bars_of_a_delta_lead_from_the_question_to_the_screen():
    frame = _frame()
    bars = _bars(waterfall(frame))
    for place in range(len(frame)):
        mine = [bars[stage][place] for stage in STAGES]
        ends = [x + width for _, x, width in mine]
        assert [x for _, x, _ in mine] == pytest.approx([0, *ends[:-1]])
        assert ends[-1] == pytest.approx(frame["paint_s"][place])


def test_since_the_token_all_bars_begin_together_and_in_ms():
    frame = _frame()
    bars = _bars(waterfall(frame, since="token"))
    assert "source" not in bars
    assert [x for _, x, _ in bars["chunk"]] == pytest.approx([0] * len(frame))
    assert [width for *_, width in bars["network"]] == pytest.approx(list(frame["network_ms"]))


def test_a_stage_that_is_not_known_has_no_bar():
    frame = _frame()
    frame.loc[3, ["show_ms", "paint_ms", "show_last_s", "paint_s"]] = float("nan")
    bars = _bars(waterfall(frame))
    assert [place for place, *_ in bars["show"]] == [place for place in range(12) if place != 3]
    assert len(bars["parse"]) == 12
    alone = frame.assign(**dict.fromkeys(("show_ms", "paint_ms"), float("nan")))
    assert set(_bars(waterfall(alone))) == set(STAGES) - {"show", "paint"}


def test_the_legend_has_the_median_of_each_stage():
    frame = _frame()
    labels = [bars.get_label() for bars in waterfall(frame).figure.axes[0].containers]
    assert labels[0] == f"source, first {frame['source_ms'][0]:,.0f} ms"
    assert labels[4] == f"network {frame['network_ms'].median():.3g} ms"


def test_the_clocks_error_is_said():
    frame = _frame()
    frame.attrs["clock_error_ms"] = 0.25
    assert "The clocks agree to 0.25 ms." in waterfall(frame).description


@pytest.mark.parametrize("frame", [_frame(1)[["chars", "receive_s"]].assign(source_ms=1.0), _frame(401)])
def test_what_no_waterfall_can_show_is_refused(frame):
    with pytest.raises(ValueError, match="of 1 to 400 deltas with stages"):
        waterfall(frame)


def test_breaks_are_waits_and_reconnections_at_once():
    assert events_of(_with_events(_frame())) == {
        "heartbeat": [0.9, 1.4],
        "break": [1.5, 2.5],
        "new connection": [1.8, 2.6],
    }
    assert events_of(_frame().drop(columns="kind")) == {"heartbeat": [], "break": [], "new connection": []}


@pytest.mark.parametrize("draw", [waterfall, curves])
def test_events_are_marked_at_their_times(draw):
    marks = {
        line.get_label().split(",")[0]: list(line.get_xdata())
        for line in draw(_with_events(_frame())).figure.axes[0].lines
        if line.get_linestyle() == "None"
    }
    assert marks == {"heartbeat": [0.9, 1.4], "break": [1.5, 2.5], "new connection": [1.8, 2.6]}


def test_the_curves_rise_by_a_deltas_characters_while_it_appears():
    frame = _frame()
    lines = {line.get_label().split(":")[0]: line for line in curves(frame).figure.axes[0].lines}
    ends = list(accumulate(frame["chars"]))
    delivered = lines["delivered"]
    assert list(delivered.get_xdata())[1::2] == list(delivered.get_xdata())[2::2] == list(frame["receive_s"])
    assert list(delivered.get_ydata())[2::2] == ends
    displayed = lines["displayed"]
    assert list(displayed.get_xdata())[1::2] == list(frame["show_first_s"])
    assert list(displayed.get_xdata())[2::2] == list(frame["paint_s"])
    assert list(displayed.get_ydata())[1::2] == [0, *ends[:-1]]


@pytest.mark.parametrize("slow", [0.2, 1.0, 5.0])
@pytest.mark.parametrize("reader", [Reader(), Reader(chars_per_s=60, ttft_s=0.1), Reader(chars_per_s=3)])
def test_the_areas_are_those_of_the_quality_of_experience(slow, reader):
    for name, flow in flows_of(_frame(40, seed=3, slow=slow)).items():
        reading = reading_of(flow, reader)
        assert reading.qoe == pytest.approx(qoe_of([Moment(*delta) for delta in flow], 0.0, reader)), name


@pytest.mark.parametrize("slow", [0.5, 5.0])
def test_the_drawn_area_is_the_delay(slow):
    frame = _frame(40, seed=3, slow=slow)
    reader = Reader(chars_per_s=60, ttft_s=0.1)
    late = reading_of(flows_of(frame)["displayed"], reader).late
    (area,) = curves(frame, reader=reader).figure.axes[0].collections
    (path,) = area.get_paths()
    points = path.vertices[:-1]
    shoelace = sum(
        x * after - after_x * y for (x, y), (after_x, after) in zip(points, [*points[1:], points[0]], strict=True)
    )
    assert abs(shoelace) / 2 == pytest.approx(late)
    assert late > 1


def test_who_reads_slowly_waits_for_nothing():
    axes = curves(_frame(), reader=Reader(chars_per_s=1, ttft_s=60)).figure.axes[0]
    assert not axes.collections


def test_a_run_whose_display_is_unknown_is_judged_by_its_delivery():
    frame = _frame(40, slow=5).assign(show_first_s=float("nan"), paint_s=float("nan"))
    picture = curves(frame)
    assert len(picture.figure.axes[0].collections) == 1
    assert "displayed by" not in picture.description


def test_curves_and_comparisons_need_a_delta():
    with pytest.raises(ValueError, match="no delta"):
        curves(_frame().iloc[:0])
    with pytest.raises(ValueError, match="without a delta cannot be drawn: empty"):
        compare({"full": _frame(), "empty": _frame().iloc[:0]})
    for frames in ({}, dict.fromkeys("abcdefg", _frame())):
        with pytest.raises(ValueError, match="1 to 6 runs"):
            compare(frames)


def test_runs_are_compared_by_what_was_seen_and_by_their_gaps():
    frames = {"one": _frame(seed=1), "قطع": _frame(seed=2, slow=2.0)}
    left, right = compare(frames).figure.axes
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in left.lines if len(line.get_xdata()) > 1]
    assert drawn == [corners(flows_of(frame)["displayed"]) for frame in frames.values()]
    assert [label.get_text() for label in right.get_yticklabels()] == ["one", "قطع"]
    ranges = [list(line.get_xdata()) for line in right.lines if len(line.get_xdata()) == 2]
    columns = [frame[name].dropna().tolist() for frame in frames.values() for name in ("gap_ms", "displayed_gap_ms")]
    assert ranges == [[percentile(values, 0.05), percentile(values, 0.95)] for values in columns]
