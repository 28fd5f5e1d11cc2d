"""Every measure of six small runs, computed by hand.

The reader of these reads 10 characters a second and expects the first after 1 s, so character k (from 0) is expected at
e_k = 1 + k / 10 s after the question. Times are sums of powers of two, so that floats hold them exactly.
"""

from __future__ import annotations

import pytest

from sse_widget.measure.frame import frame_of
from sse_widget.measure.graphemes import segment
from sse_widget.measure.metrics import Metrics, metrics_of
from sse_widget.measure.qoe import Reader
from sse_widget.measure.spans import Received, Span

READER = Reader(chars_per_s=10.0, ttft_s=1.0)

# Asked at 0 s. Four deltas of two characters, delivered every 125 ms from 1 s on, displayed 62.5 ms later.
STEADY = Received(
    0.0,
    (
        Span(2, "ab", 1.0, painted_s=1.0625),
        Span(3, "cd", 1.125, painted_s=1.1875),
        Span(4, "ef", 1.25, painted_s=1.3125),
        Span(5, "gh", 1.375, painted_s=1.4375),
    ),
    tokens=8,
    first_tokens=2,
    wire_bytes=80,
    ended_s=1.5,
)
STEADY_IS = {
    "deltas": 4,
    "chars": 8,
    "displayed_chars": 8,
    "tokens": 8,
    "ttft_ms": 1000,
    "ttfp_ms": 1062.5,
    # 1375 - 1000 = 375 ms for 8 - 2 tokens, or for 8 - 1.
    "tpot_ms": 62.5,
    "tpot_vllm_ms": 375 / 7,
    # Each 62.5.
    "lag_p50_ms": 62.5,
    "lag_p95_ms": 62.5,
    "lag_max_ms": 62.5,
    "tail_ms": 62.5,
    "ended_ms": 1500,
    "overhead": 80 / 8,
    "delivered_total_ms": 1375,
    # 125, 125, 125: they never differ.
    "delivered_gap_p50_ms": 125,
    "delivered_gap_p90_ms": 125,
    "delivered_gap_p95_ms": 125,
    "delivered_gap_p99_ms": 125,
    "delivered_jitter_ms": 0,
    # The pauses are the gaps and, up to the end, 1500 - 1375 = 125.
    "delivered_stalls": 0,
    "delivered_stall_ms": 0,
    "delivered_stall_share": 0,
    "delivered_stall_ratio": 0,
    "delivered_chars_per_s": 6 / 0.375,
    "delivered_goodput_chars_per_s": 8 / 1.375,
    # Two at 1.0, 1.125, 1.25, 1.375; expected at 1.0, 1.1, 1.2 ... 1.7: none is late.
    "delivered_qoe": 1,
    "displayed_total_ms": 1437.5,
    "displayed_gap_p50_ms": 125,
    "displayed_gap_p90_ms": 125,
    "displayed_gap_p95_ms": 125,
    "displayed_gap_p99_ms": 125,
    "displayed_jitter_ms": 0,
    "displayed_stalls": 0,
    "displayed_stall_ms": 0,
    "displayed_stall_share": 0,
    "displayed_stall_ratio": 0,
    "displayed_chars_per_s": 6 / 0.375,
    "displayed_goodput_chars_per_s": 8 / 1.4375,
    # The first one is late by 0.0625, and so are all that follow; no other is later than that (1.1875 - 1.2 < 0).
    # S_delay = 8 * 0.0625 = 0.5; the expected times add up to 8 + 0.1 * (0 + ... + 7) = 10.8; S_whole = 11.3.
    "displayed_qoe": 1 - 0.5 / 11.3,
}

