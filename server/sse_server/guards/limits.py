"""How many runs may be started in a time: the one place that knows the `limits` package."""

from __future__ import annotations

import asyncio
import time
from ipaddress import IPv6Address, ip_address
from math import floor
from typing import TYPE_CHECKING

from limits import parse
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import ConfigurationError, StorageError

from sse_server.config import ConfigError
from sse_server.errors import ServerError, Words

if TYPE_CHECKING:
    from limits import RateLimitItem

OFF = "off"
RETRY_AFTER_S = 5
_PREFIX = "sse-widget:limits"
_PERIODS = {
    "second": "ثانية",
    "minute": "دقيقة",
    "hour": "ساعة",
    "day": "يوم",
    "month": "شهر",
    "year": "سنة",
}


class Quota:
    """New runs of each principal or address in a moving window. `rate` is like `5/minute`, or `off`.

    The window is kept in this process, or in Redis where `log` names one, so that all nodes count together. Raises
    ConfigError for a rate that is none.
    """

    def __init__(self, rate: str, log: str = "memory") -> None:
        self._item = read_rate(rate)
        self._storage = _storage(log)
        self._limiter = MovingWindowRateLimiter(self._storage)

    async def spend(self, who: str) -> None:
        """Take one run from the quota of `who`, or raise `rate_limited`, which says when there is one again."""
        if self._item is None:
            return
        try:
            if await self._limiter.hit(self._item, who):
                return
            window = await self._limiter.get_window_stats(self._item, who)
        except StorageError as error:
            raise ServerError("limits_unavailable", retry_after_s=RETRY_AFTER_S) from error
        # At the very instant the oldest run still counts.
        wait_s = max(1, floor(window.reset_time - time.time()) + 1)
        raise ServerError("rate_limited", retry_after_s=wait_s, rate=_words(self._item), wait_s=wait_s)

    async def close(self) -> None:
        """Let the storage's own task end."""
        timer = getattr(self._storage, "timer", None)
        if timer is not None:
            await asyncio.wait({timer})


def read_rate(rate: str) -> RateLimitItem | None:
    """Return the limit that a rate means, None for `off`."""
    if rate == OFF:
        return None
    try:
        item = parse(rate)
    except ValueError:
        item = None
    if item is None or item.amount < 1 or item.get_expiry() < 1:
        raise ConfigError(f"the rate limit {rate!r} cannot be read; write it like 5/minute or 100/hour, or {OFF}")
    return item


def counted_address(address: str) -> str:
    """Return what an address is counted as: one IPv6 customer has a whole /64 (RFC 6177), and could take turns."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    return str(IPv6Address(int(known) >> 64 << 64)) + "/64" if isinstance(known, IPv6Address) else str(known)


def _storage(log: str) -> MemoryStorage | RedisStorage:
    scheme, _, rest = log.partition("://")
    if scheme not in {"redis", "rediss", "unix"}:
        return MemoryStorage()
    address = f"async+redis+unix://{rest}" if scheme == "unix" else f"async+{log}"
    try:
        return RedisStorage(address, wrap_exceptions=True, implementation="redispy", key_prefix=_PREFIX)
    except ConfigurationError as error:
        raise ConfigError("a rate limit on Redis needs redis: pip install 'sse-widget[server]'") from error


def _words(item: RateLimitItem) -> Words:
    name = item.GRANULARITY.name
    several = f"{item.multiples} {name}s" if item.multiples > 1 else name
    arabic = _PERIODS.get(name, name)
    return Words(
        f"{item.amount} per {several}",
        f"{item.amount} كل {arabic}" if item.multiples == 1 else f"{item.amount} كل {item.multiples} {arabic}",
    )
