"""The Python pacer against the shared vectors, and what holds at any schedule."""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from sse_widget.pacing.chunker import BOUNDARIES
from sse_widget.pacing.punctuation import CLAUSE_ENDS, LETTER, SENTENCE_ENDS, kind_of
from sse_widget.pacing.typewriter import Pacer, PacerOptions

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "typewriter.json").read_text("utf-8")
)

clusters_of = regex.compile(r"\X").findall


def run_step(pacer: Pacer, op: str, *args: Any) -> None:
    match op, args:
        case "append", (at, text):
            pacer.append(text, at)
        case "finish", (at,):
            pacer.finish(at)
        case "take", (at, want):
            assert pacer.take(at) == want
        case "next", (at, want):
            assert pacer.next_ms(at) == want
        case "backlog", (want,):
            assert pacer.backlog == want
        case "flush", (want,):
            assert pacer.flush() == want
        case "clear", ():
            pacer.clear()
        case "update", (changes,):
            pacer.update(msgspec.structs.replace(pacer.options, **changes))
        case _:
            pytest.fail(f"unknown step {op}")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_vector(vector: dict[str, Any]) -> None:
    pacer = Pacer(PacerOptions(**vector["options"]), clusters_of)
    for step in vector["steps"]:
        run_step(pacer, *step)


PIECES = [
    "a",
    "Z",
    " ",
    ".",
    ",",
    "\n",
    "\r",
    "م",
    "\u064e",
    "؟",
    "،",
    "你",
    "。",
    "e\u0301",
    "\u0301",
    "\u200d",
]
EMOJI = ["👩", "🚀", "👨‍👩‍👧‍👦", "🏽", "🇫", "🇷", "❤", "\ufe0f", "한", "ᄒ", "ᅡ"]

deltas = st.lists(st.sampled_from(PIECES + EMOJI), max_size=12).map("".join)
options = st.builds(
    PacerOptions,
    base_delay_ms=st.floats(0, 60),
    punctuation_delay_multiplier=st.floats(0, 20),
    comma_delay_multiplier=st.floats(0, 20),
    chars_per_step=st.integers(1, 6),
    max_lag_ms=st.floats(0, 500),
)
# Deltas and takes (None), each some time after the one before.
schedules = st.lists(st.tuples(st.floats(0, 120), st.none() | st.none() | deltas), max_size=60)


class Reader:
    """Takes from a pacer and checks, at every take, what the design promises of it."""

    def __init__(self, pace: PacerOptions) -> None:
        self.pacer = Pacer(pace, clusters_of)
        self.received = ""
        self.shown = ""
        self.waiting: list[tuple[int, float]] = []

    def append(self, text: str, now_ms: float) -> None:
        self.pacer.append(text, now_ms)
        self.received += text
        self.waiting.append((len(self.received), now_ms))

    def take(self, now_ms: float) -> None:
        self.shown += self.pacer.take(now_ms)
        assert self.received.startswith(self.shown)
        assert len(self.shown) in {0, *accumulate(map(len, clusters_of(self.received)))}, "a cluster is split"
        self.waiting = [(end, at) for end, at in self.waiting if end > len(self.shown)]
        assert all(at + self.pacer.options.max_lag_ms > now_ms for _, at in self.waiting), "later than the cap"


@settings(deadline=None, max_examples=500)
@given(options, schedules)
def test_any_schedule_nothing_lost_split_or_later_than_the_cap_at_the_next_take(
    pace: PacerOptions, schedule: list[tuple[float, str | None]]
) -> None:
    reader = Reader(pace)
    now_ms = 0.0
    for pause_ms, text in schedule:
        now_ms += pause_ms
        if text is None:
            reader.take(now_ms)
        else:
            reader.append(text, now_ms)
    reader.pacer.finish(now_ms)
    end_ms = now_ms + pace.max_lag_ms
    takes = 0
    while (next_ms := reader.pacer.next_ms(now_ms)) is not None:
        now_ms = next_ms
        takes += 1
        assert now_ms <= end_ms + 0.2
        assert takes < 10_000
        reader.take(now_ms)
    assert reader.shown == reader.received
    assert reader.pacer.idle
    assert reader.pacer.backlog == 0


def test_the_pace_does_not_depend_on_how_text_was_cut_into_deltas() -> None:
    text = "One, two; three! مرحبا، 你好。"
    runs = []
    for size in (1, 5, len(text)):
        pacer = Pacer(PacerOptions(max_lag_ms=60_000), clusters_of)
        for at in range(0, len(text), size):
            pacer.append(text[at : at + size], 0)
        pacer.finish(0)
        runs.append([pacer.take(now_ms) for now_ms in range(1000)])
    assert runs[0] == runs[1] == runs[2]
    assert "".join(runs[0]) == text


@pytest.mark.parametrize("delta", ["Hello, world. " * 75_000, "a" + "\u0301" * 1_000_000], ids=["text", "marks"])
def test_a_megabyte_at_once(delta: str) -> None:
    reader = Pacer(PacerOptions(), clusters_of)
    reader.append(delta, 0)
    reader.finish(0)
    assert "".join(reader.take(now_ms) for now_ms in range(0, 401, 16)) == delta


@pytest.mark.parametrize("delta", ["a", "\u0301"], ids=["letters", "marks"])
def test_a_hundred_thousand_deltas_cost_linear_work(delta: str) -> None:
    segmented = 0

    def counting(text: str) -> list[str]:
        nonlocal segmented
        segmented += len(text)
        return clusters_of(text)

    pacer = Pacer(PacerOptions(), counting)
    shown = ""
    for at in range(100_000):
        pacer.append(delta, at / 10)
        if at % 1000 == 0:
            shown += pacer.take(at / 10)
    pacer.finish(10_000)
    assert shown + pacer.take(10_400) == delta * 100_000
    assert segmented <= 70 * 100_000


def test_one_delta_a_millisecond_bounds_the_work_of_a_take() -> None:
    pacer = Pacer(PacerOptions(), clusters_of)
    for at in range(4000):
        pacer.append("ab", at / 10)
    assert pacer.backlog == 8000
    assert len(pacer._backlog.deltas) == 400


def test_punctuation_is_that_of_the_chunker() -> None:
    assert set(SENTENCE_ENDS + CLAUSE_ENDS) == BOUNDARIES | {"\r"}
    assert kind_of("-") == LETTER


@pytest.mark.parametrize("name", PacerOptions.__struct_fields__)
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_options_are_checked(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a finite number, 0 or more"):
        PacerOptions(**{name: value})


@pytest.mark.parametrize("value", [0, 1.5])
def test_a_step_is_a_whole_number_of_clusters(value: Any) -> None:
    with pytest.raises(ValueError, match="chars_per_step must be a whole number, 1 or more"):
        PacerOptions(chars_per_step=value)


def test_a_pacer_rests_while_only_the_held_cluster_waits_and_no_pause_is_left() -> None:
    pacer = Pacer(PacerOptions(), clusters_of)
    assert pacer.rests_ms is None, "nothing waits"
    pacer.append("ab", 0)
    assert pacer.rests_ms is None, "the a can be shown"
    assert pacer.take(0) == "a"
    assert pacer.rests_ms is None, "the pause after the a passes"
    assert pacer.take(16) == ""
    assert pacer.rests_ms == 400
    pacer.append("c", 100)
    assert pacer.rests_ms is None
    assert pacer.take(116) == "b"
    assert pacer.take(132) == ""
    assert pacer.rests_ms == 500, "the c came at 100"
    pacer.finish(140)
    assert pacer.rests_ms is None
    assert pacer.take(140) == "c"
