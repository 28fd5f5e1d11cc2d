"""Record and replay: the same bytes, at offsets within 2 ms, at 1x and faster.

The limit is for the median and the 95th percentile of the reads, each with its median over the replays: the worst
moment of one replay is the machine's, on which others run, and is printed.
"""

from __future__ import annotations

import statistics

import pytest

import sse_widget as sw
from rig.replays import OFFSET_LIMIT_MS, deviations_ms, spread
from sse_widget.measure.gaps import percentile

REPLAYS = 5
STREAM = "synthetic:tokens=100,rate=60,lang=mixed,seed=11,jitter=0.5,ttft_ms=100,stall_every=40,stall_ms=400"


@pytest.mark.parametrize("speed", [1, 4])
def test_a_replay_has_the_bytes_and_the_offsets_of_its_recording(speed, server_process, tmp_path):
    url = server_process("--model", "synthetic:", "--cassettes", str(tmp_path)).url
    sw.record(url, tmp_path / "warm.ssecast", q="hi")
    original = sw.record(url, tmp_path / "original.ssecast", q="hi", model=STREAM, chunk_tokens=1)
    assert len(original.reads) > 80
    replays = []
    for _ in range(REPLAYS):
        again = sw.record(f"{url}/api/v1/stream/cassettes/original?speed={speed}", tmp_path / "again.ssecast")
        assert again.data == original.data
        assert (again.end.end, again.header.content_type) == ("ended", original.header.content_type)
        replays.append(deviations_ms(again, original, speed))
    print(f"\n{speed}x, all replays: off by {spread([each for replay in replays for each in replay])}")
    typical = [abs(statistics.median(of_read)) for of_read in zip(*replays, strict=True)]
    print(f"{speed}x, each read's median over {REPLAYS} replays: off by {spread(typical)}")
    assert statistics.median(typical) <= OFFSET_LIMIT_MS
    assert percentile(typical, 0.95) <= OFFSET_LIMIT_MS
