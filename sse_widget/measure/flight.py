"""What the kernel noted of a run and what pages say that they saw of it, put together on one clock. Pure.

The clock is the kernel's, in seconds. Times of the server and of pages are brought to it by the two offsets to the
server's clock, so what a page's own two times differ by stays what it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sse_widget.measure.spans import Note, Received, Span
from sse_widget.protocol.trace import DeltaRow, PingRow, RunSpans, SnapshotRow, StateRow, Trace

if TYPE_CHECKING:
    from sse_widget.protocol.trace import ReaderSpans

ENDS = frozenset({"done", "stopped", "error", "gap"})
"""What a page becomes at the end of its run; `interrupted` and `closed` are the end of the page's reading alone."""

NS_PER_MS = 1_000_000


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """One delta as the kernel had it; times in seconds of its clock, but `trace` and `write_ns` are the server's."""

    seq: int
    text: str
    kernel_s: float
    receive_s: float
    parse_s: float
    connection: int | None = None
    attempt: int | None = None
    trace: Trace | None = None
    write_ns: int | None = None


class Flight(msgspec.Struct, frozen=True):
    """One run as the kernel noted it. `offset_ns`, wrong by `error_ns` at most, leads to the server's clock."""

    asked_s: float
    arrivals: tuple[Arrival, ...] = ()
    notes: tuple[Note, ...] = ()
    ended_s: float | None = None
    wire_bytes: int | None = None
    offset_ns: int | None = None
    error_ns: int | None = None
    tokens: int | None = None
    first_tokens: int | None = None


def received_of(flight: Flight, said: RunSpans, reader: str = "") -> Received:
    """Return what one page received, or the kernel where no page's times can be told.

    `reader` names the page; without it, the one that saw most of the text come is taken, of equal ones the one that
    asked, else the one that came first. A page that only had the text in one piece is taken when it is named. What the
    page has said nothing of has the kernel's times. Raises ValueError for a page of which nothing is known.
    """
    pages = [] if flight.offset_ns is None else [page for page in said.readers if page.offset_ns is not None]
    asker = next((page for page in pages if page.asked is not None), None)
    page = _chosen(pages, reader, flight)
    view = _View(flight, page)
    return Received(
        asked_s=flight.asked_s if asker is None else _on_kernel(flight, asker, asker.asked or 0.0),
        spans=view.spans(),
        tokens=flight.tokens,
        first_tokens=flight.first_tokens,
        wire_bytes=flight.wire_bytes,
        ended_s=view.ended_s(),
        notes=view.notes(),
        reader=None if page is None else page.reader,
        readers=tuple(one.reader for one in said.readers),
        clock_error_s=None if page is None else _seconds(page.error_ns),
        kernel_error_s=_seconds(flight.error_ns),
        asked_by="kernel" if asker is None else "page",
    )