# Asked at 100 s. Three characters at once after 0.5 s, two more at once after 1.5 s; displayed one by one.
BURSTY = Received(
    100.0,
    (
        Span(2, "a", 100.5, painted_s=100.75),
        Span(3, "b", 100.5, painted_s=101.0),
        Span(4, "c", 100.5, painted_s=101.25),
        Span(5, "d", 101.5, painted_s=101.75),
        Span(6, "e", 101.5, painted_s=102.0),
    ),
    tokens=5,
    first_tokens=1,
)
BURSTY_IS = {
    "deltas": 5,
    "chars": 5,
    "displayed_chars": 5,
    "tokens": 5,
    "ttft_ms": 500,
    "ttfp_ms": 750,
    # 1000 ms for 4 tokens; with one token in the first delta, both are the same.
    "tpot_ms": 250,
    "tpot_vllm_ms": 250,
    # 250, 500, 750, 250, 500; in order 250, 250, 500, 500, 750: the third; four fifths of the way from fourth to fifth.
    "lag_p50_ms": 500,
    "lag_p95_ms": 500 + 0.8 * 250,
    "lag_max_ms": 750,
    "tail_ms": 500,
    "delivered_total_ms": 1500,
    # 0, 0, 1000, 0; in order 0, 0, 0, 1000: places 1.5, 2.7, 2.85 and 2.97 of 0 to 3.
    "delivered_gap_p50_ms": 0,
    "delivered_gap_p90_ms": 700,
    "delivered_gap_p95_ms": 850,
    "delivered_gap_p99_ms": 970,
    # The mean of 0, 1000 and 1000.
    "delivered_jitter_ms": 2000 / 3,
    # 1000 is not longer than 1000; but it is all of the time, and longer than 200.
    "delivered_stalls": 0,
    "delivered_stall_ms": 0,
    "delivered_stall_share": 0,
    "delivered_stall_ratio": 1,
    "delivered_chars_per_s": 4,
    "delivered_goodput_chars_per_s": 5 / 1.5,
    # At 0.5, 0.5, 0.5, 1.5, 1.5; expected at 1.0, 1.1, 1.2, 1.3, 1.4: the fourth is late by 0.2, and so is the fifth.
    # S_delay = 0.4; the expected times add up to 6.0; S_whole = 6.4.
    "delivered_qoe": 1 - 0.4 / 6.4,
    "displayed_total_ms": 2000,
    # 250, 250, 500, 250; in order 250, 250, 250, 500.
    "displayed_gap_p50_ms": 250,
    "displayed_gap_p90_ms": 250 + 0.7 * 250,
    "displayed_gap_p95_ms": 250 + 0.85 * 250,
    "displayed_gap_p99_ms": 250 + 0.97 * 250,
    # The mean of 0, 250 and 250.
    "displayed_jitter_ms": 500 / 3,
    "displayed_stalls": 0,
    "displayed_stall_ms": 0,
    "displayed_stall_share": 0,
    # Each is longer than 200.
    "displayed_stall_ratio": 1,
    "displayed_chars_per_s": 4 / 1.25,
    "displayed_goodput_chars_per_s": 5 / 2,
    # At 0.75, 1.0, 1.25, 1.75, 2.0: late by 0, 0, 0.05, 0.45, 0.6. S_delay = 1.1, S_whole = 7.1.
    "displayed_qoe": 1 - 1.1 / 7.1,
}

# Asked at 0 s. Two quick deltas, one after 3 s, then nothing more until it is given up at 7 s. When the first character
# of each delta was displayed is known, how many tokens the first delta holds is not.
STALLING = Received(
    0.0,
    (
        Span(2, "one ", 0.5, painted_s=0.75, shown_s=0.5),
        Span(3, "two ", 1.0, painted_s=1.5, shown_s=1.125),
        Span(4, "three", 4.0, painted_s=4.5, shown_s=4.25),
    ),
    tokens=6,
    wire_bytes=130,
    ended_s=7.0,
)
STALLING_IS = {
    "deltas": 3,
    "chars": 13,
    "displayed_chars": 13,
    "tokens": 6,
    "ttft_ms": 500,
    "ttfp_ms": 750,
    # 3500 ms for 5 tokens.
    "tpot_vllm_ms": 700,
    # 250, 500, 500
    "lag_p50_ms": 500,
    "lag_p95_ms": 500,
    "lag_max_ms": 500,
    "tail_ms": 500,
    "ended_ms": 7000,
    "overhead": 130 / 13,
    "delivered_total_ms": 4000,
    # 500, 3000
    "delivered_gap_p50_ms": 1750,
    "delivered_gap_p90_ms": 500 + 0.9 * 2500,
    "delivered_gap_p95_ms": 500 + 0.95 * 2500,
    "delivered_gap_p99_ms": 500 + 0.99 * 2500,
    "delivered_jitter_ms": 2500,
    # Pauses of 500, 3000 and, up to the end, 3000, in 7000 - 500 = 6500. Two are stalls, each 2000 beyond 1000.
    "delivered_stalls": 2,
    "delivered_stall_ms": 4000,
    "delivered_stall_share": 4000 / 6500,
    "delivered_stall_ratio": 1,
    "delivered_chars_per_s": 9 / 3.5,
    "delivered_goodput_chars_per_s": 13 / 4,
    # The last five come at 4.0; the first of them is expected at 1.8, so all five are late by 2.2: S_delay = 11.
    # The expected times add up to 13 + 0.1 * (0 + ... + 12) = 20.8; S_whole = 31.8.
    "delivered_qoe": 1 - 11 / 31.8,
    "displayed_total_ms": 4500,
    # 750, 3000
    "displayed_gap_p50_ms": 1875,
    "displayed_gap_p90_ms": 750 + 0.9 * 2250,
    "displayed_gap_p95_ms": 750 + 0.95 * 2250,
    "displayed_gap_p99_ms": 750 + 0.99 * 2250,
    "displayed_jitter_ms": 2250,
    # Pauses of 1125 - 750 = 375, 4250 - 1500 = 2750 and, up to the end, 7000 - 4500 = 2500, in 7000 - 750 = 6250.
    "displayed_stalls": 2,
    "displayed_stall_ms": 1750 + 1500,
    "displayed_stall_share": 3250 / 6250,
    # All three are longer than 200: 5625 of 6250.
    "displayed_stall_ratio": 0.9,
    "displayed_chars_per_s": 9 / 3.75,
    "displayed_goodput_chars_per_s": 13 / 4.5,
    # The last five appear at 4.25, 4.3125 ... 4.5: the first late by 2.45, so all are: S_delay = 5 * 2.45 = 12.25.
    "displayed_qoe": 1 - 12.25 / (20.8 + 12.25),
}

