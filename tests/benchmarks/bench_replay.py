"""How far a replay at 1x is from its recording: every offset of a sample, recorded anew while a server plays it.

Each deviation is that of one read against the same byte of the original, both counted from the response head.
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
    deviations_ms = []
    for _ in range(ROUNDS):
        path = tmp_path / "again.ssecast"
        again = sw.record(f"{url}/api/v1/stream/cassettes/{name}", path)
        assert again.data == original.data
        began_us = again.header.head_us - original.header.head_us
        pairs = zip(arrivals_us(again), arrivals_us(original), strict=True)
        deviations_ms += [abs(new - began_us - old) / 1000 for new, old in pairs]
    median, worst = statistics.median(deviations_ms), max(deviations_ms)
    p99 = statistics.quantiles(deviations_ms, n=100)[98]
    verdict = "holds" if p99 <= THRESHOLD_MS else "DOES NOT HOLD"
    print(
        f"\nreplay of {name!r} at 1x: off by {median:.2f} ms (median), {p99:.2f} ms (99th percentile), {worst:.2f} ms "
        f"(worst); threshold {THRESHOLD_MS} ms at the 99th percentile: {verdict}"
    )
