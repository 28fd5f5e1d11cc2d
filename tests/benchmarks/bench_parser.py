"""Events per second of our parser and of httpx-sse, side by side in one process, at two chunk sizes.

httpx-sse reads lines that httpx decodes; both parts are counted, since a reader needs both.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING

import httpx
import httpx_sse
import pytest

from sse_widget.protocol.events import Delta, dump, event_id
from sse_widget.protocol.sse import Event, Parser, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

EVENTS = 20_000
PAIRS = 7
STREAM = "0123456789abcdef" * 2
WORDS = ("the answer ", "يأتي الجواب ", "grows word ", "كلمةً بعد ", "by word 你好 ")
WIRE = b"".join(
    encode(Event("delta", dump(Delta(WORDS[seq % len(WORDS)] * 2)), event_id(STREAM, seq))) for seq in range(EVENTS)
)


class Body(httpx.AsyncByteStream):
    """The recorded bytes in pieces of one size."""

    def __init__(self, size: int) -> None:
        self.pieces = [WIRE[at : at + size] for at in range(0, len(WIRE), size)]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


async def ours(size: int) -> int:
    parser, count = Parser(), 0
    async for piece in Body(size):
        count += len(parser.feed(piece))
    return count


async def theirs(size: int) -> int:
    answer = httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Body(size))
    return len([event async for event in httpx_sse.EventSource(answer).aiter_sse()])


def rate(read: object, size: int) -> float:
    began = time.perf_counter()
    assert asyncio.run(read(size)) == EVENTS
    return EVENTS / (time.perf_counter() - began)


@pytest.mark.parametrize(("size", "threshold"), [(100, 2.0), (16 * 1024, 3.0)])
def test_events_per_second_against_httpx_sse(size: int, threshold: float) -> None:
    rate(ours, size)
    rate(theirs, size)
    pairs = [(rate(ours, size), rate(theirs, size)) for _ in range(PAIRS)]
    ratio = statistics.median(a / b for a, b in pairs)
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    verdict = "holds" if ratio >= threshold else "DOES NOT HOLD"
    print(
        f"\nparser, {size} B chunks: {mine:,.0f} events/s, httpx-sse {other:,.0f}; "
        f"ratio {ratio:.2f} (threshold {threshold}): {verdict}"
    )
