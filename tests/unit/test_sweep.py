"""Sweeps: every combination once, the same rows wherever they are computed."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from sse_widget.measure.graphemes import segment
from sse_widget.measure.sweep import PARAMETERS, figures, setting_of, sweep
from sse_widget.measure.virtual.run import Rehearsal, VirtualRun
from sse_widget.measure.virtual.serving import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS = ["A ", "few ", "words, ", "and ", "then ", "some ", "more."]
TOKENS = Tokens.of([(0.05 * at, text) for at, text in enumerate(WORDS)])
SLOW = Tokens.of([(0.4 * at, text) for at, text in enumerate(["كلمة ", "ثم ", "أخرى."])])
CROSSED = {"chunk_tokens": [1, 3], "max_lag_ms": [0, 100, 400], "jitter_ms": 30, "latency_ms": [10, 20]}


def seeded(seed: int) -> Callable[[], float]:
    return random.Random(seed).random


def test_each_combination_is_a_row_and_each_row_the_run_of_its_parameters() -> None:
    table = sweep({"quick": TOKENS, "slow": SLOW}, seeds=[1, 2], **CROSSED)
    names = ["stream", "seed", *CROSSED]
    assert list(table)[: len(names)] == names
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    assert len(rows) == 2 * 2 * 2 * 3 * 1 * 2
    assert len({tuple(row[name] for name in names) for row in rows}) == len(rows)
    for row in rows:
        tokens = {"quick": TOKENS, "slow": SLOW}[row["stream"]]
        setting = setting_of({name: row[name] for name in CROSSED})
        run = Rehearsal(tokens, segment, seeded).run(setting, row["seed"])
        assert {name: row[name] for name in row if name not in names} == figures(run)


def test_processes_and_threads_find_the_same_and_say_how_far_they_are() -> None:
    told: list[tuple[int, int]] = []
    lists = CROSSED | {"max_lag_ms": list(range(0, 600, 10))}
    by_processes = sweep({"quick": TOKENS}, progress=lambda *at: told.append(at), **lists)
    assert [total for _, total in told] == [240, 240, 240]
    assert max(done for done, _ in told) == 240
    with ThreadPoolExecutor(2) as executor:
        assert sweep({"quick": TOKENS}, executor=executor, **lists) == by_processes
        assert executor.submit(len, "open").result() == 4


def test_a_sweep_measures_what_it_is_asked_to() -> None:
    def last(run: VirtualRun) -> dict[str, float | None]:
        return {"deltas": len(run.texts), "end_s": run.end_s}

    table = sweep({"slow": SLOW}, measure=last, latency_ms=[0, 100])
    assert table == {
        "stream": ["slow", "slow"],
        "seed": [0, 0],
        "latency_ms": [0, 100],
        "deltas": [3, 3],
        "end_s": [0.8, pytest.approx(0.9)],
    }


def test_figures_of_a_run_by_hand() -> None:
    run = VirtualRun(
        asked_s=-0.5,
        texts=("a", "b", "c"),
        tokens=(1, 1, 1),
        model_first_s=(0.0, 0.1, 0.2),
        model_last_s=(0.0, 0.1, 0.2),
        chunk_s=(0.0, 0.1, 0.2),
        write_s=(0.0, 0.1, 0.2),
        receive_s=(0.5, 0.6, 1.0),
        show_first_s=(0.6, 0.7, 1.1),
        show_last_s=(0.6, 0.7, 1.1),
        paint_s=(0.7, 0.9, 1.5),
        frames_s=(0.6, 0.7, 1.1),
        frame_chars=(1, 2, 3),
        end_s=1.0,
        state="done",
    )
    assert figures(run) == {
        "ttft_ms": pytest.approx(1000),
        "ttfp_ms": pytest.approx(1200),
        "delivered_total_ms": pytest.approx(1500),
        "displayed_total_ms": pytest.approx(2000),
        "delivered_gap_p95_ms": pytest.approx(100 + 0.95 * 300),
        "displayed_gap_p95_ms": pytest.approx(200 + 0.95 * 400),
        "lag_p50_ms": pytest.approx(300),
        "lag_p95_ms": pytest.approx(300 + 0.9 * 200),
        "tail_ms": pytest.approx(500),
    }


def test_of_an_answer_without_text_there_is_nothing_to_say() -> None:
    table = sweep({"empty": Tokens.of([])}, chunk_ms=100)
    assert {name for name, values in table.items() if values != [None]} == {"stream", "seed", "chunk_ms"}


def test_a_sweep_of_nothing_has_no_rows() -> None:
    assert sweep({}, chunk_tokens=[1, 2]) == {"stream": [], "seed": [], "chunk_tokens": []}


def test_a_parameter_that_does_not_exist_is_named() -> None:
    with pytest.raises(TypeError, match="no parameter 'chunk_words'"):
        sweep({"slow": SLOW}, chunk_words=[1])


def test_a_bad_value_is_refused_before_anything_runs() -> None:
    def never(run: VirtualRun) -> dict[str, float | None]:
        raise AssertionError(run)

    with pytest.raises(ValueError, match="max_lag_ms"):
        sweep({"slow": SLOW}, measure=never, max_lag_ms=[100, -1])


def test_what_fails_in_a_worker_fails_here() -> None:
    def fails(run: VirtualRun) -> dict[str, float | None]:
        raise ArithmeticError(run.state)

    with ThreadPoolExecutor(2) as executor, pytest.raises(ArithmeticError, match="done"):
        sweep({"slow": SLOW}, measure=fails, executor=executor, max_lag_ms=range(300))


def test_no_name_means_two_parameters() -> None:
    assert set(PARAMETERS.values()) == {"knobs", "network", "pace", "page"}
    assert len(PARAMETERS) == 4 + 3 + 5 + 3
