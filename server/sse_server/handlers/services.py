"""What handlers work with: the parts of one server."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from sse_server.config import Config
from sse_server.counters import Counters
from sse_server.delivery import Delivery
from sse_server.guards.auth import Gate
from sse_server.guards.caps import Caps
from sse_server.guards.limits import Quota
from sse_server.guards.proxies import Proxies
from sse_server.guards.sessions import Sessions
from sse_server.guards.tickets import TicketOffice
from sse_server.log.base import EventLog
from sse_server.metrics import Metrics
from sse_server.observer import Aliases
from sse_server.runs import Runs
from sse_server.sources.models import Models
from sse_server.sources.shelf import Shelf
from sse_server.spans import SpanBooks


class Socket(Protocol):
    """An open WebSocket."""

    def leave(self) -> None:
        """Close it, for the server ends."""


class Services(msgspec.Struct, frozen=True):
    """What handlers work with, made in app.py.

    `model` is that of questions that name none, `models` are those to choose from, `prefix` the path before `/api/v1`,
    `node` names the process, `static` is the folder of the bundles, `shelf` has the recordings, `spans` what pages saw;
    `sockets` are those that are open, `deliveries` what goes to other connections. `aliases` stand for principals in
    the journal.
    """

    config: Config
    log: EventLog
    runs: Runs
    gate: Gate
    tickets: TicketOffice
    sessions: Sessions
    quota: Quota
    proxies: Proxies
    counters: Counters
    caps: Caps
    model: str
    models: Models
    prefix: str
    node: str
    static: Path
    shelf: Shelf
    spans: SpanBooks
    metrics: Metrics
    aliases: Aliases
    sockets: set[Socket] = msgspec.field(default_factory=set)
    deliveries: set[Delivery] = msgspec.field(default_factory=set)
