"""The kernel's end of the flight recorder: its own notes of a run, the server's clock, and what pages say they saw."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitTimeoutError
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from sse_widget.errors import ConnectError, RemoteError, SSEWidgetError, WrongContentType
from sse_widget.loop import on_loop, submit
from sse_widget.measure.clock import Clock
from sse_widget.measure.flight import received_of
from sse_widget.measure.record import Record
from sse_widget.protocol.trace import RunSpans

if TYPE_CHECKING:
    from sse_widget.client import StreamClient
    from sse_widget.measure.flight import Flight
    from sse_widget.measure.spans import Received

PAGES_WAIT_S = 2.0
"""How long after the end of a run its figures wait for the last of what pages saw. Nobody waits where no page reads."""

EXCHANGES = 4
"""Questions for the server's clock when a run begins; the one that was answered soonest counts."""

CLOCK_KEPT_S = 30.0
"""Runs of a server that begin within this time share its clock; quartzes drift by some 50 µs a second at worst."""

DRIFT = 50e-6
"""By how much two quartzes run apart at worst, in seconds a second."""

_MARGIN_S = 0.5
_UNKNOWN = frozenset({"not_found", "expired"})
_UNKNOWN_STATUS = frozenset({404, 405, 410})


class Recorder:
    """Everything that this kernel knows of one run. `begin` and `end` are for the loop of `loop.py`.

    `received` may be called on any thread. It asks the server for what pages have said, in a short request, and on the
    loop itself, where nobody may wait, it goes without.
    """

    def __init__(self) -> None:
        self.record = Record()
        self._clock = Clock()
        self._exchanged_s = 0.0
        self._client: StreamClient | None = None
        self._stream_id = ""
        self._said = RunSpans()
        self._settled = False
        self._ending: Future[None] | None = None
        self._exchanging: asyncio.Task[None] | None = None

    def begin(self, client: StreamClient, stream_id: str) -> None:
        """The run has an id, and is about to be read."""
        self._client, self._stream_id = client, stream_id
        synchronised = _synchronised(client)
        self._clock, self._exchanging = synchronised.clock, synchronised.exchanging
        self._exchanged_s = synchronised.began_s

    def end(self, wire_bytes: int) -> None:
        """The run was read to its end."""
        self.record.end(wire_bytes)
        if self._client is not None and self._ending is None:
            self._ending = submit(self._last(self._client))

    def received(self, reader: str = "") -> Received:
        """Return what one page received, or else this kernel, as `flight.received_of` does.

        After the end of the run it waits for the last rows of its pages, for 2 seconds from that end at most.
        """
        self._ask()
        flight = self.record.flight()
        flight = msgspec.structs.replace(flight, offset_ns=self._clock.offset_ns, error_ns=self._error_ns(flight))
        return received_of(flight, self._said, reader)

    def _error_ns(self, flight: Flight) -> int | None:
        """Return the error of the exchange, and what clocks may have drifted between it and the ends of the run."""
        if self._clock.error_ns is None:
            return None
        last_s = flight.ended_s or (flight.arrivals[-1].kernel_s if flight.arrivals else flight.asked_s)
        apart_s = max(abs(at_s - self._exchanged_s) for at_s in (flight.asked_s, last_s))
        return self._clock.error_ns + round(1e9 * DRIFT * apart_s)

    def _ask(self) -> None:
        if self._settled or self._client is None or on_loop():
            return
        with suppress(WaitTimeoutError):
            if self._ending is not None:
                self._ending.result(PAGES_WAIT_S + _MARGIN_S)
            if not self._settled:
                submit(self._fetch(self._client, 0.0)).result(PAGES_WAIT_S)

    async def _last(self, client: StreamClient) -> None:
        if self._exchanging is not None:
            await asyncio.wait({self._exchanging}, timeout=_MARGIN_S)
        await self._fetch(client, PAGES_WAIT_S)

    async def _fetch(self, client: StreamClient, wait_s: float) -> None:
        """Ask once. Who does not answer after the end, or knows of no spans, is not asked again."""
        ended = self._ending is not None
        try:
            async with asyncio.timeout(PAGES_WAIT_S + _MARGIN_S):
                said = await client.spans(self._stream_id, wait_s=wait_s)
        except (SSEWidgetError, TimeoutError) as error:
            self._settled = self._settled or ended or _in_vain(error)
            return
        self._said = _fuller(self._said, said)
        readers = self._said.readers
        self._settled = self._ending is not None and bool(readers) and all(reader.over for reader in readers)


def _in_vain(error: SSEWidgetError | TimeoutError) -> bool:
    """Whether it is another server, or one that does not know the run: asking again does not help."""
    if isinstance(error, ConnectError):
        return error.status in _UNKNOWN_STATUS
    return isinstance(error, WrongContentType) or (isinstance(error, RemoteError) and error.code in _UNKNOWN)


def _fuller(held: RunSpans, came: RunSpans) -> RunSpans:
    """Return all pages of both, of each what has more rows: a server may forget, and an answer overtake another."""
    readers = {page.reader: page for page in held.readers}
    for page in came.readers:
        known = readers.get(page.reader)
        if known is None or (len(page.rows), page.over) >= (len(known.rows), known.over):
            readers[page.reader] = page
    return RunSpans(tuple(readers.values()))


class _Synchronised:
    """The clock of a server, and the exchanges that estimate it, which runs that begin together share."""

    def __init__(self, client: StreamClient) -> None:
        loop = asyncio.get_running_loop()
        self.clock = Clock()
        self.began_s = loop.time()
        self.exchanging = loop.create_task(self._exchange(client))

    async def _exchange(self, client: StreamClient) -> None:
        with suppress(SSEWidgetError):
            for _ in range(EXCHANGES):
                await client.read_clock(self.clock)

    @property
    def worn(self) -> bool:
        """Whether another run needs exchanges of its own."""
        age_s = asyncio.get_running_loop().time() - self.began_s
        return age_s > CLOCK_KEPT_S or (self.exchanging.done() and self.clock.offset_ns is None)


_clocks: dict[str, _Synchronised] = {}


def _synchronised(client: StreamClient) -> _Synchronised:
    for url in [url for url, known in _clocks.items() if known.worn]:
        del _clocks[url]
    if client.url not in _clocks:
        _clocks[client.url] = _Synchronised(client)
    return _clocks[client.url]
