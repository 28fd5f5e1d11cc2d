"""What is told of a run while it goes on: figures for the metrics, and one line in the journal when it has ended."""

from __future__ import annotations

import hmac
import logging
from typing import TYPE_CHECKING, Protocol

from sse_server.counters import model_kind
from sse_widget.protocol.events import Done, Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from sse_server.counters import Counters

logger = logging.getLogger(__name__)


class Watch(Protocol):
    """What a producer tells of its run."""

    def token(self) -> None:
        """Say that the model has made a token."""

    def ended(self, ending: Done | Error) -> None:
        """Say how the run ended."""


class Unwatched:
    """Takes what is told to nobody."""

    def token(self) -> None:
        """See Watch."""

    def ended(self, ending: Done | Error) -> None:
        """See Watch."""


class Aliases:
    """Stands for principals in the journal: a keyed hash, so that no one finds a name by trying (HMAC, RFC 2104)."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def alias(self, name: str | None) -> str:
        """Return 12 hexadecimal digits for a name, empty for a ticket's principal, which has none."""
        return "" if not name else hmac.digest(self._secret, f"principal:{name}".encode(), "sha256").hex()[:12]


class Observer:
    """Watches the runs of a process. `clock` gives seconds of any steady clock."""

    def __init__(self, counters: Counters, aliases: Aliases, clock: Callable[[], float]) -> None:
        self.counters = counters
        self._aliases = aliases
        self._clock = clock

    def run(self, stream_id: str, model: str, owner: str, *, pushed: bool = False) -> RunWatch:
        """Count a run that starts now, and return who watches it."""
        kind = "push" if pushed else model_kind(model)
        self.counters.runs_started[kind] += 1
        return RunWatch(stream_id, kind, self._aliases.alias(owner), self.counters, self._clock)


class RunWatch:
    """Watches one run, from its start."""

    def __init__(self, stream_id: str, kind: str, who: str, counters: Counters, clock: Callable[[], float]) -> None:
        self._fields = {"stream_id": stream_id, "kind": kind, "principal": who}
        self._kind = kind
        self._counters = counters
        self._clock = clock
        self._began_s = clock()
        self._first_token_s: float | None = None

    def token(self) -> None:
        """See Watch. Only the first one is news."""
        if self._first_token_s is None:
            self._first_token_s = self._clock() - self._began_s
            self._counters.first_token(self._kind, self._first_token_s)

    def ended(self, ending: Done | Error) -> None:
        """See Watch."""
        took_s = self._clock() - self._began_s
        code = ending.code if isinstance(ending, Error) else ""
        self._counters.ended("error" if isinstance(ending, Error) else ending.reason, took_s)
        if code:
            self._counters.failed(code, "stream")
        fields = {
            **self._fields,
            "ending": code or getattr(ending, "reason", ""),
            "code": code,
            "tokens": getattr(ending, "tokens", None),
            "duration_ms": round(1000 * took_s, 1),
            "first_token_ms": None if self._first_token_s is None else round(1000 * self._first_token_s, 1),
        }
        logger.log(logging.WARNING if code else logging.INFO, "run ended", extra={"fields": fields})
