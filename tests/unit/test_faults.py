"""Fault plans against the shared vectors, and what holds for any of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_widget.errors import InvalidPlan, SSEWidgetError
from sse_widget.protocol.chance import Chance, mix
from sse_widget.protocol.disturbance import MAX_PIECES, Happening, Over, Sent
from sse_widget.protocol.fault_steps import KINDS, MAX_BYTES, MAX_FRAMES_LATE, Step
from sse_widget.protocol.faults import FaultPlan, Refusal

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "faults.json").read_text("utf-8"))


def bytes_of(said: dict[str, Any]) -> bytes:
    return bytes.fromhex(said["hex"]) if "hex" in said else said["bytes"].encode()


def happenings_of(
    plan: FaultPlan, frames: list[tuple[float, bytes]], end_ms: float, attempt: int = 1
) -> list[Happening]:
    disturbance = plan.disturb(attempt)
    happenings = [one for at_ms, frame in frames for one in disturbance.feed(frame, at_ms)]
    return happenings + disturbance.end(end_ms)


def sent(happenings: list[Happening]) -> bytes:
    return b"".join(one.data for one in happenings if isinstance(one, Sent))


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    frames = [(at_ms, text.encode()) for at_ms, text in case["frames"]]
    want = [
        Over(said["at_ms"], said["broken"]) if "broken" in said else Sent(said["at_ms"], bytes_of(said))
        for said in case["happenings"]
    ]
    assert happenings_of(FaultPlan.of(case["plan"]), frames, case["end_ms"], case["attempt"]) == want


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=lambda case: case["message"][12:60])
def test_a_bad_plan_names_the_step_and_the_field(case: dict[str, Any]) -> None:
    with pytest.raises(SSEWidgetError) as caught:
        FaultPlan.of(case["value"])
    error = caught.value
    assert isinstance(error, InvalidPlan)
    assert (error.message, error.step, error.field) == (case["message"], case["step"], case["field"])
    assert error.code == "invalid_request"


@pytest.mark.parametrize("text", ["", "{", b"\xff", '{"seed":1}}', "NaN"])
def test_what_is_no_json_is_no_plan(text: str | bytes) -> None:
    with pytest.raises(InvalidPlan, match="it is no JSON"):
        FaultPlan.parse(text)


def test_a_plan_is_read_from_whatever_says_it() -> None:
    value, dump = VECTORS["dumps"][0]
    ways = [FaultPlan.read(given) for given in (value, dump, dump.encode(), FaultPlan.of(value))]
    assert {plan.dump() for plan in ways} == {dump}
    made = FaultPlan(1, (Step(attempt=1, kind="stall", ms=-5),))
    with pytest.raises(InvalidPlan, match=r"steps\[0\].ms must be"):
        FaultPlan.read(made)
    with pytest.raises(InvalidPlan, match="longer than 16384 characters"):
        FaultPlan.read(" " * 16_385)


def test_dumps() -> None:
    for value, dump in VECTORS["dumps"]:
        assert FaultPlan.of(value).dump() == dump
        assert FaultPlan.parse(dump).dump() == dump


def test_drawn_plans() -> None:
    for case in VECTORS["drawn"]:
        assert FaultPlan.random(case["seed"], **case["bounds"]).dump() == case["dump"]


def test_chance() -> None:
    for case in VECTORS["words"]:
        chance = Chance.of_words(tuple(case["words"]))
        assert [chance.word() for _ in case["next"]] == case["next"]
    for case in VECTORS["seeded"]:
        chance = Chance(case["seed"], case["stream"])
        assert [chance.word() for _ in case["next"]] == case["next"]
        for bound in (1000, 3_221_225_472):
            want = case[f"below_{bound}"]
            assert [chance.below(bound) for _ in want] == want
        assert chance.unit() == case["unit"]
    for word, mixed in VECTORS["mixes"]:
        assert mix(word) == mixed


def test_a_refusal_is_of_one_attempt() -> None:
    plan = FaultPlan.of({"seed": 1, "steps": [{"attempt": 2, "kind": "refuse", "status": 429, "retry_after_s": 3}]})
    assert [plan.refusal(attempt) for attempt in (1, 2, 3)] == [None, Refusal(429, 3), None]


def test_a_long_frame_drips_in_few_pieces_at_the_same_rate() -> None:
    plan = FaultPlan.of({"seed": 1, "steps": [{"attempt": 1, "kind": "drip", "bytes": 2, "ms": 3}]})
    frame = bytes(100_000)
    happenings = happenings_of(plan, [(0, frame)], 0)
    assert len(happenings) <= MAX_PIECES + 1
    assert sent(happenings) == frame
    assert 149_900 <= happenings[-1].at_ms <= 150_000


@pytest.mark.parametrize("bounds", [{"attempts": 9}, {"steps": 0}, {"events": 1001}])
def test_bounds_of_drawing_are_bounded(bounds: dict[str, int]) -> None:
    (field,) = bounds
    with pytest.raises(InvalidPlan, match=field):
        FaultPlan.random(1, **bounds)


def test_every_kind_is_drawn() -> None:
    drawn = {step.kind for seed in range(100) for step in FaultPlan.random(seed).steps}
    assert drawn == set(KINDS)


plans = st.builds(
    lambda seed, events: FaultPlan.random(seed, attempts=1, steps=8, events=events),
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
)
frames_of = st.lists(st.tuples(st.integers(0, 1000), st.binary(max_size=40)), max_size=12)


@given(plans, frames_of)
def test_time_never_runs_backward_and_the_end_comes_once(plan: FaultPlan, gaps: list[tuple[int, bytes]]) -> None:
    at_ms, frames = 0, []
    for gap_ms, frame in gaps:
        at_ms += gap_ms
        frames.append((at_ms, frame))
    happenings = happenings_of(plan, frames, at_ms)
    times = [one.at_ms for one in happenings]
    assert times == sorted(times)
    assert [isinstance(one, Over) for one in happenings] == [False] * (len(happenings) - 1) + [True]
    assert happenings == happenings_of(FaultPlan.parse(plan.dump()), frames, at_ms)


@given(plans, frames_of)
def test_what_only_takes_time_loses_nothing(plan: FaultPlan, frames: list[tuple[int, bytes]]) -> None:
    slow = tuple(step for step in plan.steps if step.kind in {"stall", "delay", "jitter", "drip", "buffer"})
    assert sent(happenings_of(FaultPlan(plan.seed, slow), frames, 1000)) == b"".join(frame for _, frame in frames)


@given(plans, st.lists(st.binary(min_size=1, max_size=2000), min_size=1, max_size=60))
def test_what_is_held_back_is_bounded(plan: FaultPlan, frames: list[bytes]) -> None:
    disturbance = plan.disturb(1)
    for number, frame in enumerate(frames):
        disturbance.feed(frame, number)
        assert len(disturbance._late) <= MAX_FRAMES_LATE
        assert disturbance._held_bytes < MAX_BYTES
        assert disturbance._held_bytes == sum(map(len, disturbance._held)) or disturbance.over