# Asked at 5 s; all of the text in one delta after 250 ms.
ONE_DELTA = Received(
    5.0, (Span(2, "all", 5.25, painted_s=5.375),), tokens=3, first_tokens=3, wire_bytes=30, ended_s=6.0
)
ONE_DELTA_IS = {
    "deltas": 1,
    "chars": 3,
    "displayed_chars": 3,
    "tokens": 3,
    "ttft_ms": 250,
    "ttfp_ms": 375,
    # No token came after the first delta, so there is no time for one; vLLM counts two in no time.
    "tpot_vllm_ms": 0,
    "lag_p50_ms": 125,
    "lag_p95_ms": 125,
    "lag_max_ms": 125,
    "tail_ms": 125,
    "ended_ms": 1000,
    "overhead": 30 / 3,
    "delivered_total_ms": 250,
    # One pause, up to the end, of 750 ms, in 750 ms.
    "delivered_stalls": 0,
    "delivered_stall_ms": 0,
    "delivered_stall_share": 0,
    "delivered_stall_ratio": 1,
    "delivered_goodput_chars_per_s": 3 / 0.25,
    "delivered_qoe": 1,
    "displayed_total_ms": 375,
    "displayed_stalls": 0,
    "displayed_stall_ms": 0,
    "displayed_stall_share": 0,
    "displayed_stall_ratio": 1,
    "displayed_goodput_chars_per_s": 3 / 0.375,
    "displayed_qoe": 1,
}

# Asked at 5 s; bytes came, but no text.
EMPTY = Received(5.0, tokens=0, first_tokens=0, wire_bytes=40, ended_s=6.5)
EMPTY_IS = {"deltas": 0, "chars": 0, "tokens": 0, "ended_ms": 1500}

# Asked at 0 s. A vowel mark is cut from its letter, and a family of two before its joiner: the deltas add 3, 1, 2 (a
# space, a woman) and 1 (the exclamation mark) characters, 7 in all, of 3 * 2, 2, 2 + 1 + 4 and 3 + 4 + 1 bytes, 23 in
# all. When the second delta was displayed, nobody knows.
CUT_CLUSTERS = Received(
    0.0,
    (
        Span(2, "سلا", 0.25, painted_s=0.5),
        Span(3, "م", 0.5),
        Span(4, "\u064c 👩", 0.75, painted_s=1.0),
        Span(5, "\u200d👧!", 1.0, painted_s=1.25),
    ),
    tokens=7,
    first_tokens=3,
    wire_bytes=92,
)
CUT_CLUSTERS_IS = {
    "deltas": 4,
    "chars": 7,
    "displayed_chars": 3 + 2 + 1,
    "tokens": 7,
    "ttft_ms": 250,
    "ttfp_ms": 500,
    # 750 ms for 7 - 3 tokens, or for 7 - 1.
    "tpot_ms": 187.5,
    "tpot_vllm_ms": 125,
    "lag_p50_ms": 250,
    "lag_p95_ms": 250,
    "lag_max_ms": 250,
    "tail_ms": 250,
    "overhead": 92 / 23,
    "delivered_total_ms": 1000,
    "delivered_gap_p50_ms": 250,
    "delivered_gap_p90_ms": 250,
    "delivered_gap_p95_ms": 250,
    "delivered_gap_p99_ms": 250,
    "delivered_jitter_ms": 0,
    "delivered_stalls": 0,
    "delivered_stall_ms": 0,
    "delivered_stall_share": 0,
    # Three of 250 in 750.
    "delivered_stall_ratio": 1,
    "delivered_chars_per_s": 4 / 0.75,
    "delivered_goodput_chars_per_s": 7,
    "delivered_qoe": 1,
    "displayed_total_ms": 1250,
    # Only the third and the fourth are neighbours that are both known: one gap of 250, and none to compare it with.
    "displayed_gap_p50_ms": 250,
    "displayed_gap_p90_ms": 250,
    "displayed_gap_p95_ms": 250,
    "displayed_gap_p99_ms": 250,
    "displayed_stalls": 0,
    "displayed_stall_ms": 0,
    "displayed_stall_share": 0,
    # 250 of 1250 - 500.
    "displayed_stall_ratio": 1 / 3,
    "displayed_chars_per_s": (2 + 1) / 0.75,
    "displayed_goodput_chars_per_s": 6 / 1.25,
    # Three at 0.5, two at 1.0, one at 1.25, the sixth expected at 1.5: none is late.
    "displayed_qoe": 1,
}

