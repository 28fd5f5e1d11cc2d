"""What pages say that they saw of runs, kept for whoever measures; bounded, and forgotten with the runs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from sse_server.errors import ServerError

if TYPE_CHECKING:
    from sse_widget.protocol.trace import Spans

MAX_READERS = 32
"""Pages of one run: a page that is loaded again counts anew."""

MAX_ROWS = 50_000
"""Rows of one page: more than the longest answer has deltas."""

MAX_BYTES = 64 << 20
"""Of all runs; beyond it the runs whose first page came first are forgotten."""

MAX_RUN_BYTES = 8 << 20
"""Of one run, so that who may read one cannot have those of others forgotten."""

ROW_BYTES = 150
"""What a row takes beside its JSON: two objects, and its place in the tuple."""

READER_BYTES = 1000
"""What a page takes beside its rows."""


class ReaderBook(msgspec.Struct, frozen=True):
    """What one page has said so far; the same on the wire as `trace.ReaderSpans`."""

    reader: str
    offset_ns: int | None
    error_ns: int | None
    asked: float | None
    over: bool
    rows: tuple[msgspec.Raw, ...]


class _Run:
    """The pages of one run, by the names that they gave themselves, in the order in which they came."""

    def __init__(self) -> None:
        self.readers: dict[str, ReaderBook] = {}
        self.size = 0
        self.changed = asyncio.Event()

    @property
    def over(self) -> bool:
        return all(reader.over for reader in self.readers.values())

    def add(self, spans: Spans) -> int:
        """Take the rows that are new; return how many bytes they take.

        Raises ServerError, and takes none, when the run then had more than `MAX_RUN_BYTES`.
        """
        known = self.readers.get(spans.reader)
        held = () if known is None else known.rows
        rows = _encoded(spans, len(held))
        size = sum(map(len, rows)) + ROW_BYTES * len(rows) + (READER_BYTES if known is None else 0)
        if self.size + size > MAX_RUN_BYTES:
            raise ServerError("too_many_spans", limit=len(held))
        # A page that cannot tell now, as after a new connection, has told before.
        clock = spans if known is None or spans.offset_ns is not None else known
        self.readers[spans.reader] = ReaderBook(
            reader=spans.reader,
            offset_ns=clock.offset_ns,
            error_ns=clock.error_ns,
            asked=spans.asked,
            over=spans.over or (known is not None and known.over),
            rows=held + rows,
        )
        self.size += size
        self.changed.set()
        self.changed = asyncio.Event()
        return size


class SpanBooks:
    """The rows of all runs. That a run exists, and who may read it, is for the caller to know."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._size = 0

    def add(self, stream_id: str, spans: Spans) -> None:
        """Take the next rows of a page, each once however often it comes.

        Raises ServerError: `spans_gap` when rows are missing before them, `too_many_spans` beyond the bounds.
        """
        run = self._runs.get(stream_id) or _Run()
        known = run.readers.get(spans.reader)
        have = 0 if known is None else len(known.rows)
        if spans.start > have:
            raise ServerError("spans_gap", have=have, got=spans.start)
        if known is None and len(run.readers) >= MAX_READERS:
            raise ServerError("too_many_readers", limit=MAX_READERS)
        if spans.start + len(spans.rows) > MAX_ROWS:
            raise ServerError("too_many_spans", limit=MAX_ROWS)
        self._size += run.add(spans)
        self._runs[stream_id] = run
        while self._size > MAX_BYTES:
            self.forget(next(iter(self._runs)))

    async def read(self, stream_id: str, wait_s: float) -> tuple[ReaderBook, ...]:
        """Return what the pages of a run have said, as soon as all of them are over, or after `wait_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while (run := self._runs.get(stream_id)) is not None and not run.over:
                    await run.changed.wait()
        run = self._runs.get(stream_id)
        return () if run is None else tuple(run.readers.values())

    def forget(self, stream_id: str) -> None:
        """Drop the rows of a run."""
        run = self._runs.pop(stream_id, None)
        if run is not None:
            self._size -= run.size
            run.changed.set()


def _encoded(spans: Spans, have: int) -> tuple[msgspec.Raw, ...]:
    """Return the rows that are not held yet, as JSON: a quarter of what they would take as objects."""
    return tuple(msgspec.Raw(msgspec.json.encode(row)) for row in spans.rows[have - spans.start :])
