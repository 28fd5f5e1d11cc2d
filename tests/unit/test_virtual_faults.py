"""Virtual runs under faults: the reader comes back on the virtual clock, and what it ends in is honest."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from sse_widget.measure.graphemes import segment
from sse_widget.measure.virtual.network import Network
from sse_widget.measure.virtual.reading import Reconnection
from sse_widget.measure.virtual.run import Rehearsal, Setting, VirtualRun
from sse_widget.measure.virtual.serving import Tokens
from sse_widget.pacing.chunker import Knobs
from sse_widget.protocol.backoff import MAX_RETRY_MS
from sse_widget.protocol.faults import FaultPlan

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS = ["A ", "few ", "words, ", "ثم ", "كلمات، ", "再加上。", "👩‍👩‍👧‍👦 ", "e\u0301nd."]
TOKENS = Tokens.of([(0.1 * at, text) for at, text in enumerate(WORDS * 4)])
RETRY_S = 0.3
LATENCY_S = 0.05


def seeded(seed: int) -> Callable[[], float]:
    return random.Random(seed).random


def run(fault: FaultPlan | None, seed: int = 0, tokens: Tokens = TOKENS, **reconnection: float) -> VirtualRun:
    network = Network(latency_ms=1000 * LATENCY_S)
    setting = Setting(Knobs(chunk_tokens=1), network, fault=fault, reconnection=Reconnection(**reconnection))
    return Rehearsal(tokens, segment, seeded).run(setting, seed)


def plan(*steps: dict[str, object]) -> FaultPlan:
    return FaultPlan.of({"seed": 1, "steps": [{"attempt": 1, **step} for step in steps]})


def test_whatever_goes_wrong_the_text_is_right_or_the_state_is_honest() -> None:
    states: Counter[str] = Counter()
    connections: Counter[int] = Counter()
    rehearsal = Rehearsal(TOKENS, segment, seeded)
    for seed in range(400):
        fault = FaultPlan.random(seed, events=40)
        found = rehearsal.run(Setting(Knobs(chunk_tokens=2), Network(20, 30, 50_000), fault=fault), seed)
        states[found.state] += 1
        connections[found.connections] += 1
        if found.state == "done":
            assert found.text == "".join(TOKENS.texts), f"seed {seed}"
        columns = (found.model_last_s, found.chunk_s, found.write_s, found.receive_s, found.show_last_s, found.paint_s)
        for times_s in zip(*columns, strict=True):
            assert list(times_s) == sorted(times_s), f"seed {seed}: no stage comes before the one before it"
        assert list(found.receive_s) == sorted(found.receive_s)
    print(dict(states), dict(connections))
    assert states["done"] > 300
    assert len(states) > 1
    assert len(connections) > 3


def test_the_same_seed_gives_the_same_run_and_another_seed_waits_otherwise() -> None:
    fault = plan({"kind": "cut", "event": 10, "where": "after"})
    assert run(fault, 1) == run(fault, 1)
    assert run(fault, 1).receive_s != run(fault, 2).receive_s


def test_a_cut_costs_the_wait_and_a_round_trip() -> None:
    """After hello, start and 10 deltas the connection breaks; the 11th token comes at 1.0 s, the 10th at 0.9 s."""
    whole, cut = run(None), run(plan({"kind": "cut", "event": 11, "where": "after"}), reconnect_delay_ms=0)
    assert (cut.state, cut.connections, cut.text) == ("done", 2, whole.text)
    broken_s = 0.9 + LATENCY_S
    back_s = broken_s + RETRY_S + 2 * LATENCY_S
    assert cut.receive_s[:10] == whole.receive_s[:10]
    late = [max(received_s, back_s) for received_s in whole.receive_s[10:]]
    assert cut.receive_s[10:] == pytest.approx(late)
    assert cut.write_s[10] == pytest.approx(back_s - LATENCY_S), "it was written when the reader was back"
    assert cut.chunk_s == whole.chunk_s


def test_the_wait_is_drawn_from_the_bound() -> None:
    fault = plan({"kind": "cut", "event": 11, "where": "after"})
    early_s = run(fault, reconnect_delay_ms=0).receive_s[10]
    drawn_s = [run(fault, seed, reconnect_delay_ms=5000).receive_s[10] - early_s for seed in range(40)]
    assert 0 <= min(drawn_s) < 1
    assert 4 < max(drawn_s) < 5


def test_a_stall_holds_all_that_follows() -> None:
    whole, stalled = run(None), run(plan({"kind": "stall", "event": 7, "ms": 2000}))
    assert stalled.receive_s[:5] == whole.receive_s[:5]
    until_s = whole.receive_s[5] + 2
    assert stalled.receive_s[5:] == pytest.approx([max(at_s, until_s) for at_s in whole.receive_s[5:]])
    assert stalled.connections == 1


def test_who_is_refused_asks_earlier_than_the_run_begins() -> None:
    refused = run(plan({"kind": "refuse", "status": 503, "retry_after_s": 3}))
    assert (refused.state, refused.connections) == ("done", 2)
    assert refused.model_first_s == run(None).model_first_s
    assert refused.asked_s == pytest.approx(-LATENCY_S - 2 * LATENCY_S - 3)


def test_who_gives_up_keeps_what_came() -> None:
    steps = [{"attempt": attempt, "kind": "cut", "event": 0, "where": "before"} for attempt in range(2, 20)]
    cuts = plan({"kind": "cut", "event": 5, "where": "before"}, *steps)
    given_up = run(cuts, max_reconnect_attempts=2)
    assert (given_up.state, given_up.connections) == ("interrupted", 3)
    assert given_up.text == "".join(WORDS[:3])
    assert given_up.end_s > given_up.receive_s[-1]
    assert given_up.frame_chars[-1] == len(given_up.text), "what came is shown to its end"


def test_a_text_that_was_spoilt_is_read_again_and_counts_once() -> None:
    spoilt = run(plan({"kind": "corrupt", "event": 4, "offset": 22, "mask": 1}))
    assert (spoilt.state, spoilt.connections) == ("done", 2)
    assert spoilt.text == "".join(TOKENS.texts)
    assert spoilt.receive_s[0] > TOKENS.end_s, "the first reading does not count"


def test_silence_is_a_break_unless_the_server_pings() -> None:
    pause_s = 3 * MAX_RETRY_MS / 1000
    tokens = Tokens.of([(0.0, "a "), (pause_s, "b.")])
    assert run(plan(), tokens=tokens).connections == 1
    deaf = run(plan({"kind": "heartbeat_loss"}), tokens=tokens)
    assert deaf.connections == 2
    assert deaf.text == "a b."


def test_more_bytes_come_over_a_connection_that_breaks() -> None:
    whole, cut = run(None), run(plan({"kind": "cut", "event": 11, "where": "after"}))
    assert whole.wire_bytes is not None
    assert cut.wire_bytes is not None
    assert 100 < cut.wire_bytes - whole.wire_bytes < 400, "a second greeting"


@pytest.mark.parametrize("name", Reconnection.__struct_fields__)
def test_values_are_checked(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Reconnection(**{name: -1})
