"""The server's half of the flight recorder: frames of a connection that asked for `trace`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from sse_widget.protocol.events import Timing, dump
from sse_widget.protocol.sse import Event, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from sse_server.log.base import Batch, EventLog
    from sse_widget.protocol.trace import Trace

_DATA_END = b"}\nid: "


class Tracing:
    """Writes times into what one connection is sent; the log's own frames, which others share, stay as they are.

    Without `stamps` only the times of its writes: a page sends those back, and what the rest is, others read.
    """

    def __init__(self, log: EventLog, clock_ns: Callable[[], int] = time.monotonic_ns, *, stamps: bool = True) -> None:
        self._log = log
        self._stamps = stamps
        self._clock_ns = clock_ns

    async def batch(self, stream_id: str, batch: Batch) -> bytes:
        """Return the bytes of a batch: `timing`, then its frames, deltas with their stamps where these are wanted."""
        if not self._stamps:
            return self.timed(batch.first, batch.last, b"".join(batch.frames))
        traces = await self._log.traces(stream_id, batch.first, batch.last)
        frames = map(stamped, batch.frames, traces)
        return self.timed(batch.first, batch.last, b"".join(frames))

    def timed(self, first: int, last: int, frames: bytes) -> bytes:
        """Return frames of these events that are written now, with the `timing` that says so before them."""
        return encode(Event("timing", dump(Timing(first, last, self._clock_ns())))) + frames


def stamped(frame: bytes, trace: Trace | None) -> bytes:
    """Return a delta's frame with its trace as the last field of the data; without a trace as it is.

    JSON has no raw line breaks, so nothing but the end of the data stands before the id.
    """
    if trace is None:
        return frame
    head, _, tail = frame.rpartition(_DATA_END)
    return b'%b,"trace":%b%b%b' % (head, msgspec.json.encode(trace), _DATA_END, tail)
