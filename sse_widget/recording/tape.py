"""What the reader of a run gets from the network, kept so that it can be written down at any time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sse_widget.endpoint import plain
from sse_widget.protocol.actions import Reset
from sse_widget.protocol.cassette import KEPT_HEADERS, Header, How, Read
from sse_widget.protocol.events import parse_event_id
from sse_widget.protocol.sse import Parser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sse_widget.protocol.sse import Event

MOST_BYTES = 64 * 1024 * 1024
"""So much of a run is kept; the recording of a longer one ends there, as left."""

TERMINAL = frozenset({"done", "error"})
_FRAME_END = b"\n\n"


class Tape:
    """The reads of one run, with their times since the question was sent, over as many connections as it takes.

    Where a connection broke, what it brought after the last event that was taken goes: the next one brings it again.
    For the readers' loop; `clock_ns` is any steady clock.
    """

    def __init__(
        self,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.header: Header | None = None
        self.reads: list[Read] = []
        self.how: How | None = None
        self.end_us = 0
        self.edits = 0
        """How often something was taken back: what was written down before that is to be written anew."""
        self._clock_ns = clock_ns
        self._now = now
        self._sent_ns: int | None = None
        self._created = ""
        self._model = ""
        self._joined = False
        self._bytes = 0
        self._opened_at = 0
        self._changed = asyncio.Event()

    def begin(self, *, model: str = "", joined: bool = False) -> None:
        """Begin the time: the question is being sent, or, if `joined`, a run is read that another one began."""
        if self._sent_ns is None:
            self._sent_ns = self._clock_ns()
            self._created = self._now().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            self._model, self._joined = model, joined

    def opened(self, url: str, headers: Iterable[tuple[str, str]], last_seq: int) -> None:
        """Take the head of a response, which brings what follows `last_seq`."""
        self.begin(joined=True)
        if self.header is None:
            self.header = Header(
                created=self._created,
                url=plain(url),
                model=self._model,
                headers=tuple(pair for pair in headers if pair[0] in KEPT_HEADERS),
                head_us=self._offset_us(),
                offsets="log" if self._joined else "live",
            )
        elif len(self.reads) > self._opened_at:
            self._take_back(last_seq)
        self._opened_at = len(self.reads)
        self._change()

    def read(self, data: bytes) -> None:
        """Take the bytes of one read; none are the end of the response."""
        if data and self.how is None:
            if self._bytes + len(data) > MOST_BYTES:
                self.finish("left")
                return
            self._bytes += len(data)
            self.reads.append(Read(self._offset_us(), data))
            self._change()

    def hear(self, event: Event | Reset) -> None:
        """Take what the reader makes of it: the end, or that the text comes again from its start."""
        if isinstance(event, Reset):
            self._opened_at = 0
            self._replace(b"")
            self._change()
        elif event.event in TERMINAL:
            self.finish("ended")

    def finish(self, how: How) -> None:
        """Take the end of the run; only the first counts."""
        if self.how is None:
            self.how = how
            self.end_us = self._offset_us() if self._sent_ns is not None else 0
            self._change()

    async def change(self) -> None:
        """Wait for the next thing that happens to it."""
        await self._changed.wait()

    def _take_back(self, last_seq: int) -> None:
        data = b"".join(read.data for read in self.reads[self._opened_at :])
        taken = _taken(data, last_seq)
        if len(taken) < len(data):
            self._replace(taken)

    def _replace(self, data: bytes) -> None:
        """Keep so much of what the last response brought."""
        kept, left = self.reads[: self._opened_at], len(data)
        for read in self.reads[self._opened_at :]:
            if left > 0:
                kept.append(Read(read.offset_us, read.data[:left]))
            left -= len(read.data)
        self.reads = kept
        self._bytes = sum(len(read.data) for read in kept)
        self.edits += 1

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _offset_us(self) -> int:
        return (self._clock_ns() - (self._sent_ns or 0)) // 1000


def _taken(data: bytes, last_seq: int) -> bytes:
    """Return these bytes of our server up to where its events after `last_seq` begin, or are not whole."""
    end = 0
    while (stop := data.find(_FRAME_END, end)) >= 0:
        events = Parser().feed(data[end : stop + len(_FRAME_END)])
        places = [parse_event_id(event.id) for event in events]
        if any(place is not None and place[1] > last_seq for place in places):
            break
        end = stop + len(_FRAME_END)
    return data[:end]
