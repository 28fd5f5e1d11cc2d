"""Many waits of one length, ended by one timer: one for each would cost more than what is waited for."""

from __future__ import annotations

import asyncio


class Patience:
    """Sets futures that have waited for `wait_s`. They come in the order of their ends, so the first is the next."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._loop = asyncio.get_running_loop()
        self._ends_s: dict[asyncio.Future[None], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether nobody waits."""
        return not self._ends_s

    def begin(self, waiter: asyncio.Future[None]) -> None:
        """Set a future `wait_s` from now, unless it is done or ended before."""
        end_s = self._ends_s[waiter] = self._loop.time() + self._wait_s
        if self._timer is None:
            self._timer = self._loop.call_at(end_s, self._ring)

    def end(self, waiter: asyncio.Future[None]) -> None:
        """Forget a future. The timer stays: it is cheaper to find nothing than to be cancelled each time."""
        self._ends_s.pop(waiter, None)

    def _ring(self) -> None:
        self._timer = None
        now_s = self._loop.time()
        while self._ends_s:
            waiter, end_s = next(iter(self._ends_s.items()))
            if end_s > now_s:
                self._timer = self._loop.call_at(end_s, self._ring)
                return
            del self._ends_s[waiter]
            if not waiter.done():
                waiter.set_result(None)
