"""The writing end of a run whose text this process makes: numbered batches, taken once however often they are sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import msgspec

from sse_widget.connection import EXCHANGE_TIMEOUT_S, Broken
from sse_widget.errors import ConnectError, RemoteError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sse_widget.connection import Connection
    from sse_widget.endpoint import Request
    from sse_widget.protocol.actions import SessionConfig

End = Literal["", "stop", "length"]
"""How a text ends: not yet, by itself, or cut off."""

MAX_TOKEN_LENGTH = 16_384
MAX_BATCH_TOKENS = 4096
"""The server takes no longer token, and no more of them at once."""

_PASSING = frozenset({"overloaded", "rate_limited", "shutdown", "internal"})
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


class Receipt(msgspec.Struct, frozen=True):
    """The answer to a batch: the number of the next one, and whether no more is wanted."""

    next: int
    stop: bool


class Push:
    """Sends batches one after the other. `aclose` lets go of the connection, and leaves the run as it is."""

    def __init__(
        self, request: Request, connection: Connection, config: SessionConfig, unit_random: Callable[[], float]
    ) -> None:
        self._request = request
        self._connection = connection
        self._config = config
        self._random = unit_random
        self._seq = 1

    async def send(self, tokens: Sequence[str] = (), *, end: End = "", error: str = "") -> bool:
        """Have the server take a batch; return whether more is wanted.

        It comes back when the server has taken it, which paces the producer. An empty batch says that the producer
        lives. `end` closes the text, `error` as failed. A lost answer has the batch sent again, with the reader's
        patience (max_attempts, backoff). Raises ConnectError when that is used up, RemoteError when it is refused.
        """
        content = msgspec.json.encode({"seq": self._seq, "tokens": tokens, "end": end, "error": error})
        request = msgspec.structs.replace(self._request, content=content)
        while True:
            receipt = await self._sent(request)
            if receipt.stop or receipt.next > self._seq:
                self._seq += 1
                return not receipt.stop

    async def aclose(self) -> None:
        """Drop the connection."""
        await self._connection.aclose()

    async def _sent(self, request: Request) -> Receipt:
        attempt = 0
        while True:
            try:
                async with asyncio.timeout(EXCHANGE_TIMEOUT_S):
                    _, body = await self._connection.exchange(request)
                return msgspec.json.decode(body, type=Receipt)
            except (ConnectError, RemoteError, TimeoutError, msgspec.DecodeError) as error:
                attempt += 1
                if not self._config.reconnect or attempt > self._config.max_attempts or not _may_pass(error):
                    raise _final(error, request) from error
            await asyncio.sleep(self._config.backoff.delay_ms(attempt, self._random()) / 1000.0)


def _may_pass(error: Exception) -> bool:
    match error:
        case Broken() | TimeoutError():
            return True
        case ConnectError():
            return error.status in _TRANSIENT
        case RemoteError():
            return error.code in _PASSING
        case _:
            return False


def _final(error: Exception, request: Request) -> ConnectError | RemoteError:
    match error:
        case RemoteError():
            return error
        case Broken():
            return ConnectError(f"the text could not be sent: {error.message}")
        case ConnectError():
            return error
        case TimeoutError():
            return ConnectError(f"{request.url} did not answer for {EXCHANGE_TIMEOUT_S:.0f} s")
        case _:
            return ConnectError(f"{request.url} does not answer as this server does: {error}")
