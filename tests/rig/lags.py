"""How long a delta takes from the server's write to the reader, both on this machine and so on one clock."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx

from rig.serving import CHAT, PATIENCE_S, data_of
from sse_widget.measure.gaps import percentile
from sse_widget.protocol.sse import Parser

if TYPE_CHECKING:
    from collections.abc import Sequence

BODY = {"q": "?", "model": "synthetic:tokens=4,rate=200", "chunk_tokens": 1, "trace": True}


async def first_delta_lags_ms(url: str, *, streams: int, at_once: int) -> list[float]:
    """Ask so many questions, `at_once` side by side; return how late the first delta of each was.

    `write` is the server's stamp (time.monotonic_ns) before it writes; the reader's is taken when the bytes that
    complete the delta have been read. Nothing is taken out.
    """
    waiting = list(range(streams))
    lags: list[float] = []
    limits = httpx.Limits(max_connections=at_once)
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, trust_env=False, limits=limits) as client:

        async def ask() -> None:
            while waiting:
                waiting.pop()
                lags.append(await _first_delta_lag_ms(client))

        await asyncio.gather(*(ask() for _ in range(at_once)))
    return lags


async def _first_delta_lag_ms(client: httpx.AsyncClient) -> float:
    parser, write_ns, lag_ms = Parser(), 0, None
    async with client.stream("POST", CHAT, json=BODY) as response:
        async for chunk in response.aiter_bytes():
            received_ns = time.monotonic_ns()
            for event in parser.feed(chunk):
                if event.event == "timing":
                    write_ns = data_of(event)["write"]
                elif event.event == "delta" and lag_ms is None:
                    lag_ms = (received_ns - write_ns) / 1e6
    assert lag_ms is not None, "an answer without a delta"
    return lag_ms


def spread(lags_ms: Sequence[float]) -> str:
    """Return the percentiles in words."""
    named = {"median": 0.5, "p95": 0.95, "p99": 0.99, "most": 1.0}
    return ", ".join(f"{name} {percentile(lags_ms, share):.2f} ms" for name, share in named.items())
