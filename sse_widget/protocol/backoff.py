"""How long to wait before the next attempt: exponential, full jitter, cap, and the server's own `retry:`.

Full jitter after "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): a delay drawn evenly from zero to the
exponential bound spreads a herd of clients best. `retry:` (HTML standard, 9.2.6) is a floor under it, up to 60 s.
"""

from __future__ import annotations

import msgspec

MAX_RETRY_MS = 60_000.0
"""A server may ask for at most this much delay by `retry:`."""


class Backoff(msgspec.Struct, frozen=True):
    """An immutable delay policy; all times in milliseconds."""

    base_ms: float = 1000.0
    cap_ms: float = 30_000.0
    floor_ms: float = 0.0

    def delay_ms(self, attempt: int, unit_random: float) -> float:
        """Return the delay before `attempt` (1, 2, 3 ...), given one random number in [0, 1)."""
        bound = min(self.cap_ms, self.base_ms * 2.0 ** min(attempt - 1, 30))
        return self.floor_ms + unit_random * bound

    def with_retry(self, retry_ms: float) -> Backoff:
        """Return the policy after the server sent `retry:`."""
        return msgspec.structs.replace(self, floor_ms=min(float(retry_ms), MAX_RETRY_MS))
