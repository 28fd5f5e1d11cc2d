"""Summaries of sweeps, and what is recommended of them."""

from __future__ import annotations

import doctest
import importlib
import statistics

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sse_widget as sw
from sse_widget.measure.interval import student_t
from sse_widget.measure.pareto import front_of
from sse_widget.measure.recommend import pareto_front

# Table of Student's distribution, two-sided: Abramowitz and Stegun, table 26.10.
T_TABLE = {
    (1, 0.95): 12.706,
    (2, 0.95): 4.303,
    (3, 0.95): 3.182,
    (4, 0.95): 2.776,
    (5, 0.95): 2.571,
    (10, 0.95): 2.228,
    (29, 0.95): 2.045,
    (30, 0.95): 2.042,
    (60, 0.95): 2.000,
    (120, 0.95): 1.980,
    (4, 0.99): 4.604,
    (7, 0.5): 0.711,
}


@pytest.mark.parametrize("known", T_TABLE)
def test_t_is_that_of_the_tables(known: tuple[int, float]) -> None:
    assert student_t(*known) == pytest.approx(T_TABLE[known], abs=6e-4)


def test_with_many_degrees_of_freedom_t_is_normal() -> None:
    assert student_t(5000) == pytest.approx(statistics.NormalDist().inv_cdf(0.975), abs=1e-3)


@pytest.mark.parametrize("bad", [(0, 0.95), (3, 0.0), (3, 1.0)])
def test_t_of_nothing_is_refused(bad: tuple[int, float]) -> None:
    with pytest.raises(ValueError, match="degrees of freedom"):
        student_t(*bad)


def table(rows: list[tuple[int, int, float, float]], **more: object) -> pd.DataFrame:
    names = ["seed", "chunk_tokens", "text_lag_p95_ms", "pause_ms"]
    return pd.DataFrame([dict(zip(names, row, strict=True)) for row in rows]).assign(stream="one", **more)


def test_a_summary_has_means_and_intervals_over_seeds() -> None:
    found = sw.summary(table([(0, 1, 10, 5), (1, 1, 14, 5), (2, 1, 12, 5), (0, 6, 30, 7)]))
    assert found["chunk_tokens"].tolist() == [1, 6]
    assert found["runs"].tolist() == [3, 1]
    assert found["text_lag_p95_ms"].tolist() == [12, 30]
    # The standard deviation is 2, t for two degrees of freedom 4.3027.
    half = 4.3027 * 2 / 3**0.5
    assert found["text_lag_p95_ms_low"][0] == pytest.approx(12 - half, abs=1e-3)
    assert found["text_lag_p95_ms_high"][0] == pytest.approx(12 + half, abs=1e-3)
    assert (found["pause_ms_low"][0], found["pause_ms_high"][0]) == (5, 5)
    assert found["text_lag_p95_ms_low"].isna().tolist() == [False, True]
    assert "seed" not in found


def test_a_real_sweep_can_be_summed_up() -> None:
    df = sw.sweep("english", chunk_tokens=[1, 6], jitter_ms=[0, 60], seeds=range(4))
    found = sw.summary(df)
    assert found[["stream", "chunk_tokens", "jitter_ms"]].drop_duplicates().shape == (4, 3)
    width = found["lag_p95_ms_high"] - found["lag_p95_ms_low"]
    assert (width[found["jitter_ms"] == 0] == 0).all()
    assert (width[found["jitter_ms"] == 60] > 0).all()


points = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 3)), max_size=25)


