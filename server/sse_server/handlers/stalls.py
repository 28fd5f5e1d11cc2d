"""Readers that take no byte of an answer, of whatever kind: each holds a connection and what is left of the answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import msgspec

if TYPE_CHECKING:
    from tornado.iostream import IOStream

    from sse_server.counters import Counters

LOOKS = 4
"""How often in a timeout is looked: a stalled reader is let go within a quarter more than that time."""


class _Stall(msgspec.Struct, frozen=True):
    """Since when no more than so many bytes were taken."""

    taken: int
    since_s: float


class Stalls:
    """Closes connections that have something to send of which no byte was taken for `timeout_s`.

    One look goes over all of them, so a request costs no timer. It is the bytes that count and not the whole answer,
    which a slow line may take much longer for.
    """

    def __init__(self, timeout_s: float, counters: Counters) -> None:
        self._timeout_s = timeout_s
        self._counters = counters
        self._stalls: WeakKeyDictionary[IOStream, _Stall | None] = WeakKeyDictionary()
        self._looking = False

    def watch(self, stream: IOStream) -> None:
        """Look at this connection from now on, until it is closed."""
        self._stalls.setdefault(stream, None)
        if not self._looking:
            self._look_later()

    def _look_later(self) -> None:
        self._looking = True
        asyncio.get_running_loop().call_later(self._timeout_s / LOOKS, self._look)

    def _look(self) -> None:
        self._looking = False
        now_s = asyncio.get_running_loop().time()
        for stream, stall in list(self._stalls.items()):
            if stream.closed():
                del self._stalls[stream]
            elif not stream.writing():
                self._stalls[stream] = None
            elif stall is None or stall.taken != _taken(stream):
                self._stalls[stream] = _Stall(_taken(stream), now_s)
            elif now_s - stall.since_s >= self._timeout_s:
                self._counters.slow_readers += 1
                stream.close()
        if self._stalls:
            self._look_later()


def _taken(stream: IOStream) -> int:
    # Tornado tells nobody how far a write is, only when it is over.
    return stream._total_write_done_index  # noqa: SLF001
