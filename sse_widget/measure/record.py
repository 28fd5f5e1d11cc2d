"""Takes down what this kernel receives of a run, as it does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from sse_widget.measure.flight import Arrival, Flight
from sse_widget.measure.spans import Note
from sse_widget.protocol.events import Delta, Timing, load, parse_event_id
from sse_widget.protocol.sse import Event, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from sse_widget.protocol.trace import Trace


class Reader(msgspec.Struct, frozen=True, gc=False):
    """Where the reader of a stream stands: which of its connections it is on, and when bytes came there last (s)."""

    connection: int | None = None
    receive_s: float | None = None
    parse_s: float | None = None


class Record:
    """One run's deltas, heartbeats and changes of state; it begins when the question is asked.

    `clock` gives seconds of the steady clock that the reader's times are of.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked_s = clock()
        self._arrivals: list[Arrival] = []
        self._notes: list[Note] = []
        self._attempt: int | None = None
        self._timing = Timing(0, 0, 0)
        self._ended_s: float | None = None
        self._stamp_bytes = 0
        self._wire_bytes: int | None = None

    @property
    def text(self) -> str:
        """What was received."""
        return "".join([arrival.text for arrival in self._arrivals])

    @property
    def first_text(self) -> str | None:
        """The first delta, None while there is none."""
        return self._arrivals[0].text if self._arrivals else None

    def take(self, event: Event, reader: Reader) -> bool:
        """Take down an event that came; return whether it was text."""
        match load(event.event, event.data):
            case Delta(text, trace):
                self._add(event, text, trace, reader)
                return True
            case Timing() as timing:
                self._timing = timing
                self._stamp_bytes += len(encode(Event("timing", event.data)))
            case _ if event.event == "ping":
                self._notes.append(Note("ping", self._clock(), reader.connection))
        return False

    def state(self, state: str, reason: str, attempt: int, connection: int) -> None:
        """Take down what the reader has become."""
        if state == "open":
            self._attempt = attempt
        self._notes.append(Note("state", self._clock(), connection, attempt, state, reason))

    def clear(self) -> None:
        """Forget the text: it is read again from its start."""
        self._arrivals.clear()

    def end(self, wire_bytes: int) -> None:
        """Take down the end of the run, and how many bytes its text took on the way."""
        self._ended_s = self._clock()
        self._wire_bytes = wire_bytes - self._stamp_bytes

    def flight(self) -> Flight:
        """Return what is taken down so far."""
        return Flight(
            self._asked_s,
            tuple(self._arrivals),
            tuple(self._notes),
            self._ended_s,
            self._wire_bytes,
        )

    def _add(self, event: Event, text: str, trace: Trace | None, reader: Reader) -> None:
        place = parse_event_id(event.id)
        seq = place[1] if place else 0
        now_s = self._clock()
        if trace is not None:
            self._stamp_bytes += len(event.data.encode()) - len(msgspec.json.encode(Delta(text)))
        self._arrivals.append(
            Arrival(
                seq,
                text,
                kernel_s=now_s,
                receive_s=now_s if reader.receive_s is None else reader.receive_s,
                parse_s=now_s if reader.parse_s is None else reader.parse_s,
                connection=reader.connection,
                attempt=self._attempt,
                trace=trace,
                write_ns=self._timing.write if self._timing.first <= seq <= self._timing.last else None,
            )
        )
