"""Figures and frames of what a reader received, computed by hand."""

from __future__ import annotations

import subprocess
import sys
from itertools import count

import pytest

from sse_widget.measure.flight import Arrival, Flight
from sse_widget.measure.frame import COLUMNS, frame_of
from sse_widget.measure.gaps import percentile
from sse_widget.measure.graphemes import segment
from sse_widget.measure.metrics import metrics_of
from sse_widget.measure.record import Reader, Record
from sse_widget.measure.spans import Note, Received, Span, added_chars
from sse_widget.protocol.events import Delta, Timing, dump
from sse_widget.protocol.sse import Event, encode
from sse_widget.protocol.trace import Trace

STREAM = "0123456789abcdef" * 2

# Asked at 100 s; four deltas of 2, 3, 1 and 4 characters at 100.5, 100.6, 100.9 and 101.5 s.
SPANS = (
    Span(2, "ab", 100.5),
    Span(3, "c👩‍👩‍👧‍👦d", 100.6),
    Span(4, "é", 100.9),
    Span(5, "سلام", 101.5),
)
RECEIVED = Received(100.0, SPANS, tokens=12, first_tokens=2)


def test_the_figures_of_a_run():
    metrics = metrics_of(RECEIVED, segment)
    assert (metrics.deltas, metrics.chars, metrics.tokens) == (4, 2 + 3 + 1 + 4, 12)
    assert metrics.ttft_ms == pytest.approx(500)
    assert metrics.delivered_total_ms == pytest.approx(1500)
    assert metrics.tpot_ms == pytest.approx(1000 / 10), "1 s for the 10 tokens after the first delta"
    # The gaps are 100, 300 and 600 ms: the middle one, and 90 % of the way from it to the last.
    assert metrics.delivered_gap_p50_ms == pytest.approx(300)
    assert metrics.delivered_gap_p95_ms == pytest.approx(300 + 0.9 * 300)
    assert metrics.delivered_chars_per_s == pytest.approx(8 / 1.0), "those after the first delta, in its 1 s"


def test_of_nothing_there_is_nothing_to_say():
    metrics = metrics_of(Received(5.0), segment)
    assert (metrics.deltas, metrics.chars) == (0, 0)
    assert {name for name in metrics.__struct_fields__ if getattr(metrics, name) is not None} == {"deltas", "chars"}


def test_of_one_delta_there_is_a_first_token_and_no_gap():
    metrics = metrics_of(Received(5.0, (Span(2, "all", 5.25),), tokens=3, first_tokens=3), segment)
    assert metrics.ttft_ms == metrics.delivered_total_ms == 250
    assert (metrics.tpot_ms, metrics.delivered_gap_p50_ms, metrics.delivered_chars_per_s) == (None, None, None)


@pytest.mark.parametrize("known", [{"tokens": 12}, {"first_tokens": 2}, {}])
def test_time_per_token_needs_both_counts(known):
    assert metrics_of(Received(100.0, SPANS, **known), segment).tpot_ms is None


def test_deltas_that_came_at_once_have_no_rate():
    metrics = metrics_of(Received(0.0, (Span(2, "a", 1.0), Span(3, "b", 1.0))), segment)
    assert (metrics.delivered_chars_per_s, metrics.delivered_gap_p50_ms) == (None, 0.0)


@pytest.mark.parametrize(
    ("texts", "adds"),
    [
        (["a", "b"], [1, 1]),
        (["e", "\u0301", "x"], [1, 0, 1]),
        (["👩", "\u200d", "👩", "!"], [1, 0, 0, 1]),
        (["🇸", "🇦🇸🇦", ""], [1, 1, 0]),
        (["\r", "\n"], [1, 0]),
        ([], []),
    ],
)
def test_a_character_that_a_delta_cuts_counts_once(texts, adds):
    assert list(added_chars(texts, segment)) == adds
    assert sum(adds) == len(segment("".join(texts)))


@pytest.mark.parametrize(
    ("values", "share", "is_"),
    [
        ([], 0.5, None),
        ([7.0], 0.95, 7.0),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.5),
        ([0.0, 10.0], 0.95, 9.5),
        ([1.0, 2.0], 1.0, 2.0),
    ],
)
def test_percentiles_lie_between_their_neighbours(values, share, is_):
    assert percentile(values, share) == is_


