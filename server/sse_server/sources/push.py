"""Text that is made elsewhere: another process pushes it here, batch by batch, and this source hands it to the run.

Batches are numbered from 1. One that comes again, because its answer was lost, is not taken twice; one that comes too
early is refused.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

import msgspec

from sse_server.errors import ServerError
from sse_server.sources.base import ChatRequest, Token

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

QUEUE_BYTES = 1 << 20
"""How much may wait for the run; a batch that finds no room waits with its answer, and its producer with it."""

HOLD_S = 10.0
"""How long an answer is held back for room. Then it says that the batch was not taken."""

_BREATHE_EVERY = 64


class TokenBatch(msgspec.Struct, frozen=True):
    """The next tokens of a run; without any it says that the producer lives.

    `end` closes the text: `stop`, or `length` when it was cut off. `error` closes it by a failure, in its own words.
    """

    seq: int
    tokens: tuple[str, ...] = ()
    end: Literal["", "stop", "length"] = ""
    error: str = ""

    @property
    def size(self) -> int:
        """Code points, which are the least bytes that it takes."""
        return sum(map(len, self.tokens))


class Receipt(msgspec.Struct, frozen=True):
    """What a batch is answered: the number that is expected next, and whether the producer shall stop."""

    next: int
    stop: bool


class PushSource:
    """The source of one run. Its run is lost when nothing came for `timeout_s`, and cut off at `max_bytes` of UTF-8."""

    def __init__(self, *, timeout_s: float, max_bytes: int) -> None:
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._batches: deque[TokenBatch] = deque()
        self._size = 0
        self._next = 1
        self._over = False
        self._heard = asyncio.Event()
        self._room = asyncio.Event()

    async def put(self, batch: TokenBatch) -> Receipt:
        """Take a batch when there is room; raises ServerError for one that is not the next."""
        self._heard.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(HOLD_S):
                while batch.seq == self._next and not self._over and not self._fits(batch):
                    self._room.clear()
                    await self._room.wait()
        if self._over or batch.seq < self._next:
            return Receipt(self._next, self._over)
        if batch.seq > self._next:
            raise ServerError("push_gap", expected=self._next, got=batch.seq)
        if self._fits(batch):
            self._next += 1
            self._size += batch.size
            self._batches.append(batch)
            self._heard.set()
        return Receipt(self._next, stop=False)

    async def tokens(self, request: ChatRequest) -> AsyncGenerator[Token, None]:
        """Yield what is pushed. Closing it tells the producer to stop, by the answer to its next batch."""
        left, room = request.max_tokens, self._max_bytes
        try:
            while True:
                batch = await self._take()
                for index, text in enumerate(batch.tokens):
                    room -= len(text.encode("utf-8", "replace"))
                    if left == 0 or room < 0:
                        yield Token("", "length")
                        return
                    yield Token(text)
                    left = None if left is None else left - 1
                    if index % _BREATHE_EVERY == _BREATHE_EVERY - 1:
                        await asyncio.sleep(0)
                if batch.error:
                    raise ServerError("producer_failed", detail=batch.error)
                if batch.end:
                    yield Token("", batch.end)
                    return
        finally:
            self._over = True
            self._batches.clear()
            self._room.set()

    async def close(self) -> None:
        """Nothing is held beyond the run."""

    async def _take(self) -> TokenBatch:
        while not self._batches:
            self._heard.clear()
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._heard.wait()
            except TimeoutError:
                raise ServerError("producer_lost", seconds=round(self._timeout_s)) from None
        batch = self._batches.popleft()
        self._size -= batch.size
        self._room.set()
        return batch

    def _fits(self, batch: TokenBatch) -> bool:
        return not self._batches or self._size + batch.size <= QUEUE_BYTES
