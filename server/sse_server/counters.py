"""What a process has done and is doing, as plain numbers: cheap to count on the way of a token, read by `metrics`."""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_left
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, get_args

from sse_server.errors import CODES, MESSAGES
from sse_widget.protocol.events import DoneReason

if TYPE_CHECKING:
    from collections.abc import Iterator

Transport = Literal["sse", "websocket", "poll"]
Place = Literal["request", "stream"]
"""Where an error was said: a refusal of a request, or the terminal event of a stream."""

TRANSPORTS: tuple[Transport, ...] = get_args(Transport)
KINDS = ("local", "openai", "anthropic", "synthetic", "replay", "push", "other")
ENDINGS = (*get_args(DoneReason), "error")
ERROR_CODES = frozenset({*MESSAGES, *CODES.values()} - set(CODES))
REASONS = frozenset(
    {
        "blocked",
        "cut",
        "ended",
        "head_cut",
        "heartbeat",
        "held_back",
        "idle",
        "network",
        "no_streaming",
        "not_possible",
        "payload_mismatch",
        "refused",
        "restart",
        "socket_closed",
        "socket_refused",
        "wrong_stream",
        *ERROR_CODES,
    }
)
"""Why clients say that they come again; see `sse_widget/protocol/session.py` and `js/transport/`."""

OTHER = "other"
DROPPED_AFTER = 0.25
"""The share of `heartbeat_s` by which a ping may be late: readers give a silent connection up at 2.25 of them."""

FIRST_TOKEN_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
DURATION_S = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
LAG_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

_REASON = re.compile(r"reason=([\w.-]{1,64})")
_HTTP = re.compile(r"http_([345])\d\d")


class Histogram:
    """How many observed values, in seconds, fell at or below each bound; the last count is of those above all."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds


class Counters:
    """What the connections and runs of this process did. Labels are of the fixed sets above, never from a request."""

    def __init__(self) -> None:
        self.connections = 0
        self.sockets = 0
        self.writes = 0
        self.events = 0
        self.bytes_written = 0
        self.pings = 0
        self.pings_due = 0
        self.pings_dropped = 0
        self.slow_readers = 0
        self.connected_by = dict.fromkeys(TRANSPORTS, 0)
        self.connection_s = {transport: Histogram(DURATION_S) for transport in TRANSPORTS}
        self.runs_started: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
        self.first_token_s: dict[str, Histogram] = {}
        self.stream_s = {ending: Histogram(DURATION_S) for ending in ENDINGS}
        self.errors: Counter[tuple[str, Place]] = Counter()
        self.reconnects: Counter[str] = Counter()
        self.loop_lag_s = Histogram(LAG_S)
        self.idle = asyncio.Event()
        self.idle.set()

    @contextmanager
    def connected(self, transport: Transport) -> Iterator[None]:
        """Count a connection that streams, while it does."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        self.connections += 1
        self.connected_by[transport] += 1
        self.idle.clear()
        try:
            yield
        finally:
            self.connections -= 1
            self.connected_by[transport] -= 1
            self.connection_s[transport].observe(loop.time() - began_s)
            if self.connections == 0:
                self.idle.set()

    def first_token(self, kind: str, seconds: float) -> None:
        """Count how long a run's first token took."""
        self.first_token_s.setdefault(kind, Histogram(FIRST_TOKEN_S)).observe(seconds)

    def ended(self, ending: str, seconds: float) -> None:
        """Count a run that has ended, and how long it went on."""
        self.stream_s[ending].observe(seconds)

    def pinged(self, late_s: float, heartbeat_s: float) -> None:
        """Count a ping that went out, and whether it was so late that it counts as dropped."""
        self.pings += 1
        self.pings_due += 1
        if late_s > DROPPED_AFTER * heartbeat_s:
            self.pings_dropped += 1

    def ping_failed(self) -> None:
        """Count a ping that a reader who takes no bytes never got."""
        self.pings_due += 1
        self.pings_dropped += 1

    def failed(self, code: str, place: Place) -> None:
        """Count an error that was said to a client."""
        self.errors[code if code in ERROR_CODES else OTHER, place] += 1

    def reconnected(self, header: str) -> None:
        """Count a connection that says in X-SSE-Reconnect why it came again; one without a reason is no news."""
        found = _REASON.search(header)
        if found is not None:
            self.reconnects[reconnect_reason(found[1])] += 1

    def as_dict(self) -> dict[str, int]:
        """Return the plain figures by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, int)}


def reconnect_reason(said: str) -> str:
    """Return the label of a reason that a client gave: a known word, the class of an HTTP status, or `other`."""
    status = _HTTP.fullmatch(said)
    if status is not None:
        return f"http_{status[1]}xx"
    return said if said in REASONS else OTHER


def model_kind(model: str) -> str:
    """Return the kind of a model name: its prefix where that is known, `local` for a file, `other` for the rest."""
    kind = model.partition(":")[0]
    if model.endswith(".gguf"):
        return "local"
    return kind if kind in KINDS else OTHER