def test_a_frame_has_one_row_a_delta():
    frame = frame_of(RECEIVED)
    assert tuple(frame.columns) == COLUMNS
    assert frame["seq"].tolist() == [2, 3, 4, 5]
    assert "".join(frame["text"]) == "abc👩‍👩‍👧‍👦déسلام"
    assert frame["chars"].tolist() == [2, 3, 1, 4]
    assert frame["code_points"].tolist() == [2, 9, 1, 4]
    assert frame["receive_s"].tolist() == pytest.approx([0.5, 0.6, 0.9, 1.5])
    assert frame["gap_ms"].tolist()[1:] == pytest.approx([100, 300, 600])
    assert frame["gap_ms"].isna().tolist() == [True, False, False, False]


def test_the_frame_of_nothing_has_its_columns():
    frame = frame_of(Received(0.0))
    assert (len(frame), tuple(frame.columns)) == (0, COLUMNS)
    assert str(frame["seq"].dtype) == "Int64"


def test_a_record_takes_the_time_and_begins_anew():
    times = iter([10.0, 11.0, 12.0, 13.0, 14.0])
    record = Record(lambda: next(times))
    assert record.first_text is None
    assert record.take(Event("delta", '{"text":"wrong"}', f"{STREAM}:2"), Reader())
    record.clear()
    assert record.take(Event("delta", '{"text":"right"}', f"{STREAM}:2"), Reader(1, 11.5, 11.75))
    assert not record.take(Event("metadata", "{}", f"{STREAM}:3"), Reader())
    assert record.take(Event("delta", '{"text":" text"}', f"{STREAM}:4"), Reader())
    assert (record.text, record.first_text) == ("right text", "right")
    record.end(200)
    assert record.flight() == Flight(
        10.0,
        (Arrival(2, "right", 12.0, 11.5, 11.75, connection=1), Arrival(4, " text", 13.0, 13.0, 13.0)),
        ended_s=14.0,
        wire_bytes=200,
    )


def test_a_record_keeps_the_stamps_and_counts_no_byte_of_theirs():
    times = count(10.0)
    record = Record(lambda: next(times))
    record.state("connecting", "", 0, 1)
    record.state("open", "", 2, 1)
    trace = Trace(1, 2, 3, 4)
    plain = [Event("delta", dump(Delta(text)), f"{STREAM}:{seq}") for seq, text in ((2, "é"), (3, "b"), (4, "c"))]
    timing = Event("timing", dump(Timing(2, 3, 99)))
    traced = [Event("delta", dump(Delta(text, trace)), f"{STREAM}:{seq}") for seq, text in ((2, "é"), (3, "b"))]
    ping = Event("ping", '"🔧"')
    sent = [timing, *traced, plain[2], ping]
    for event in sent:
        record.take(event, Reader(1))
    record.end(len(b"".join(map(encode, sent))))
    flight = record.flight()
    assert [arrival.write_ns for arrival in flight.arrivals] == [99, 99, None], "the batch was of events 2 and 3"
    assert [arrival.trace for arrival in flight.arrivals] == [trace, trace, None]
    assert [arrival.attempt for arrival in flight.arrivals] == [2, 2, 2]
    assert flight.notes == (
        Note("state", 11.0, 1, 0, "connecting", ""),
        Note("state", 12.0, 1, 2, "open", ""),
        Note("ping", 16.0, 1),
    )
    assert flight.wire_bytes == len(b"".join(map(encode, [*plain, ping])))


WITHOUT = """
import sys
sys.modules["pandas"] = None
from sse_widget.measure.spans import Received
from sse_widget.answer import Answer
answer = Answer("text", state="done", stream_id="", question="", received=Received(0.0))
assert answer.metrics.deltas == 0
try:
    answer.frame()
except ImportError as error:
    assert "pip install 'sse-widget[measure]'" in str(error)
else:
    raise AssertionError
"""


def test_who_has_no_pandas_is_told_what_to_install():
    subprocess.run([sys.executable, "-c", WITHOUT], check=True, timeout=60)


def test_whoever_never_measures_loads_neither_pandas_nor_regex():
    code = "import sys, sse_widget.answer, sse_widget.run; assert not {'pandas', 'regex'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
