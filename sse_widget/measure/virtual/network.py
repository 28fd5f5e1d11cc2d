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


def arrivals(
    writes_s: Iterable[float], sizes: Iterable[int], network: Network, unit_random: Callable[[], float]
) -> list[float]:
    """Return when each write has arrived whole, in seconds, for the times and sizes (bytes) of the writes.

    `unit_random` gives numbers from 0 up to 1; one is taken for each write when there is jitter.
    """
    latency_s, jitter_s = network.latency_ms / 1000.0, network.jitter_ms / 1000.0
    free_s = arrived_s = 0.0
    arrived = []
    for at_s, size in zip(writes_s, sizes, strict=True):
        free_s = max(at_s, free_s) + size / network.bytes_per_s
        delay_s = latency_s + jitter_s * unit_random() if jitter_s else latency_s
        arrived_s = max(arrived_s, free_s + delay_s)
        arrived.append(arrived_s)
    return arrived
