"""Plots of a sweep: cells are means, and the front is what nothing beats."""

from __future__ import annotations

import random
from itertools import product
from types import SimpleNamespace

import pandas as pd
import pytest
from matplotlib.colors import LogNorm
from matplotlib.patches import Rectangle

from sse_widget.measure.pareto import front_of
from sse_widget.plots.heatmap import heatmap
from sse_widget.plots.pareto import pareto
from sse_widget.plots.theme import contrast

SWEEP = pd.DataFrame(
    [
        (seed, tokens, lag, 10.0 * tokens + lag / 10 + seed, 100.0 / tokens + lag / 10 - seed)
        for seed, tokens, lag in product((0, 2), (1, 3, 6), (200.0, 400.0))
    ],
    columns=["seed", "chunk_tokens", "max_lag_ms", "text_lag_p95_ms", "pause_ms"],
)


def test_cells_are_means_over_what_is_not_on_the_axes():
    axes = heatmap(SWEEP, "chunk_tokens", "max_lag_ms", "text_lag_p95_ms").figure.axes[0]
    drawn = axes.collections[0].get_array().tolist()
    assert drawn == [[31.0, 51.0, 81.0], [51.0, 71.0, 101.0]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "3", "6"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["200", "400"]
    assert {text.get_text(): text.get_position() for text in axes.texts}["81"] == (2.5, 0.5)


@pytest.mark.parametrize(("best", "place"), [("least", (0, 0)), ("most", (2, 1))])
def test_the_best_cell_has_a_frame(best, place):
    axes = heatmap(SWEEP, "chunk_tokens", "max_lag_ms", "text_lag_p95_ms", best=best).figure.axes[0]
    frames = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert {(frame.get_x(), frame.get_y()) for frame in frames} == {place}


def test_the_numbers_in_the_cells_are_readable():
    table = pd.DataFrame({"a": range(14), "b": 0, "v": range(14)})
    axes = heatmap(table, "a", "b", "v").figure.axes[0]
    mesh = axes.collections[0]
    for text, value in zip(axes.texts, range(14), strict=True):
        red, green, blue, _ = mesh.to_rgba(value, bytes=True)
        assert contrast(text.get_color(), f"#{red:02x}{green:02x}{blue:02x}") >= 4.5


@pytest.mark.parametrize(("most", "wide"), [(19.0, False), (21.0, True)])
def test_figures_of_different_sizes_have_a_logarithmic_scale(most, wide):
    table = pd.DataFrame({"a": [1, 2], "b": 0, "v": [1.0, most]})
    axes, scale = heatmap(table, "a", "b", "v").figure.axes
    assert isinstance(axes.collections[0].norm, LogNorm) == wide
    said = [label.get_text() for label in scale.get_yticklabels()]
    assert len([text for text in said if text.replace(".", "").isdecimal()]) >= 2, said


def test_a_pair_without_runs_is_left_out():
    axes = heatmap(SWEEP.drop(index=[0, 6]), "chunk_tokens", "max_lag_ms", "text_lag_p95_ms").figure.axes[0]
    assert axes.collections[0].get_array().mask.tolist() == [[True, False, False], [False, False, False]]
    assert len(axes.texts) == 5


def test_a_map_of_many_cells_has_no_numbers():
    table = pd.DataFrame({"a": range(15), "b": 0, "v": 1.0})
    assert not heatmap(table, "a", "b", "v").figure.axes[0].texts


@pytest.mark.parametrize(
    ("columns", "options", "said"),
    [
        (("nothing", "max_lag_ms", "text_lag_p95_ms"), {}, "no column nothing; there are seed"),
        (("chunk_tokens", "max_lag_ms", "text_lag_p95_ms"), {"best": "middle"}, "'least' or the 'most'"),
    ],
)
def test_a_map_that_cannot_be_drawn_is_refused(columns, options, said):
    with pytest.raises(ValueError, match=said):
        heatmap(SWEEP, *columns, **options)


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([(1, 1)], [0]),
        ([(1, 3), (2, 2), (3, 1)], [0, 1, 2]),
        ([(3, 1), (1, 3), (2, 3), (3, 2)], [1, 0]),
        ([(1, 1), (1, 1), (1, 2)], [0, 1]),
    ],
)
def test_the_front_is_what_nothing_beats(points, front):
    assert front_of(points) == front


