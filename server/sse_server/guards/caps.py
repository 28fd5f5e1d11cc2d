"""How many streams may be read at once: on this process, and of one owner."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from sse_server.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Callable

RETRY_AFTER_S = 5


class Caps:
    """Counts the streams that are delivered now: `connections` of them here at most, `streams` of one principal.

    A reader of a ticket counts as the principal whose stream it is, so tickets open no way around the cap.
    """

    def __init__(self, connections: int, streams: int) -> None:
        self._connections = connections
        self._streams = streams
        self._open: Counter[str] = Counter()
        self._all = 0

    def check(self, owner: str) -> None:
        """Raise `too_many_connections` (503) or `too_many_readings` (429) when there is no room for one more."""
        if self._all >= self._connections:
            raise ServerError("too_many_connections", retry_after_s=RETRY_AFTER_S, limit=self._connections)
        if self._open.get(owner, 0) >= self._streams:
            raise ServerError("too_many_readings", retry_after_s=RETRY_AFTER_S, limit=self._streams)

    def take(self, owner: str) -> Callable[[], None]:
        """Count one more, until what this returns is called; raises as `check` does."""
        self.check(owner)
        self._all += 1
        self._open[owner] += 1
        return partial(self._leave, owner)

    def _leave(self, owner: str) -> None:
        self._all -= 1
        self._open[owner] -= 1
        if not self._open[owner]:
            del self._open[owner]
