"""Connections to a Redis, and what they say when it cannot be reached; with redis.py all that knows redis-py."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from redis import Redis as SyncRedis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from sse_server.log.base import LogUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

CALL_S = 3.0
"""How long Redis may take for one call, or to connect; a node whose calls take longer counts as cut off."""

START_S = 5.0
CONNECTIONS = 32
PREFIX = "sse:"
_UNABLE = ("LOADING", "MISCONF", "OOM", "NOREPLICAS", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "NOPERM")


@contextmanager
def reaching() -> Iterator[None]:
    """Translate what says that Redis cannot be reached, or cannot write."""
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError, OutOfMemoryError, ReadOnlyError, OSError) as error:
        raise LogUnavailableError(str(error) or type(error).__name__) from error
    except ResponseError as error:
        if not str(error).startswith(_UNABLE):
            raise
        raise LogUnavailableError(str(error)) from error


def connect(url: str, *, answer_s: float | None) -> Redis:
    """Return a client for `redis://`, `rediss://` or `unix://`; it fails at once where Redis is not there.

    A call may take `answer_s`, for ever with None. Raises ValueError for an address that is none.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=CALL_S,
        socket_timeout=answer_s,
        socket_connect_timeout=CALL_S,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    return Redis(connection_pool=pool)


def shared_secret(url: str, new: bytes) -> bytes:
    """Return the secret that all nodes on one Redis share: `new` for the first of them.

    Waits START_S at most for a Redis that is just being started. Raises LogUnavailableError, and ValueError for an
    address that is none. Who can read this Redis can read every answer in it, so it guards nothing less.
    """
    until_s = time.monotonic() + START_S
    with closing(SyncRedis.from_url(url, socket_timeout=CALL_S, socket_connect_timeout=CALL_S)) as redis:
        while True:
            try:
                with reaching():
                    redis.set(f"{PREFIX}secret", new, nx=True)
                    known = redis.get(f"{PREFIX}secret")
                    return known if isinstance(known, bytes) else new
            except LogUnavailableError:
                if time.monotonic() >= until_s:
                    raise
                time.sleep(0.2)
