"""One stream to many readers, as one writes it without a log: a queue for each reader."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from rig.rivals.words import paced

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable


class Channel:
    """Publishes the paced texts to all who follow; `form` makes once what each of them is given."""

    def __init__(self, form: Callable[[int, str], Any]) -> None:
        self._form = form
        self._queues: set[asyncio.Queue[Any]] = set()
        self._publisher: asyncio.Task[None] | None = None

    async def follow(self) -> AsyncGenerator[Any, None]:
        """Yield what is published from now on."""
        if self._publisher is None:
            self._publisher = asyncio.create_task(self._publish())
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self._queues.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)

    async def _publish(self) -> None:
        seq = 0
        async for text in paced():
            seq += 1
            formed = self._form(seq, text)
            for queue in self._queues:
                queue.put_nowait(formed)