TIMELINES = {
    "steady": (STEADY, STEADY_IS),
    "bursty": (BURSTY, BURSTY_IS),
    "stalling": (STALLING, STALLING_IS),
    "one delta": (ONE_DELTA, ONE_DELTA_IS),
    "empty": (EMPTY, EMPTY_IS),
    "cut clusters": (CUT_CLUSTERS, CUT_CLUSTERS_IS),
}


@pytest.mark.parametrize("name", TIMELINES)
def test_every_measure_is_what_it_is_by_hand(name):
    received, by_hand = TIMELINES[name]
    metrics = metrics_of(received, segment, READER)
    assert by_hand.keys() <= set(Metrics.__struct_fields__)
    for field in Metrics.__struct_fields__:
        wanted = by_hand.get(field)
        assert getattr(metrics, field) == (None if wanted is None else pytest.approx(wanted)), field


def test_one_timeline_or_another_has_each_measure():
    assert set.union(*(set(by_hand) for _, by_hand in TIMELINES.values())) == set(Metrics.__struct_fields__)


def test_the_frame_of_a_run_says_when_each_delta_was_displayed():
    frame = frame_of(CUT_CLUSTERS)
    assert frame["paint_s"].tolist() == pytest.approx([0.5, float("nan"), 1.0, 1.25], nan_ok=True)
    assert frame["lag_ms"].tolist() == pytest.approx([250, float("nan"), 250, 250], nan_ok=True)
    assert frame["displayed_gap_ms"].tolist() == pytest.approx([float("nan")] * 3 + [250], nan_ok=True)
    assert frame["show_first_s"].isna().all()
    frame = frame_of(BURSTY)
    assert frame["paint_s"].tolist() == pytest.approx([0.75, 1.0, 1.25, 1.75, 2.0])
    assert frame["lag_ms"].tolist() == pytest.approx([250, 500, 750, 250, 500])
    assert frame["displayed_gap_ms"].tolist()[1:] == pytest.approx([250, 250, 500, 250])
    assert frame_of(STALLING)["show_first_s"].tolist() == [0.5, 1.125, 4.25]


def test_a_text_that_was_not_displayed_to_its_end_has_no_displayed_whole_and_no_tail():
    first, second = Span(2, "a", 1.0, painted_s=1.25), Span(3, "b", 2.0)
    metrics = metrics_of(Received(0.0, (first, second), ended_s=9.0), segment, READER)
    assert (metrics.displayed_total_ms, metrics.tail_ms) == (None, None)
    assert (metrics.ttfp_ms, metrics.lag_max_ms, metrics.displayed_chars) == (1250, 250, 1)
    assert metrics.displayed_stalls == 0, "whether text stood still after the first delta, nobody knows"


def test_what_is_displayed_after_the_end_is_no_stall_at_the_end():
    spans = Span(2, "a", 1.0, painted_s=1.5), Span(3, "b", 2.0, painted_s=3.0)
    metrics = metrics_of(Received(0.0, spans, ended_s=2.25), segment, READER)
    # One pause of 1500 ms, in 1500 ms; delivered, pauses of 1000 and 250 ms, in 1250 ms.
    assert (metrics.displayed_stalls, metrics.displayed_stall_ms, metrics.displayed_stall_share) == (1, 500, 500 / 1500)
    assert (metrics.delivered_stalls, metrics.delivered_stall_ratio) == (0, 1)


def test_what_nobody_knows_is_left_out_of_the_repr():
    shown = repr(metrics_of(Received(5.0, (Span(2, "all", 5.25),)), segment))
    assert "ttft_ms=250.0" in shown
    assert "displayed" not in shown
