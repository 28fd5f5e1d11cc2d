"""How late the event loop runs what is due: whatever blocks it delays every reader by so much."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sse_server.counters import Histogram

EVERY_S = 0.25


class LoopLag:
    """Asks the loop to wake it every 0.25 s, and observes by how much it was late."""

    def __init__(self, observed: Histogram) -> None:
        self._observed = observed
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        if self._timer is None:
            self._arm(asyncio.get_running_loop())

    def stop(self) -> None:
        """Observe no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        due_s = loop.time() + EVERY_S
        self._timer = loop.call_at(due_s, self._wake, loop, due_s)

    def _wake(self, loop: asyncio.AbstractEventLoop, due_s: float) -> None:
        self._observed.observe(max(0.0, loop.time() - due_s))
        self._arm(loop)
