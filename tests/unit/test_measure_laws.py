"""What holds for the measures of every run."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_widget.measure.gaps import jitter_ms, percentile, stalls_of
from sse_widget.measure.graphemes import segment
from sse_widget.measure.metrics import metrics_of
from sse_widget.measure.qoe import READING_CHARS_PER_S, Reader, qoe_of
from sse_widget.measure.spans import Moment, Received, Span

TICK_S = 1 / 64
READER = Reader(chars_per_s=8.0, ttft_s=0.5)
SHARES = ("stall_share", "stall_ratio", "qoe")
TEXTS = st.sampled_from(["a", "bcd", "e\u0301", "\u0301", "سلام", "م\u064c", "👩\u200d", "👧", "好。", " "])
TICKS = st.integers(0, 200)
EITHER = st.booleans()
ALWAYS = st.just(value=True)


def moved(received, *, scale=1.0, shift_s=0.0):
    def at(time_s):
        return None if time_s is None else scale * time_s + shift_s

    spans = [
        Span(span.seq, span.text, at(span.received_s), at(span.painted_s), at(span.shown_s)) for span in received.spans
    ]
    return msgspec.structs.replace(
        received, asked_s=at(received.asked_s), ended_s=at(received.ended_s), spans=tuple(spans)
    )


@st.composite
def runs(draw, *, known=EITHER):
    """Runs of up to 12 deltas whose display follows their delivery; what is not `known` was not seen."""
    spans, received, painted = [], 0, 0
    for seq in range(2, 2 + draw(st.integers(0, 12))):
        received += draw(TICKS)
        shown = max(received, painted) + draw(st.integers(0, 40))
        painted = shown + draw(st.integers(0, 40))
        times = (painted * TICK_S, shown * TICK_S if draw(known) else None) if draw(known) else (None, None)
        spans.append(Span(seq, draw(TEXTS), received * TICK_S, *times))
    tokens = draw(st.none() | st.integers(0, 50))
    end = draw(st.none() | TICKS)
    ended_s = None if end is None else (max(received, painted) + end) * TICK_S
    return Received(0.0, tuple(spans), tokens, draw(st.none() | st.integers(0, 9)), draw(st.none() | TICKS), ended_s)


@given(runs())
def test_shares_lie_between_nothing_and_all(received):
    metrics = metrics_of(received, segment, READER)
    for side in ("delivered", "displayed"):
        for name in SHARES:
            share = getattr(metrics, f"{side}_{name}")
            assert share is None or 0 <= share <= 1


@given(runs(known=ALWAYS))
def test_what_is_displayed_later_is_experienced_no_better(received):
    metrics = metrics_of(received, segment, READER)
    if metrics.chars:
        assert metrics.displayed_qoe <= metrics.delivered_qoe + 1e-12


@given(runs(), TICKS)
def test_when_the_clock_began_does_not_matter(received, shift):
    metrics = metrics_of(received, segment, READER)
    later = metrics_of(moved(received, shift_s=shift * TICK_S), segment, READER)
    assert msgspec.structs.asdict(later) == pytest.approx(msgspec.structs.asdict(metrics))


@given(runs(), st.sampled_from([0.25, 0.5, 2.0, 8.0]))
def test_a_run_that_takes_longer_has_longer_times_and_the_same_shares(received, scale):
    metrics = metrics_of(received, segment, READER, 500.0)
    slow_reader = Reader(READER.chars_per_s / scale, READER.ttft_s * scale)
    slow = metrics_of(moved(received, scale=scale), segment, slow_reader, 500.0 * scale)
    for name, value in msgspec.structs.asdict(metrics).items():
        if value is None:
            assert getattr(slow, name) is None
        elif not name.endswith("stall_ratio"):  # its 200 ms stay
            by = scale if name.endswith("_ms") else 1 / scale if name.endswith("_per_s") else 1
            assert getattr(slow, name) == pytest.approx(by * value), name


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 99)), min_size=1), TICKS)
def test_text_that_is_there_when_it_is_expected_is_experienced_perfectly(deltas, wait):
    reader, place, moments = Reader(8.0, wait * TICK_S), 0, []
    for chars, early in deltas:
        # An eighth of a second a character: floats hold all of these exactly.
        at_s = reader.ttft_s + place / 8 - early * TICK_S
        moments.append(Moment(at_s, at_s + (chars - 1) / 8, chars))
        place += chars
    assert qoe_of(moments, 0.0, reader) == 1
    last = moments.pop()
    expected_s = reader.ttft_s + (place - last.chars) / 8
    moments.append(Moment(expected_s + TICK_S, expected_s + TICK_S, last.chars))
    assert qoe_of(moments, 0.0, reader) < 1


def test_a_delta_that_is_typed_more_slowly_than_it_is_read_is_ever_later():
    # Three characters at 0, 0.5 and 1 s, expected at 0, 0.1 and 0.2: late by 0, 0.4 and 0.8; 1 - 1.2 / (0.3 + 1.2).
    assert qoe_of([Moment(0.0, 1.0, 3)], 0.0, Reader(10.0, 0.0)) == pytest.approx(0.2)


@pytest.mark.parametrize(("at_s", "is_"), [(0.0, 1.0), (1.0, 0.0)])
def test_who_expects_one_character_at_once_gets_it_or_not(at_s, is_):
    assert qoe_of([Moment(at_s, at_s, 1)], 0.0, Reader(10.0, 0.0)) == is_


def test_deltas_that_add_no_character_are_not_experienced():
    assert qoe_of([Moment(9.0, 9.0, 0)], 0.0, READER) is None


@pytest.mark.parametrize(("chars_per_s", "ttft_s"), [(0.0, 1.0), (-1.0, 1.0), (float("nan"), 1.0), (9.0, -0.1)])
def test_no_reader_reads_nothing_or_expects_it_before_the_question(chars_per_s, ttft_s):
    with pytest.raises(ValueError, match="more than 0 characters"):
        Reader(chars_per_s, ttft_s)


@pytest.mark.parametrize(
    ("lang", "chars_per_s"),
    [("en", 236 / 60 * (987 / 228 + 1)), ("ar", 181 / 60 * (863 / 184 + 1)), ("zh", 500 / 60)],
)
def test_reading_speeds_are_those_of_their_sources(lang, chars_per_s):
    assert READING_CHARS_PER_S[lang] == pytest.approx(chars_per_s, rel=0.005)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_percentiles_are_those_of_numpy(values, share):
    assert percentile(values, share) == pytest.approx(np.percentile(values, 100 * share))


@pytest.mark.parametrize(
    ("gaps_ms", "is_"),
    [
        ([], None),
        ([70.0], None),
        ([100.0, 100.0, 100.0], 0),
        # The same gaps, in order and in turns: only the second stutters.
        ([100.0, 100.0, 300.0, 300.0], 200 / 3),
        ([100.0, 300.0, 100.0, 300.0], 200),
    ],
)
def test_jitter_knows_the_order(gaps_ms, is_):
    assert jitter_ms(gaps_ms) == (None if is_ is None else pytest.approx(is_))


def test_a_stall_is_longer_than_its_threshold_and_lasts_from_there():
    stalls = stalls_of([300.0, 300.5, 50.0, 1300.0], 2000.0, threshold_ms=300.0)
    assert (stalls.count, stalls.beyond_ms, stalls.share) == (2, 1000.5, 1000.5 / 2000)
    assert stalls.ratio == pytest.approx(1900.5 / 2000)


def test_no_share_of_no_time():
    stalls = stalls_of([], 0.0)
    assert (stalls.count, stalls.beyond_ms, stalls.share, stalls.ratio) == (0, 0, None, None)