class _View:
    """A run as one page saw it; without a page, as the kernel did."""

    def __init__(self, flight: Flight, page: ReaderSpans | None) -> None:
        self._flight = flight
        self._page = page
        rows = () if page is None else page.rows
        self._deltas = {row.seq: row for row in rows if isinstance(row, DeltaRow)}
        snapshots = [row for row in rows if isinstance(row, SnapshotRow)]
        self._snapshot = snapshots[-1] if snapshots else None

    def spans(self) -> tuple[Span, ...]:
        """Return the deltas in their order; those that the page had in a snapshot are that."""
        arrivals, snapshot = self._flight.arrivals, self._snapshot
        found = []
        if snapshot is not None:
            earlier = [arrival for arrival in arrivals if arrival.seq <= snapshot.seq]
            arrivals = arrivals[len(earlier) :]
            if earlier:
                text = "".join(arrival.text for arrival in earlier)
                found = [self._seen(msgspec.structs.replace(earlier[-1], text=text, trace=None), snapshot)]
        for arrival in arrivals:
            row = self._deltas.get(arrival.seq)
            found.append(self._kernels(arrival) if row is None else self._seen(arrival, row))
        return tuple(found)

    def notes(self) -> tuple[Note, ...]:
        """Return the heartbeats and state changes of the reader."""
        if self._page is None:
            return self._flight.notes
        notes = []
        for row in self._page.rows:
            if isinstance(row, PingRow):
                notes.append(Note("ping", self._at(row.at), row.connection))
            elif isinstance(row, StateRow):
                notes.append(Note("state", self._at(row.at), row.connection, row.attempt, row.state, row.reason))
        return tuple(notes)

    def ended_s(self) -> float | None:
        """Return when the reader knew of the run's end; the kernel, where the page never did."""
        ends = [note.at_s for note in self.notes() if note.state in ENDS]
        return ends[-1] if self._page is not None and ends else self._flight.ended_s

    def _seen(self, arrival: Arrival, row: DeltaRow | SnapshotRow) -> Span:
        span = Span(
            seq=row.seq,
            text=arrival.text,
            kind="delta" if isinstance(row, DeltaRow) else "snapshot",
            connection=row.connection,
            attempt=row.attempt,
            write_s=self._server(row.write_ns),
            received_s=self._at(row.receive),
            parse_s=self._at(row.parse),
            shown_s=self._maybe_at(row.show_first),
            show_last_s=self._maybe_at(row.show_last),
            painted_s=self._maybe_at(row.paint),
            kernel_s=arrival.kernel_s,
        )
        return self._traced(span, arrival.trace)

    def _kernels(self, arrival: Arrival) -> Span:
        span = Span(
            seq=arrival.seq,
            text=arrival.text,
            connection=arrival.connection,
            attempt=arrival.attempt,
            write_s=self._server(arrival.write_ns),
            received_s=arrival.receive_s,
            parse_s=arrival.parse_s,
            kernel_s=arrival.kernel_s,
        )
        return self._traced(span, arrival.trace)

    def _traced(self, span: Span, trace: Trace | None) -> Span:
        if trace is None or self._flight.offset_ns is None:
            return span
        stamps = {f"{name}_s": self._server(ns) for name, ns in msgspec.structs.asdict(trace).items()}
        return msgspec.structs.replace(span, **stamps)

    def _server(self, at_ns: int | None) -> float | None:
        offset_ns = self._flight.offset_ns
        return None if at_ns is None or offset_ns is None else (at_ns - offset_ns) / 1e9

    def _at(self, page_ms: float) -> float:
        return _on_kernel(self._flight, self._page, page_ms)

    def _maybe_at(self, page_ms: float | None) -> float | None:
        return None if page_ms is None else self._at(page_ms)


def _chosen(pages: list[ReaderSpans], reader: str, flight: Flight) -> ReaderSpans | None:
    if reader:
        for page in pages:
            if page.reader == reader:
                return page
        known = ", ".join(page.reader for page in pages) or "none"
        raise ValueError(f"nothing is known of a reader {reader!r}; known: {known}")
    lengths = {arrival.seq: len(arrival.text) for arrival in flight.arrivals}

    def seen(page: ReaderSpans) -> int:
        return sum(lengths.get(seq, 0) for seq in {row.seq for row in page.rows if isinstance(row, DeltaRow)})

    candidates = [(seen(page), page.asked is not None, page) for page in pages]
    best = max(candidates, key=lambda candidate: candidate[:2], default=None)
    return best[2] if best is not None and best[0] else None


def _on_kernel(flight: Flight, page: ReaderSpans | None, page_ms: float) -> float:
    """Return a page's time as one of the kernel's clock, by way of the server's; both offsets are known."""
    offset_ns = 0 if page is None else page.offset_ns or 0
    return (round(page_ms * NS_PER_MS) + offset_ns - (flight.offset_ns or 0)) / 1e9


def _seconds(ns: int | None) -> float | None:
    return None if ns is None else ns / 1e9
