"""Ten thousand virtual runs of a stream of 500 tokens on all cores.

Two crosses. In `seeds` every run draws jitter of its own, so that network and page are computed anew in each. In
`knobs` the parameters of chunker, network and pace are turned, and the page is computed anew in each.
"""

from __future__ import annotations

import os
import random
import statistics
import time

import pytest

from sse_server.sources.synthetic import SyntheticParams, words
from sse_widget.measure.sweep import sweep
from sse_widget.measure.virtual.serving import Tokens

RUNS = 10_000
LIMIT_S = 20.0
RATE = 50
CROSSES = {
    "seeds": {"seeds": range(834), "jitter_ms": 30, "chunk_tokens": [1, 3, 6, 12], "base_delay_ms": [2, 8, 20]},
    "knobs": {
        "chunk_tokens": [1, 2, 3, 4, 5, 6, 8, 10, 12, 16],
        "delay_ms": [0, 50, 100, 150, 200],
        "latency_ms": [20, 100],
        "max_lag_ms": [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000],
        "base_delay_ms": [2, 4, 6, 8, 10, 12, 14, 16, 18, 20],
    },
}


def stream(lang: str) -> Tokens:
    pick = random.Random(1)
    texts = list(words(SyntheticParams(tokens=500, lang=lang)))
    return Tokens.of([((at + 0.2 * pick.random()) / RATE, text) for at, text in enumerate(texts)])


@pytest.mark.parametrize("name", CROSSES)
def test_ten_thousand_runs(name: str) -> None:
    began = time.perf_counter()
    table = sweep({"en": stream("en")}, **CROSSES[name])
    took_s = time.perf_counter() - began
    runs = len(table["lag_p95_ms"])
    assert runs >= RUNS
    verdict = "holds" if took_s < LIMIT_S else "DOES NOT HOLD"
    spread = statistics.quantiles(table["lag_p95_ms"], n=20)
    print(
        f"\nsweep, {name}: {runs:,} runs of 500 tokens at {RATE} a second in {took_s:.1f} s on {os.cpu_count()} cores, "
        f"{1000 * took_s / runs:.2f} ms a run (limit {LIMIT_S:.0f} s): {verdict}; "
        f"lag p95 {spread[0]:.0f} to {spread[-1]:.0f} ms"
    )
