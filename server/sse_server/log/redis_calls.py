"""Calls of the scripts in one Redis, and what their answers refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sse_server.log.base import (
    ExpiredStreamError,
    LogUnavailableError,
    LostLeaseError,
    TrimmedStreamError,
    UnknownStreamError,
)
from sse_server.log.redis_link import PREFIX, reaching
from sse_server.log.scripts import SCRIPTS

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class RedisCalls:
    """Calls scripts by their names. Times that they are given are empty for those of Redis itself, unless `now` is."""

    def __init__(self, redis: Any, now: Callable[[], float] | None) -> None:
        self._scripts = {name: redis.register_script(text) for name, text in SCRIPTS.items()}
        self._now = now
        self.closed = False

    async def call(self, script: str, *args: Any) -> Any:
        """Return what a script answers. Raises LogUnavailableError."""
        if self.closed:
            raise LogUnavailableError("the log is closed")
        with reaching():
            return await self._scripts[script](keys=[PREFIX], args=args)

    async def ask(self, script: str, stream_id: str, *args: Any) -> list[Any]:
        """Return what a script answers of a stream, where that is no refusal; raises what it refuses."""
        return checked(stream_id, await self.call(script, stream_id, *args))

    def time(self) -> str | int:
        """Return what scripts are given as the time."""
        return "" if self._now is None else ms(self._now())


def checked(stream_id: str, reply: list[Any]) -> list[Any]:
    """Return a reply that is no refusal."""
    match reply[0]:
        case b"unknown":
            raise UnknownStreamError(stream_id)
        case b"expired":
            raise ExpiredStreamError(stream_id, reply[1].decode())
        case b"trimmed":
            raise TrimmedStreamError(stream_id)
        case b"ended":
            raise ValueError("the stream has ended; nothing can follow its terminal event")
        case b"lost":
            raise LostLeaseError(stream_id)
        case _:
            return reply


def ms(seconds: float) -> int:
    """Return whole milliseconds."""
    return round(1000 * seconds)


def retrieved(task: asyncio.Task[Any]) -> None:
    """Whoever waited may have left; its error is no news then."""
    if not task.cancelled():
        task.exception()
