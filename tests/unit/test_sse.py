"""The Python parser against the shared vectors, its encoder, and its bounds."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_widget.errors import LimitExceeded
from sse_widget.protocol.sse import Event, Parser, encode

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "sse.json").read_text("utf-8"))


def vector_bytes(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["hex"]) if "hex" in vector else vector["bytes"].encode()


def parse(pieces: list[bytes]) -> dict[str, Any]:
    parser = Parser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return {
        "events": [{"event": e.event, "data": e.data, "id": e.id} for e in events],
        "last_event_id": parser.last_event_id,
        "retry_ms": parser.retry_ms,
    }


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_vector_whole_bytewise_and_at_every_split(vector: dict[str, Any]) -> None:
    wire = vector_bytes(vector)
    want = {key: vector[key] for key in ("events", "last_event_id", "retry_ms")}
    assert parse([wire]) == want
    assert parse([wire[i : i + 1] for i in range(len(wire))]) == want
    for at in range(len(wire) + 1):
        assert parse([wire[:at], b"", wire[at:]]) == want, f"split at {at}"


def test_an_event_comes_out_at_its_last_byte() -> None:
    parser = Parser()
    assert parser.feed(b"data: x\n") == []
    assert parser.feed(b"\r") == [Event(data="x")]
    assert parser.feed(b"\ndata: y\n\n") == [Event(data="y")]


text = st.text(alphabet=st.characters(exclude_categories=("Cs",)))
token = text.filter(lambda s: not set(s) & set("\r\n\0"))


@given(st.lists(st.tuples(token, text, token), max_size=5), st.data())
def test_encode_then_parse_gives_the_events_back(rows: list[tuple[str, str, str]], data: st.DataObject) -> None:
    events = [Event(event or "message", body, event_id) for event, body, event_id in rows]
    wire = b"".join(encode(event) for event in events)
    cut = data.draw(st.integers(0, len(wire)))
    parser = Parser()
    got = parser.feed(wire[:cut]) + parser.feed(wire[cut:])
    assert [e.event for e in got] == [e.event for e in events]
    want = [e.data.replace("\r\n", "\n").replace("\r", "\n") for e in events]
    assert [e.data for e in got] == want


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\0b"])
def test_encode_refuses_what_would_forge_fields(bad: str) -> None:
    with pytest.raises(ValueError, match="must not contain"):
        encode(Event(event=bad))
    with pytest.raises(ValueError, match="must not contain"):
        encode(Event(id=bad))


@pytest.mark.parametrize(
    "wire",
    [b"data: " + b"x" * 2000, b"data: x\n" * 600, b"data:\n" * 2000, b": " + b"x" * 2000, b"nonsense" * 300],
    ids=["one line", "many lines", "empty lines", "comment", "unknown field"],
)
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_size_is_bounded(wire: bytes, step: int) -> None:
    parser = Parser(max_event_bytes=1000)
    pieces = (wire[at : at + step] for at in range(0, len(wire), step))
    with pytest.raises(LimitExceeded):
        deque(map(parser.feed, pieces), maxlen=0)


def test_an_event_at_the_limit_passes() -> None:
    assert len(Parser(max_event_bytes=1010).feed(b"data: " + b"x" * 1000 + b"\n\n")) == 1
