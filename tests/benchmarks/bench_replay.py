"""How far a replay is from its recording: every offset of a sample, recorded anew while a server plays it.

What is compared is the offset of each recorded read, since the request was sent, with the offset that its last byte has
in a recording of its replay, divided by the speed. Nothing is taken out.
"""

from __future__ import annotations

import pytest

import sse_widget as sw
from rig.replays import OFFSET_LIMIT_MS, deviations_ms, spread
from sse_widget.measure.gaps import percentile

ROUNDS = 3


@pytest.mark.parametrize(
    ("name", "speed"), [("english", 1), ("bursty", 1), ("stalling", 1), ("english", 4), ("english", 0.5)]
)
def test_offsets(name, speed, server_process, tmp_path):
    url = f"{server_process('--model', 'synthetic:').url}/api/v1/stream/cassettes/{name}"
    original = sw.Cassette.sample(name)
    sw.record(f"{url}?speed=0", tmp_path / "warm.ssecast")
    found = []
    for _ in range(ROUNDS):
        again = sw.record(f"{url}?speed={speed}", tmp_path / "again.ssecast")
        assert again.data == original.data
        found += deviations_ms(again, original, speed)
    p95 = percentile([abs(each) for each in found], 0.95)
    verdict = "holds" if p95 <= OFFSET_LIMIT_MS else "DOES NOT HOLD"
    print(
        f"\nreplay of {name!r} at {speed}x, {len(found)} reads: off by {spread(found)}; "
        f"threshold {OFFSET_LIMIT_MS} ms at the 95th percentile: {verdict}"
    )
