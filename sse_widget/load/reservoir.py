"""A fair sample of numbers without end, in bounded memory. Pure: randomness is an argument."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Reservoir:
    """Keeps `limit` of the numbers added, each of them with the same chance (Vitter 1985, algorithm R).

    Up to the limit it has all of them. `seen` is how many were added.
    """

    def __init__(self, limit: int, unit_random: Callable[[], float]) -> None:
        self.seen = 0
        self.kept = array("d")
        self._limit = limit
        self._random = unit_random

    def add(self, numbers: Iterable[float]) -> None:
        """Add some."""
        for number in numbers:
            self.seen += 1
            if len(self.kept) < self._limit:
                self.kept.append(number)
            elif (place := int(self._random() * self.seen)) < self._limit:
                self.kept[place] = number