@given(points)
def test_the_front_is_what_nothing_beats(found: list[tuple[int, int, int]]) -> None:
    def beats(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
        return one != other and all(a <= b for a, b in zip(one, other, strict=True))

    unbeaten = {place for place, point in enumerate(found) if not any(beats(other, point) for other in found)}
    front = front_of(found)
    assert set(front) == unbeaten
    assert [found[place] for place in front] == sorted(found[place] for place in front)


def test_what_is_no_number_is_on_no_front() -> None:
    assert front_of([(float("nan"), 0.0), (1.0, 1.0)]) == [1]


# One chunk is late and even, the other quick and uneven; a third loses to both.
TRADE = table([(0, 1, 100, 40), (1, 1, 120, 40), (0, 6, 300, 10), (1, 6, 320, 10), (0, 12, 400, 50), (1, 12, 400, 50)])


def test_weights_choose_among_the_front() -> None:
    even, quick = sw.recommend(TRADE, {"text_lag_p95_ms": 1, "pause_ms": 10}), sw.recommend(TRADE)
    assert (quick.knobs, quick.score) == ({"chunk_tokens": 1}, 150)
    assert (even.knobs, even.score) == ({"chunk_tokens": 6}, 410)
    assert quick.front["chunk_tokens"].tolist() == even.front["chunk_tokens"].tolist() == [1, 6]
    assert even.front["score"].tolist() == [510, 410]
    assert repr(even) == (
        "Recommendation: chunk_tokens=6\n"
        "  has text_lag_p95_ms 310, pause_ms 10\n"
        "  because 1 * text_lag_p95_ms + 10 * pause_ms = 410 is the least of 3 combinations (6 runs),\n"
        "  2 of which are on the Pareto front, from 110 and 40 to 310 and 10"
    )


def test_a_figure_of_which_more_is_better_has_a_weight_below_0() -> None:
    found = sw.recommend(TRADE.assign(displayed_qoe=TRADE["pause_ms"] / 100), {"displayed_qoe": -1})
    assert found.knobs == {"chunk_tokens": 12}


def test_a_figure_of_weight_0_does_not_matter() -> None:
    found = sw.recommend(TRADE, {"text_lag_p95_ms": 1, "pause_ms": 0})
    assert (found.knobs, found.weights) == ({"chunk_tokens": 1}, {"text_lag_p95_ms": 1.0})
    assert found.front["chunk_tokens"].tolist() == [1]
    assert pareto_front(TRADE, {"text_lag_p95_ms": 1, "pause_ms": 0})["chunk_tokens"].tolist() == [1]
    with pytest.raises(ValueError, match="other than by 0"):
        sw.recommend(TRADE, {"pause_ms": 0})


def test_knobs_must_serve_all_streams_and_networks() -> None:
    fast = TRADE.assign(stream="two", latency_ms=100, text_lag_p95_ms=TRADE["text_lag_p95_ms"] * 3)
    found = sw.recommend(pd.concat([TRADE.assign(latency_ms=10), fast]))
    assert found.knobs == {"chunk_tokens": 1}
    assert found.figures["text_lag_p95_ms"] == pytest.approx((100 + 120 + 300 + 360) / 4)


def test_runs_that_did_not_end_well_do_not_count_and_are_told_of() -> None:
    broken = TRADE.assign(state="done")
    broken.loc[broken["chunk_tokens"] == 1, "state"] = "interrupted"
    found = sw.recommend(broken)
    assert (found.knobs, found.failed) == ({"chunk_tokens": 6}, 2)
    assert "2 runs that did not end in done were left out" in repr(found)
    with pytest.raises(ValueError, match="no run ended in done"):
        sw.recommend(TRADE.assign(state="gap"))


def test_what_cannot_be_weighed_or_chosen_is_named() -> None:
    with pytest.raises(ValueError, match="no column 'speed'"):
        sw.recommend(TRADE, {"speed": 1})
    with pytest.raises(ValueError, match="sweep a knob"):
        sw.recommend(TRADE.drop(columns="chunk_tokens"))


def test_the_front_of_single_runs_can_be_drawn() -> None:
    assert pareto_front(TRADE)["text_lag_p95_ms"].tolist() == [100, 300]


def test_a_real_sweep_has_a_front_on_which_lag_buys_smoothness() -> None:
    df = sw.sweep("bursty", chunk_tokens=[1, 6], base_delay_ms=[2, 8, 20], max_lag_ms=[100, 400], seeds=range(2))
    found = sw.recommend(df)
    front = found.front
    assert 1 < len(front) < found.combinations == 12
    assert front["text_lag_p95_ms"].is_monotonic_increasing
    assert front["pause_ms"].is_monotonic_decreasing
    assert found.score == front["score"].min()


@pytest.mark.parametrize("name", ["recommend", "sweep"])
def test_examples_hold(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"sse_widget.measure.{name}"))
    assert found.attempted > 1
    assert not found.failed
