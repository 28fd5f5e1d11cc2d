"""One run: source -> chunker -> log. It outlives every connection and ends with exactly one terminal event."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Literal

import msgspec

from sse_server.errors import Lang, ServerError
from sse_server.log.base import EventLog, ExpiredStreamError, Stop, Tune, UnknownStreamError
from sse_server.sources.base import ChatRequest
from sse_widget.pacing.chunker import Chunk, Chunker, Knobs
from sse_widget.protocol.checksum import Checksum
from sse_widget.protocol.events import Delta, Done, DoneReason, Error, Message, Metadata, Start, dump
from sse_widget.protocol.sse import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from sse_server.sources.base import TokenSource

logger = logging.getLogger(__name__)

_NAMES: dict[type[Message], str] = {
    Start: "start",
    Delta: "delta",
    Metadata: "metadata",
    Done: "done",
    Error: "error",
}


class Order(msgspec.Struct, frozen=True):
    """What one run is to do. `lang` is the language of its error messages."""

    request: ChatRequest
    knobs: Knobs
    lang: Lang


class Producer:
    """Produces one stream. Deltas that wait for their time are sent by a timer, so a slow source delays nothing.

    Its clock is the event loop's, in seconds.
    """

    def __init__(self, stream_id: str, order: Order, source: TokenSource, log: EventLog) -> None:
        self._stream_id = stream_id
        self._order = order
        self._source = source
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._clock: Callable[[], float] = self._loop.time
        self._chunker = Chunker(order.knobs)
        self._checksum = Checksum()
        self._tokens = 0
        self._sending = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._flush: asyncio.Task[None] | None = None
        self._stop: Stop | None = None

    async def run(self) -> None:
        """Produce until the answer ends, is stopped, or fails; the log then holds the terminal event."""
        began = self._clock()
        generation = asyncio.create_task(self._generate())
        orders = asyncio.create_task(self._obey(generation))
        try:
            await asyncio.wait({generation})
            ending = self._ending(generation)
        except asyncio.CancelledError:
            generation.cancel()
            await asyncio.wait({generation})
            ending = self._failure(ServerError("shutdown"))
        finally:
            orders.cancel()
            await self._quiet_timer()
        await self._end(ending, self._clock() - began)

    async def _generate(self) -> DoneReason:
        await self._append(Start())
        reason: Literal["stop", "length"] = "stop"
        async with aclosing(self._source.tokens(self._order.request)) as tokens:
            async for token in tokens:
                if token.text:
                    self._tokens += 1
                    await self._send(self._chunker.push(token.text, self._clock()))
                if token.finish:
                    reason = token.finish
        await asyncio.sleep(self._chunker.hold_until - self._clock())
        return reason

    async def _send(self, chunk: Chunk | None) -> None:
        if chunk is not None:
            async with self._sending:
                self._checksum.add(chunk.text)
                await self._append(Delta(chunk.text))
        self._arm()

    def _arm(self) -> None:
        """Have the held text sent at its deadline."""
        deadline = self._chunker.deadline
        if self._timer is not None and (deadline is None or self._timer.when() > deadline):
            self._timer.cancel()
            self._timer = None
        if deadline is not None and self._timer is None:
            self._timer = self._loop.call_at(deadline, self._on_deadline)

    def _on_deadline(self) -> None:
        self._timer = None
        chunk = self._chunker.poll(self._clock())
        if chunk is None:
            self._arm()
        else:
            self._flush = asyncio.create_task(self._send(chunk))

    async def _obey(self, generation: asyncio.Task[DoneReason]) -> None:
        async for command in self._log.commands(self._stream_id):
            if isinstance(command, Tune):
                self._chunker.retune(msgspec.structs.replace(self._chunker.knobs, **command.changes))
                self._on_deadline_change()
            elif self._stop is None:
                self._stop = command
                generation.cancel()

    def _on_deadline_change(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._arm()

    async def _quiet_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._flush is not None:
            await asyncio.wait({self._flush})

    def _ending(self, generation: asyncio.Task[DoneReason]) -> Done | Error:
        if generation.cancelled():
            stop = self._stop or Stop("shutdown")
            if stop.reason == "stopped":
                return self._done("stopped")
            return self._failure(ServerError(stop.reason, seconds=round(stop.after_s)))
        error = generation.exception()
        if error is None:
            return self._done(generation.result())
        if isinstance(error, ServerError):
            return self._failure(error)
        logger.error("run %s failed", self._stream_id, exc_info=error)
        return self._failure(ServerError("internal"))

    def _done(self, reason: DoneReason) -> Done:
        return Done(reason, self._tokens, 0, 0)

    def _failure(self, error: ServerError) -> Error:
        logger.warning("run %s ends: %s", self._stream_id, error.code)
        return error.event(self._order.lang)

    async def _end(self, ending: Done | Error, elapsed_s: float) -> None:
        """Append what is held, the metadata and the terminal event, in one go."""
        messages: list[Message] = []
        held = self._chunker.finish(self._clock())
        if held is not None:
            self._checksum.add(held.text)
            messages.append(Delta(held.text))
        if isinstance(ending, Done):
            messages.append(Metadata(self._order.request.model, self._tokens, round(elapsed_s, 3)))
            ending = Done(ending.reason, ending.tokens, self._checksum.chars, self._checksum.crc32)
        try:
            await self._append(*messages, ending)
        except (UnknownStreamError, ExpiredStreamError):
            logger.info("run %s was deleted before its end", self._stream_id)

    async def _append(self, *messages: Message) -> None:
        await self._log.append(self._stream_id, [Event(_NAMES[type(message)], dump(message)) for message in messages])
