"""The network of a virtual run: when each write arrives. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Network(msgspec.Struct, frozen=True):
    """A connection that is open, one way; TCP's order is kept. Raises ValueError for a value out of range.

    A write takes `latency_ms`, and up to `jitter_ms` more, evenly spread. Before that it waits for the link, which
    passes `bytes_per_s`, infinite unless it is given.
    """

    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    bytes_per_s: float = math.inf

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("latency_ms", "jitter_ms"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be a finite number, 0 or more; got {value!r}")
        if not self.bytes_per_s > 0:
            raise ValueError(f"bytes_per_s must be more than 0; got {self.bytes_per_s!r}")


class Link:
    """One connection over a network. `unit_random` gives numbers from 0 up to 1: one a write when there is jitter."""

    def __init__(self, network: Network, unit_random: Callable[[], float]) -> None:
        self._latency_s = network.latency_ms / 1000.0
        self._jitter_s = network.jitter_ms / 1000.0
        self._bytes_per_s = network.bytes_per_s
        self._unit_random = unit_random
        self._free_s = self._arrived_s = 0.0

    def arrival(self, at_s: float, size: int) -> float:
        """Return when a write of this time and size (bytes) has arrived whole, in seconds."""
        self._free_s = max(at_s, self._free_s) + size / self._bytes_per_s
        delay_s = self._latency_s + self._jitter_s * self._unit_random() if self._jitter_s else self._latency_s
        self._arrived_s = max(self._arrived_s, self._free_s + delay_s)
        return self._arrived_s


def arrivals(
    writes_s: Iterable[float], sizes: Iterable[int], network: Network, unit_random: Callable[[], float]
) -> list[float]:
    """Return when each write of a connection has arrived whole, in seconds, for the writes' times and sizes (bytes)."""
    link = Link(network, unit_random)
    return [link.arrival(at_s, size) for at_s, size in zip(writes_s, sizes, strict=True)]
