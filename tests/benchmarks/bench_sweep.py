"""Ten thousand virtual runs of a recording of 500 tokens on all cores, with every figure.

Two crosses. In `seeds` every run draws jitter of its own, so that network and page are computed anew in each. In
`knobs` the parameters of chunker, network and pace are turned, and the page is computed anew in each. A third, of a
tenth of the runs, goes byte by byte through a fault plan, a parser and a session that comes back; no limit
is set for it.
"""

from __future__ import annotations

import os
import random
import statistics
import time

import pytest

from sse_server.sources.synthetic import SyntheticParams, words
from sse_widget import Cassette, sweep
from sse_widget.measure.sweep.source import tokens_of
from sse_widget.measure.virtual.log import Log
from sse_widget.measure.virtual.serving import Tokens, serve
from sse_widget.pacing.chunker import Knobs
from sse_widget.protocol.cassette import End, Header, Read
from sse_widget.protocol.faults import FaultPlan

LIMIT_S = 20.0
RATE = 50
TOKENS = 500
TURNED = {"chunk_tokens": [1, 3, 6, 12], "base_delay_ms": [2, 8, 20]}
CROSSES = {
    "seeds": (10_000, {"seeds": range(834), "jitter_ms": 30, **TURNED}),
    "knobs": (
        10_000,
        {
            "chunk_tokens": [1, 2, 3, 4, 5, 6, 8, 10, 12, 16],
            "delay_ms": [0, 50, 100, 150, 200],
            "latency_ms": [20, 100],
            "max_lag_ms": [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000],
            "base_delay_ms": [2, 4, 6, 8, 10, 12, 14, 16, 18, 20],
        },
    ),
    "faults": (1000, {"seeds": range(17), "fault": [FaultPlan.random(seed) for seed in range(5)], **TURNED}),
}


def recording() -> Cassette:
    """A stream of 500 deltas of one token each, as a server would have sent it."""
    pick = random.Random(1)
    texts = list(words(SyntheticParams(tokens=TOKENS, lang="en")))
    tokens = Tokens.of([((at + 0.2 * pick.random()) / RATE, text) for at, text in enumerate(texts)])
    writes = Log(serve(tokens, Knobs(chunk_tokens=1, chunk_ms=0))).writes(0, 0.0)
    reads = tuple(Read(round(write.at_s * 1e6), write.data) for write in writes)
    header = Header(title="benchmark", headers=(("content-type", "text/event-stream"),))
    return Cassette(header, reads, End("ended", reads[-1].offset_us, 0, 0))


@pytest.mark.parametrize("name", CROSSES)
def test_thousands_of_runs(name: str) -> None:
    cassette = recording()
    assert len(tokens_of(cassette).texts) == TOKENS
    least, cross = CROSSES[name]
    began = time.perf_counter()
    table = sweep(cassette, progress=False, **cross)
    took_s = time.perf_counter() - began
    runs = len(table)
    assert runs >= least
    verdict = "no limit"
    if least == 10_000:
        verdict = f"limit {LIMIT_S:.0f} s: {'holds' if took_s < LIMIT_S else 'DOES NOT HOLD'}"
    spread = statistics.quantiles(table["lag_p95_ms"], n=20)
    print(
        f"\nsweep, {name}: {runs:,} runs of {TOKENS} tokens at {RATE} a second in {took_s:.1f} s on {os.cpu_count()} "
        f"cores, {1000 * took_s / runs:.2f} ms a run ({verdict}); "
        f"{len(table.columns)} columns, lag p95 {spread[0]:.0f} to {spread[-1]:.0f} ms"
    )
