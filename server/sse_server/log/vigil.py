"""Whether it is known that leases have run out because nobody renewed them, and not because nobody could."""

from __future__ import annotations

from math import inf

BLINK = 0.5
"""For so much of a lease nobody may look away: leases are renewed every third of one, so none runs out meanwhile."""


class Vigil:
    """Watches leases of `lease_s`. After a gap (a machine that slept, a clock that was set) they get as long again.

    The first look needs no such grace: processes that live have renewed theirs all the while.
    """

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._looked_s: float | None = None
        self._since_s = -inf

    def kept(self, now_s: float) -> bool:
        """Return whether a lease that has run out by now tells of a producer that is gone; called at every look."""
        if self._looked_s is not None and not 0 <= now_s - self._looked_s <= BLINK * self._lease_s:
            self._since_s = now_s
        self._looked_s = now_s
        return now_s - self._since_s >= self._lease_s
