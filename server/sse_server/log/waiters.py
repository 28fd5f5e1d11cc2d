"""Readers that wait for more of one stream."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sse_server.log.patience import Patience


class Waiters:
    """Waits for the next `wake`, each with an end of its own."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def __len__(self) -> int:
        return len(self._waiters)

    def wake(self) -> None:
        """Let all of them look again."""
        if self._waiters:
            for waiter in self._waiters:
                release(waiter)
            self._waiters.clear()

    async def wait(self, wait_s: float) -> None:
        """Return when woken, or after `wait_s`."""
        waiter = self._add()
        timer = asyncio.get_running_loop().call_later(wait_s, release, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiters.discard(waiter)

    async def wait_with(self, patience: Patience) -> None:
        """Return when woken, or when patience ends, which costs no timer of its own."""
        waiter = self._add()
        patience.begin(waiter)
        try:
            await waiter
        finally:
            patience.end(waiter)
            self._waiters.discard(waiter)

    def _add(self) -> asyncio.Future[None]:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        return waiter


def release(waiter: asyncio.Future[None]) -> None:
    """Let one waiter go on, unless it has left."""
    if not waiter.done():
        waiter.set_result(None)
