"""Plots of gaps and of other samples: what is drawn are the values, not only their look."""

from __future__ import annotations

import pandas as pd
import pytest

from sse_widget.measure.gaps import percentile
from sse_widget.plots.distribution import distribution, steps
from sse_widget.plots.gaps import gaps

DELIVERED = [10.0, 30.0, 30.0, 230.0]
DISPLAYED = [20.0, 20.0, 25.0, 60.0]
FRAME = pd.DataFrame(
    {
        "kind": ["delta", "ping", "delta", "delta", "state", "delta", "delta"],
        "gap_ms": [None, 5.0, *DELIVERED[:2], 7.0, *DELIVERED[2:]],
        "displayed_gap_ms": [None, None, *DISPLAYED[:2], None, *DISPLAYED[2:]],
    }
)


def _line(axes, label):
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return list(line.get_xdata()), list(line.get_ydata())


def test_the_curve_is_the_share_of_gaps_that_are_no_longer():
    axes = gaps(FRAME, kind="ecdf").figure.axes[0]
    assert _line(axes, "delivered") == ([10, 10, 30, 30, 230], [0, 0.25, 0.5, 0.75, 1])
    at_ms, shares = _line(axes, "displayed")
    for limit in (19.0, 20.0, 24.9, 25.0, 60.0):
        drawn = max((share for at, share in zip(at_ms, shares, strict=True) if at <= limit), default=0.0)
        assert drawn == sum(gap <= limit for gap in DISPLAYED) / len(DISPLAYED)


def test_marks_stand_at_the_median_and_at_the_95th_percentile():
    axes = gaps(FRAME, kind="ecdf").figure.axes[0]
    marks = [
        (*line.get_xdata(), *line.get_ydata(), line.get_marker()) for line in axes.lines if len(line.get_xdata()) == 1
    ]
    assert marks == [
        (percentile(values, share), share, marker)
        for values in (DELIVERED, DISPLAYED)
        for share, marker in ((0.5, "o"), (0.95, "D"))
    ]


def test_bars_above_and_below_the_line_hold_every_gap_once():
    axes = gaps(FRAME, kind="histogram").figure.axes[0]
    above, below = ([(bar.get_x(), bar.get_width(), bar.get_height()) for bar in bars] for bars in axes.containers)
    assert above[0][0] == 0
    assert above[-1][0] + above[-1][1] == pytest.approx(230)
    for bars, values, side in ((above, DELIVERED, 1), (below, DISPLAYED, -1)):
        assert sum(height for *_, height in bars) == side * len(values)
        for x, width, height in bars[:-1]:
            assert side * height == sum(x <= gap < x + width for gap in values)


def test_what_was_not_displayed_is_not_drawn():
    frame = FRAME.assign(displayed_gap_ms=float("nan"))
    picture = gaps(frame, kind="ecdf")
    assert [line.get_label() for line in picture.figure.axes[0].lines if not line.get_label().startswith("_")] == [
        "delivered"
    ]
    assert "displayed" not in picture.description


@pytest.mark.parametrize("longest_ms", [799.0, 801.0])
def test_the_limit_of_a_stall_is_drawn_where_gaps_come_near_it(longest_ms):
    frame = pd.DataFrame({"gap_ms": [None, 20.0, longest_ms]})
    drawn = [text.get_text() for text in gaps(frame).figure.axes[0].texts]
    assert ("stall" in drawn) == (longest_ms > 800)


def test_without_gaps_there_is_nothing_to_draw():
    with pytest.raises(ValueError, match="two deltas"):
        gaps(pd.DataFrame({"gap_ms": [None], "displayed_gap_ms": [None]}))


def test_up_to_six_samples_have_a_line_style_each():
    samples = {f"run {number}": [number, number + 1.0] for number in range(6)}
    axes = distribution(samples, kind="ecdf").figure.axes[0]
    lines = [line for line in axes.lines if not line.get_label().startswith("_")]
    assert len({line.get_linestyle() if isinstance(line.get_linestyle(), str) else 0 for line in lines}) > 1
    assert (
        len({line.get_color() for line in lines})
        == len({tuple(line._unscaled_dash_pattern[1] or ()) for line in lines})
        == 6
    )


@pytest.mark.parametrize(
    ("samples", "kind"), [({}, "ecdf"), ({"a": []}, "ecdf"), ({name: [1.0] for name in "abc"}, "both")]
)
def test_samples_that_cannot_be_drawn_are_refused(samples, kind):
    with pytest.raises(ValueError, match="is drawn of 1 to"):
        distribution(samples, kind=kind)


def test_a_curve_of_one_value_is_one_step():
    assert steps([7.0]) == ([7.0, 7.0], [0.0, 1.0])
