"""One pub/sub connection of a process, whatever the number of its readers: made, watched, and made again."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from sse_server.log.base import LogUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

logger = logging.getLogger(__name__)

TEND_S = 1.0
SILENCE_S = 5.0
"""A connection that is asked every TEND_S and says nothing for so long is dead, whatever the kernel thinks."""

FIRST_DELAY_S = 0.05
LAST_DELAY_S = 2.0


class Listener(Protocol):
    """Whoever wants to hear."""

    def told(self, channel: str, data: bytes) -> None:
        """Take a message."""

    def found(self) -> None:
        """Take note that the connection is there, for the first time or again."""

    def cut(self) -> None:
        """Take note that the connection is lost: what was said meanwhile is not heard."""

    async def tend(self) -> None:
        """Do what is to be done every TEND_S while there is a connection."""


class Ear:
    """Listens to `own` and to the channels that are added. `open_pubsub` makes the connection, `reaching` translates.

    It tries again for ever, after 0.05 s at first or when somebody wants to hear something, and 2 s at most.
    """

    def __init__(
        self,
        open_pubsub: Callable[[], Any],
        reaching: Callable[[], AbstractContextManager[None]],
        own: str,
        listener: Listener,
    ) -> None:
        self._open = open_pubsub
        self._reaching = reaching
        self._own = own
        self._listener = listener
        self._pubsub: Any = None
        self._task: asyncio.Task[None] | None = None
        self._heard: dict[str, asyncio.Future[None]] = {}
        self._cause: LogUnavailableError | None = None
        self._heard_s = 0.0
        self._delay_s = FIRST_DELAY_S
        self._wanted = asyncio.Event()

    def listen(self) -> None:
        """Begin, unless that has been done."""
        if self._task is None:
            self._task = asyncio.create_task(self._listen_for_ever())

    async def add(self, channel: str) -> None:
        """Return once every further message of a channel will be heard. Raises LogUnavailableError."""
        self.listen()
        if self._cause is not None:
            self._wanted.set()
            raise LogUnavailableError(str(self._cause))
        hearing = self._heard.get(channel)
        if hearing is None:
            hearing = self._heard[channel] = asyncio.get_running_loop().create_future()
            hearing.add_done_callback(_retrieved)
            if self._pubsub is not None:
                with self._reaching():
                    await self._pubsub.subscribe(channel)
        try:
            await asyncio.wait_for(asyncio.shield(hearing), SILENCE_S)
        except TimeoutError as error:
            raise LogUnavailableError("no answer to a subscription") from error

    async def drop(self, channel: str) -> None:
        """Listen to a channel no more."""
        if self._heard.pop(channel, None) is not None and self._pubsub is not None:
            await self._pubsub.unsubscribe(channel)

    async def close(self) -> None:
        """End the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                with self._reaching():
                    await self._listen()
            except LogUnavailableError as error:
                if self._cause is None:
                    logger.warning("the log cannot be reached: %s; trying again", error)
                self._lose(error)
            except Exception as error:
                logger.exception("listening to the log failed; trying again")
                self._lose(LogUnavailableError(str(error)))
            await self._pause()

    async def _pause(self) -> None:
        """Wait before the next attempt, only the first delay when somebody wants to hear something."""
        self._wanted.clear()
        await asyncio.sleep(FIRST_DELAY_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._delay_s * random.random()):  # noqa: S311 - jitter
                await self._wanted.wait()
        self._delay_s = min(2 * self._delay_s, LAST_DELAY_S)

    async def _listen(self) -> None:
        pubsub = self._open()
        try:
            async with asyncio.timeout(SILENCE_S):
                await pubsub.subscribe(self._own)
            both = {asyncio.create_task(self._hear(pubsub)), asyncio.create_task(self._tend(pubsub))}
            try:
                done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in both:
                    task.cancel()
                await asyncio.wait(both)
            for task in done:
                task.result()
        finally:
            self._pubsub = None
            with suppress(Exception):
                await pubsub.aclose()

    async def _hear(self, pubsub: Any) -> None:
        loop = asyncio.get_running_loop()
        while True:
            message = await pubsub.get_message(timeout=None)
            self._heard_s = loop.time()
            match message:
                case {"type": "message", "channel": channel, "data": data}:
                    self._listener.told(channel.decode(), data)
                case {"type": "subscribe", "channel": channel}:
                    await self._subscribed(pubsub, channel.decode())
                case _:
                    pass

    async def _subscribed(self, pubsub: Any, channel: str) -> None:
        if channel == self._own:
            self._pubsub, self._delay_s = pubsub, FIRST_DELAY_S
            if self._cause is not None:
                logger.warning("the log is reached again")
            self._cause = None
            self._listener.found()
            if self._heard:
                await pubsub.subscribe(*self._heard)
        elif (hearing := self._heard.get(channel)) is not None and not hearing.done():
            hearing.set_result(None)

    async def _tend(self, pubsub: Any) -> None:
        loop = asyncio.get_running_loop()
        self._heard_s = loop.time()
        while True:
            await asyncio.sleep(TEND_S)
            if loop.time() - self._heard_s > SILENCE_S:
                raise LogUnavailableError("the connection went silent")
            await pubsub.ping()
            if self._pubsub is not None:
                await self._listener.tend()

    def _lose(self, error: LogUnavailableError) -> None:
        self._cause = error
        heard, self._heard = self._heard, {}
        for hearing in heard.values():
            if not hearing.done():
                hearing.set_exception(LogUnavailableError(str(error)))
        self._listener.cut()


def _retrieved(future: asyncio.Future[None]) -> None:
    """Whoever waited may have left; its error is no news then."""
    if not future.cancelled():
        future.exception()
