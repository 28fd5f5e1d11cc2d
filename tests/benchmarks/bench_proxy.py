"""How long after the server's write a reader behind nginx has the first delta, beside a reader without a proxy.

`infra/nginx/sse.conf` as it is, in a real nginx; answers side by side, as a few readers ask at once.
"""

from __future__ import annotations

import asyncio

import pytest

from rig import proxies
from rig.lags import first_delta_lags_ms, spread
from sse_widget.measure.gaps import percentile

LIMIT_MS = 50.0
STREAMS = 500


@pytest.mark.parametrize("at_once", [1, 10])
def test_first_delta(at_once, server_process, tmp_path):
    server = server_process("--model=synthetic:", "--max-runs=200")
    asyncio.run(first_delta_lags_ms(server.url, streams=20, at_once=10))
    direct = asyncio.run(first_delta_lags_ms(server.url, streams=STREAMS, at_once=at_once))
    with proxies.included(server.url, tmp_path) as behind:
        lags = asyncio.run(first_delta_lags_ms(behind.url, streams=STREAMS, at_once=at_once))
    p99 = percentile(lags, 0.99)
    verdict = "holds" if p99 <= LIMIT_MS else "DOES NOT HOLD"
    print(
        f"\n{STREAMS} answers, {at_once} at once, first delta after the server's write\n"
        f"  without a proxy: {spread(direct)}\n"
        f"  behind nginx:    {spread(lags)}\n"
        f"  threshold {LIMIT_MS:.0f} ms at the 99th percentile: {verdict}"
    )
