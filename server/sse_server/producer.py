"""One run: source -> chunker -> log. It outlives every connection and ends with exactly one terminal event."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Literal

import msgspec

from sse_server.errors import Lang, ServerError, as_utf8
from sse_server.log.base import (
    EventLog,
    ExpiredStreamError,
    LogUnavailableError,
    LostLeaseError,
    Origin,
    Stop,
    Tune,
    UnknownStreamError,
)
from sse_server.observer import Unwatched
from sse_server.outbox import outbox_of
from sse_server.sources.base import ChatRequest, Usage
from sse_server.sources.stops import until_stop
from sse_widget.pacing.chunker import Chunk, Chunker, Knobs
from sse_widget.protocol.checksum import Checksum
from sse_widget.protocol.events import TEXT, Delta, Done, DoneReason, Error, Message, Metadata, Start, dump
from sse_widget.protocol.sse import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from sse_server.observer import Watch
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

    Its clock is the event loop's, in seconds; stamps are the same time in ns.
    """

    __slots__ = (
        "_checksum",
        "_chunker",
        "_clock",
        "_generation",
        "_log",
        "_loop",
        "_lost",
        "_order",
        "_outbox",
        "_retuned",
        "_source",
        "_stop",
        "_stream_id",
        "_timer",
        "_tokens",
        "_usage",
        "_watch",
    )

    def __init__(
        self, stream_id: str, order: Order, source: TokenSource, log: EventLog, watch: Watch | None = None
    ) -> None:
        self._stream_id = stream_id
        self._order = order
        self._source = source
        self._log = log
        self._watch: Watch = watch or Unwatched()
        self._loop = asyncio.get_running_loop()
        self._clock: Callable[[], float] = self._loop.time
        self._chunker = Chunker(order.knobs)
        self._checksum = Checksum()
        self._tokens = 0
        self._usage: Usage | None = None
        self._retuned = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._stop: Stop | None = None
        self._lost: BaseException | None = None

    async def run(self) -> None:
        """Produce until the answer ends, is stopped, or fails; the log then holds the terminal event."""
        began = self._clock()
        self._outbox = outbox_of(self._stream_id, self._log, self._fail)
        self._generation = asyncio.create_task(self._generate())
        orders = asyncio.create_task(self._obey())
        cancelled = False
        try:
            await asyncio.wait({self._generation})
        except asyncio.CancelledError:
            cancelled = True
            self._generation.cancel()
            await asyncio.wait({self._generation})
        finally:
            orders.cancel()
            self._disarm()
        await self._outbox.close()
        ending = self._failure(ServerError("shutdown")) if cancelled else self._ending()
        await self._end(ending, self._clock() - began)
        self._watch.ended(ending)

    def lose(self, error: LostLeaseError) -> None:
        """Stop without another event: the stream is no longer this process's."""
        self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._lost = error
        self._generation.cancel()

    async def _generate(self) -> DoneReason:
        self._outbox.put(_event(Start()))
        reason: Literal["stop", "length"] = "stop"
        outbox, request = self._outbox, self._order.request
        answer = self._source.tokens(request)
        async with aclosing(until_stop(answer, request.stop) if request.stop else answer) as tokens:
            async for token in tokens:
                if token.text:
                    self._push(token.text)
                    if outbox.full:
                        await outbox.room()
                if token.finish:
                    reason, self._usage = token.finish, token.usage
        await self._hold()
        return reason

    def _push(self, token: str) -> None:
        now = self._clock()
        if not self._tokens:
            self._watch.token()
        self._tokens += 1
        chunk = self._chunker.push(token if token.isascii() else as_utf8(token), now)
        if chunk is not None:
            self._send(chunk, now)
        if chunk is None or self._timer is not None:
            self._arm()

    def _send(self, chunk: Chunk, now: float) -> None:
        self._checksum.add(chunk.text)
        self._outbox.put(Event(TEXT, dump(Delta(chunk.text))), _origin(chunk, now))

    async def _hold(self) -> None:
        """Wait until `delay_ms` lets the last delta out, however the knobs change meanwhile."""
        while self._chunker.deadline is not None and (rest_s := self._chunker.hold_until - self._clock()) > 0:
            self._retuned.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(rest_s):
                    await self._retuned.wait()

    def _arm(self) -> None:
        """Have the held text sent at its deadline."""
        deadline = self._chunker.deadline
        if self._timer is not None and (deadline is None or self._timer.when() > deadline):
            self._disarm()
        if deadline is not None and self._timer is None:
            self._timer = self._loop.call_at(deadline, self._on_deadline)

    def _on_deadline(self) -> None:
        self._timer = None
        now = self._clock()
        chunk = self._chunker.poll(now)
        if chunk is not None:
            self._send(chunk, now)
        self._arm()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _obey(self) -> None:
        async for command in self._log.commands(self._stream_id):
            if isinstance(command, Tune):
                self._chunker.retune(msgspec.structs.replace(self._chunker.knobs, **command.changes))
                self._disarm()
                self._arm()
                self._retuned.set()
            elif self._stop is None:
                self._stop = command
                self._generation.cancel()

    def _ending(self) -> Done | Error:
        cancelled = self._generation.cancelled()
        error = self._lost or (None if cancelled else self._generation.exception())
        if error is None and not cancelled:
            return self._done(self._generation.result())
        if self._lost is None and (self._stop is not None or error is None):
            # What a source raises while it is being stopped is no news.
            return self._stopped(self._stop or Stop("shutdown"))
        if error is None or isinstance(error, ServerError):
            return self._failure(error or ServerError("shutdown"))
        if isinstance(error, LostLeaseError | UnknownStreamError | ExpiredStreamError):
            return self._failure(ServerError("node_lost"))
        if isinstance(error, LogUnavailableError):
            logger.warning("the log does not take events: %s", error)
            return self._failure(ServerError("log_unavailable"))
        logger.error("run %s failed", self._stream_id, exc_info=error)
        return self._failure(ServerError("internal"))

    def _stopped(self, stop: Stop) -> Done | Error:
        if stop.reason == "stopped":
            return self._done("stopped")
        return self._failure(ServerError(stop.reason, seconds=round(stop.after_s)))

    def _done(self, reason: DoneReason) -> Done:
        return Done(reason, self._tokens if self._usage is None else self._usage.completion, 0, 0)

    def _failure(self, error: ServerError) -> Error:
        return error.event(self._order.lang)

    async def _end(self, ending: Done | Error, elapsed_s: float) -> None:
        """Append what is held, the metadata and the terminal event, in one go."""
        events: list[Event] = []
        origins: list[Origin] = []
        now = self._clock()
        # What the log did not take is a hole: nothing of the text may stand behind it.
        held = None if self._lost is not None else self._chunker.finish(now)
        if held is not None:
            self._checksum.add(held.text)
            events.append(_event(Delta(held.text)))
            origins.append(_origin(held, now))
        if isinstance(ending, Done):
            prompt = None if self._usage is None else self._usage.prompt
            events.append(_event(Metadata(self._order.request.model, ending.tokens, round(elapsed_s, 3), prompt)))
            ending = Done(ending.reason, ending.tokens, self._checksum.chars, self._checksum.crc32)
        try:
            await self._outbox.append([*events, _event(ending)], origins)
        except (UnknownStreamError, ExpiredStreamError):
            logger.info("run %s was deleted before its end", self._stream_id)
        except (LostLeaseError, LogUnavailableError) as error:
            logger.warning("run %s has no end from here: %r", self._stream_id, error)


def _origin(chunk: Chunk, now: float) -> Origin:
    """Return the stamps of a chunk that is cut now."""
    first = int(chunk.first_s * 1e9)
    last = first if chunk.tokens == 1 else int(chunk.last_s * 1e9)
    return Origin(first, last, int(now * 1e9))


def _event(message: Message) -> Event:
    return Event(_NAMES[type(message)], dump(message))
