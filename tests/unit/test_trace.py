"""The flight recorder's rows and messages: their form on the wire, and what is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sse_widget.protocol.events import Delta, Timing, dump, load, text_of
from sse_widget.protocol.trace import (
    STAMPS,
    DeltaRow,
    PingRow,
    ReaderSpans,
    RunSpans,
    SnapshotRow,
    Spans,
    StateRow,
    Trace,
)

READER = "reader-1"
ROWS = [
    ["delta", 2, 1, 0, 5_000_000_000, 100.5, 100.75, 101.0, 117.25, 118.5],
    ["snapshot", 9, 2, 1, None, 200.0, 200.5, None, None, None],
    ["ping", 2, 260.5],
    ["state", 2, 1, 199.0, "waiting", "cut"],
]
TYPED = (
    DeltaRow(2, 1, 0, 5_000_000_000, 100.5, 100.75, 101.0, 117.25, 118.5),
    SnapshotRow(9, 2, 1, None, 200.0, 200.5, None, None, None),
    PingRow(2, 260.5),
    StateRow(2, 1, 199.0, "waiting", "cut"),
)


def posted(**changes: Any) -> bytes:
    body = {"reader": READER, "from": 3, "offset_ns": -7, "error_ns": 5, "asked": 12.5, "rows": ROWS, "over": True}
    return msgspec.json.encode({**body, **changes})


def test_a_page_posts_rows_as_arrays() -> None:
    spans = msgspec.json.decode(posted(), type=Spans)
    assert spans == Spans(READER, 3, -7, 5, 12.5, TYPED, over=True)
    assert msgspec.json.decode(msgspec.json.encode(spans)) == msgspec.json.decode(posted())


def test_the_kernel_gets_them_as_they_were() -> None:
    said = RunSpans((ReaderSpans(READER, -7, 5, 12.5, over=False, rows=TYPED),))
    wire = msgspec.json.encode(said)
    assert msgspec.json.decode(wire) == {
        "readers": [{"reader": READER, "offset_ns": -7, "error_ns": 5, "asked": 12.5, "over": False, "rows": ROWS}]
    }
    assert msgspec.json.decode(wire, type=RunSpans) == said


@pytest.mark.parametrize(
    "changes",
    [
        {"reader": "short"},
        {"reader": "x" * 37},
        {"reader": "with space"},
        {"reader": "reader-1\n"},
        {"from": -1},
        {"asked": -0.5},
        {"offset_ns": 2**63},
        {"rows": [["delta", 2, 1, 0, None, 100.5, 100.75]]},
        {"rows": [[*ROWS[0], 1.0]]},
        {"rows": [["flash", 1, 2.0]]},
        {"rows": [["ping", 1, 1e300]]},
        {"rows": [["state", 1, 0, 1.0, "open", "x" * 201]]},
        {"rows": [["delta", 1.5, 1, 0, None, 1.0, 1.0, None, None, None]]},
        {"more": 1},
    ],
)
def test_anything_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(posted(**changes), type=Spans)


def test_a_row_has_the_readers_stamps_in_their_order() -> None:
    assert DeltaRow.__struct_fields__[3:] == ("write_ns", *STAMPS[5:])
    assert Trace.__struct_fields__ == STAMPS[:4]


def test_a_delta_has_a_trace_only_where_it_was_given_one() -> None:
    assert dump(Delta("hi")) == '{"text":"hi"}'
    traced = Delta("hi", Trace(1, 2, 3, 4))
    assert dump(traced) == '{"text":"hi","trace":{"model_first":1,"model_last":2,"chunk":3,"append":4}}'
    assert load("delta", dump(traced)) == traced
    assert text_of(dump(traced)) == "hi"


def test_a_trace_of_another_meaning_costs_no_text() -> None:
    data = '{"text":"hi","trace":"00-4bf92f-01"}'
    assert load("delta", data) == Delta("hi")
    assert text_of(data) == "hi"


def test_a_batch_says_when_it_was_written() -> None:
    assert load("timing", '{"first":3,"last":7,"write":99}') == Timing(3, 7, 99)
