"""How far a server's clock is from ours, from questions that it answered (twin of js/measure/clock.js). Pure."""

from __future__ import annotations


class Clock:
    """Estimates the offset of a server's clock as NTP does (RFC 5905, section 8); all times are whole nanoseconds.

    Of an exchange that left at t0 and came back at t3 of our clock, was received at t1 and answered at t2 of the
    server's: offset ((t1 - t0) + (t2 - t3)) / 2, rounded down, and round trip (t3 - t0) - (t2 - t1). The offset is
    wrong by half the round trip at most, when all of it was spent on one way: that half, rounded up, is the error. The
    exchange with the least round trip counts, the first of equal ones.
    """

    def __init__(self) -> None:
        self._offset_ns: int | None = None
        self._round_trip_ns = 0

    @property
    def offset_ns(self) -> int | None:
        """What to add to a time of our clock for that of the server's; None before the first exchange."""
        return self._offset_ns

    @property
    def error_ns(self) -> int | None:
        """By how much the offset may be wrong; None before the first exchange."""
        return None if self._offset_ns is None else -(-self._round_trip_ns // 2)

    def add(self, t0_ns: int, t1_ns: int, t2_ns: int, t3_ns: int) -> None:
        """Take an exchange in. One that cannot be is ignored: back before it left, or sooner than it was answered."""
        round_trip_ns = (t3_ns - t0_ns) - (t2_ns - t1_ns)
        if t3_ns < t0_ns or t2_ns < t1_ns or round_trip_ns < 0:
            return
        if self._offset_ns is None or round_trip_ns < self._round_trip_ns:
            self._offset_ns = ((t1_ns - t0_ns) + (t2_ns - t3_ns)) // 2
            self._round_trip_ns = round_trip_ns
