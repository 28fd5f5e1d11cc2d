"""Readers on broken ways: the text is the right one, or the state is honest."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rig.journey import journey
from sse_widget.protocol.fault_steps import KINDS
from sse_widget.protocol.faults import FaultPlan

VECTOR: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "faults_journeys.json").read_text("utf-8"))
PLANS = 2000
SPOILING = {"truncate", "corrupt", "reorder"}
"""Kinds that may spoil what is read again, too; of the others, only a refusal for good cannot be mended."""
FOR_GOOD = {404, 410}
HONEST = {
    "error": {"payload_mismatch", "not_found", "expired"},
    "gap": {"gap"},
    "interrupted": {"connect_failed", "overloaded", "rate_limited"},
}


def drawn(seed: int) -> FaultPlan:
    return FaultPlan.random(seed, **VECTOR["bounds"])


def mendable(plan: FaultPlan) -> bool:
    return not any(step.kind in SPOILING or step.status in FOR_GOOD for step in plan.steps)


def test_the_text_is_right_or_the_state_is_honest() -> None:
    states: Counter[str] = Counter()
    reached: Counter[str] = Counter()
    mended = 0
    for seed in range(PLANS):
        plan = drawn(seed)
        reader = journey(seed, plan).run()
        (terminal,) = reader.terminals
        if terminal.state == "done":
            assert reader.text == reader.log.text, f"seed {seed}: a wrong text is called done: {plan.dump()}"
        else:
            assert terminal.code in HONEST[terminal.state], f"seed {seed}"
        if reader.patient and mendable(plan):
            mended += 1
            assert terminal.state == "done", f"seed {seed}: {plan.dump()}"
        assert reader.session.tick(reader.now_ms + 1e9) == reader.session.ended(reader.now_ms) == []
        assert journey(seed, FaultPlan.parse(plan.dump())).run().received == reader.received, (
            "other bytes by the same plan"
        )
        states[terminal.state] += 1
        reached.update(reader.reached)
    print(dict(states), dict(reached), f"{mended} without spoiling")
    assert states["done"] >= 0.8 * PLANS
    assert min(states["gap"], states["error"], states["interrupted"]) >= 5
    assert mended >= 100
    assert set(reached) == set(KINDS)
    assert min(reached.values()) >= 20


@pytest.mark.parametrize("said", VECTOR["journeys"], ids=lambda said: str(said["seed"]))
def test_both_languages_go_the_same_way(said: dict[str, Any]) -> None:
    reader = journey(said["seed"], drawn(said["seed"])).run()
    (terminal,) = reader.terminals
    assert said == {
        "seed": said["seed"],
        "state": terminal.state,
        "code": terminal.code,
        "connections": reader.session.connection,
        "received_crc32": reader.received,
        "reached": sorted(reader.reached),
    }