def test_the_front_is_what_the_definition_says():
    drawn = random.Random(7)
    points = [(drawn.randint(0, 20), drawn.randint(0, 20)) for _ in range(200)]
    beaten = {at for at, (x, y) in enumerate(points) if any((a, b) != (x, y) and a <= x and b <= y for a, b in points)}
    assert set(front_of(points)) == set(range(200)) - beaten


def test_points_are_means_and_the_front_joins_the_unbeaten():
    axes = pareto(SWEEP).figure.axes[0]
    lines = {line.get_label(): list(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in axes.lines}
    means = SWEEP.groupby(["chunk_tokens", "max_lag_ms"])[["text_lag_p95_ms", "pause_ms"]].mean()
    points = [tuple(point) for point in means.to_numpy().tolist()]
    assert lines["6 settings"] == points
    assert lines["front: none is better in both"] == [points[at] for at in front_of(points)]


def test_runs_that_did_not_end_well_are_in_no_mean_and_told_of():
    failed = SWEEP.assign(state="interrupted", text_lag_p95_ms=0.0, pause_ms=0.0)
    both = pd.concat([SWEEP.assign(state="done"), failed.head(5)])
    for draw in (pareto, lambda df: heatmap(df, "chunk_tokens", "max_lag_ms", "text_lag_p95_ms")):
        told = draw(both).description
        assert " 5 runs that did not end in done were left out." in told
        assert told.replace(" 5 runs that did not end in done were left out.", "") == draw(SWEEP).description
        with pytest.raises(ValueError, match=r"no setting|needs numbers"):
            draw(failed)


def test_the_key_names_the_settings_of_the_front():
    picture = pareto(SWEEP)
    (key,) = [[text.get_text() for text in legend.get_texts()] for legend in picture.figure.legends]
    assert key[0] == "A chunk_tokens 1, max_lag_ms 200 (31, 119)"
    letters = [text.get_text() for text in picture.figure.axes[0].texts]
    assert letters == [line[0] for line in key]


def test_settings_of_one_point_share_a_letter():
    twice = SWEEP.assign(text_lag_p95_ms=SWEEP["chunk_tokens"] * 10.0, pause_ms=100.0 / SWEEP["chunk_tokens"])
    (key,) = [[text.get_text() for text in legend.get_texts()] for legend in pareto(twice).figure.legends]
    assert key[0] == "A chunk_tokens 1, any max_lag_ms of 2 (10, 100)"


KNOBS = {"chunk_tokens": 3, "max_lag_ms": 200.0, "temperature": 1}


@pytest.mark.parametrize("recommended", [KNOBS, SimpleNamespace(knobs=KNOBS)])
def test_the_recommended_setting_has_a_star(recommended):
    picture = pareto(SWEEP, recommended=recommended)
    (star,) = [line for line in picture.figure.axes[0].lines if line.get_label() == "recommended"]
    assert (list(star.get_xdata()), star.get_marker()) == ([51.0], "*")
    with pytest.raises(ValueError, match="none of the sweep's: chunk_tokens 4"):
        pareto(SWEEP, recommended={"chunk_tokens": 4})


@pytest.mark.parametrize(
    ("table", "options", "said"),
    [
        (SWEEP, {"lag": "tail_ms"}, "the table lacks tail_ms; it has seed"),
        (SWEEP[["seed", "text_lag_p95_ms", "pause_ms"]], {}, "lacks a knob"),
        (SWEEP.assign(text_lag_p95_ms=float("nan")), {}, "no setting"),
    ],
)
def test_a_sweep_without_settings_is_refused(table, options, said):
    with pytest.raises(ValueError, match=said):
        pareto(table, **options)
