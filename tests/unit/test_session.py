"""The session against the shared transcripts, and what holds for any order of inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_widget.protocol.actions import Action, Close, Connect, Deliver, Finish, Head, Reset, SessionConfig
from sse_widget.protocol.session import Session
from sse_widget.protocol.sse import Event

TRANSCRIPTS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "session.json").read_text("utf-8")
)
STATE = ("phase", "deadline_ms", "last_seq", "attempt", "stream_id")
STREAM = "0123456789abcdef" * 2


def call(session: Session, step: dict[str, Any]) -> list[Action]:
    now = step["now_ms"]
    given: dict[str, tuple[Any, ...]] = {
        "head": (msgspec.convert(step.get("head", {"status": 0}), Head), now),
        "event": (Event(**step.get("event", {"event": "", "data": "", "id": ""})), now),
        "failed": (step.get("reason"), now),
        "refuse": (step.get("code"), step.get("message")),
        "disconnect": (),
        "retry": (step.get("retry_ms"),),
        "restart": (now, step.get("reason", "restart")),
    }
    if step["call"] == "update":
        return session.update(reconnect=step["reconnect"])
    return getattr(session, step["call"])(*given.get(step["call"], (now,))) or []


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda t: t["name"])
def test_transcript(transcript: dict[str, Any]) -> None:
    randoms = list(transcript["randoms"])
    session = Session(msgspec.convert(transcript["config"], SessionConfig), lambda: randoms.pop(0))
    for number, step in enumerate(transcript["steps"]):
        actions = [msgspec.to_builtins(action) for action in call(session, step)]
        assert actions == step["actions"], f"step {number}: {step['call']}"
        for name in STATE:
            if name in step:
                assert getattr(session, name) == step[name], f"step {number}: {step['call']}: {name}"
    assert randoms == []


def test_transcripts_are_many_and_have_names_of_their_own() -> None:
    names = {transcript["name"] for transcript in TRANSCRIPTS}
    assert len(names) == len(TRANSCRIPTS) >= 45


seqs = st.integers(0, 6)
events = st.builds(
    lambda name, seq, text: Event(name, json.dumps({"text": text, "stream_id": STREAM}), f"{STREAM}:{seq}"),
    st.sampled_from(["hello", "start", "delta", "ping", "done", "error"]),
    seqs,
    st.text(max_size=3),
)
inputs = st.one_of(
    st.builds(lambda e: ("event", e), events),
    st.builds(
        lambda status: ("head", Head(status, "text/event-stream", STREAM)), st.sampled_from([200, 200, 204, 404, 429])
    ),
    st.sampled_from([("ended",), ("failed", "cut"), ("tick",), ("restart",), ("disconnect",)]),
)


@given(st.lists(inputs, max_size=60), st.booleans())
def test_any_order_of_inputs_keeps_the_promises(steps: list[tuple[Any, ...]], reconnect: bool) -> None:  # noqa: FBT001
    """No seq is delivered twice, one connection is open at a time, and the end is said once and is the end."""
    session = Session(SessionConfig(reconnect=reconnect), lambda: 0.5)
    now, is_open, seen, finished = 0.0, False, 0, 0
    for name, *arguments in [("start",), *steps]:
        now = session.deadline_ms if name == "tick" and session.deadline_ms is not None else now + 1
        times = [] if name == "disconnect" else [now]
        # A connection that ended by itself needs no closing.
        is_open = is_open and not (name in {"ended", "failed"} and session.phase in {"connecting", "open"})
        for action in getattr(session, name)(*arguments, *times):
            assert not finished
            match action:
                case Connect(after=after):
                    assert not is_open
                    assert after == session.last_seq
                    is_open = True
                case Close():
                    is_open = False
                case Deliver(Event(event="start" | "delta" | "done", id=event_id)):
                    seq = int(event_id.rpartition(":")[2])
                    assert seq == seen + 1
                    seen = seq
                case Reset():
                    seen = 0
                case Finish():
                    finished += 1
                    assert session.deadline_ms is None
                case _:
                    pass
    assert bool(finished) == (session.phase == "ended")
