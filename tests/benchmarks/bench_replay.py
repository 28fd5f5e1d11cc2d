"""How far a replay at 1x is from its recording: every offset of a sample, recorded anew while a server plays it.

Each deviation is that of one byte against the same byte of the original. The median shift of a replay, which is the way
of one more request and concerns no offset between two bytes, is taken out, and printed.
"""

from __future__ import annotations

import statistics

import pytest

import sse_widget as sw

THRESHOLD_MS = 2.0
ROUNDS = 3


def arrivals_us(cassette):
    """When each byte had come."""
    return [read.offset_us for read in cassette.reads for _ in read.data]


@pytest.mark.parametrize("name", ["english", "bursty", "stalling"])
def test_offsets_at_1x(name, server_process, tmp_path):
    url = server_process("--model", "synthetic:").url
    original = sw.Cassette.sample(name)
    deviations_ms, shifts_ms = [], []
    for _ in range(ROUNDS):
        path = tmp_path / "again.ssecast"
        again = sw.record(f"{url}/api/v1/stream/cassettes/{name}", path)
        assert again.data == original.data
        pairs = zip(arrivals_us(again), arrivals_us(original), strict=True)
        later_ms = [(new - old) / 1000 for new, old in pairs]
        shifts_ms.append(statistics.median(later_ms))
        deviations_ms += [abs(later - shifts_ms[-1]) for later in later_ms]
    median, worst = statistics.median(deviations_ms), max(deviations_ms)
    p99 = statistics.quantiles(deviations_ms, n=100)[98]
    verdict = "holds" if p99 <= THRESHOLD_MS else "DOES NOT HOLD"
    print(
        f"\nreplay of {name!r} at 1x: off by {median:.2f} ms (median), {p99:.2f} ms (99th percentile), {worst:.2f} ms "
        f"(worst), after a shift of {statistics.median(shifts_ms):.1f} ms; "
        f"threshold {THRESHOLD_MS} ms at the 99th percentile: {verdict}"
    )
