"""The runs of this process: started once a key, found again by id, stopped, tuned, and ended when nobody reads them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import contextmanager, suppress
from math import isfinite
from typing import TYPE_CHECKING

from sse_server.errors import ServerError
from sse_server.log.base import (
    EventLog,
    ExpiredStreamError,
    LogUnavailableError,
    LostLeaseError,
    Stop,
    StreamMeta,
    Tune,
    UnknownStreamError,
)
from sse_server.producer import Order, Producer
from sse_server.sources.push import PushSource
from sse_widget.protocol.events import dump
from sse_widget.protocol.sse import Event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from sse_server.log.base import Command, StreamInfo
    from sse_server.observer import Observer
    from sse_server.sources.base import ChatRequest, TokenSource
    from sse_server.spans import SpanBooks

    Admit = Callable[[], Awaitable[None]]

logger = logging.getLogger(__name__)
SWEEP_S = 1.0
RETRY_AFTER_S = 5
_LOST = Event("error", dump(ServerError("node_lost").event("en")))
"""Ends the runs of a process that is gone. Who asked in which language died with it; clients know the code."""


class Runs:
    """Starts and keeps runs. `source_of` gives the source of a question, or raises ServerError for unknown models.

    `started` counts the questions that went to a model. A run that nobody reads for `unread_limit_s` is ended; at most
    `max_runs` go on at once, and `max_owner_runs` of one principal. `spans` are forgotten with their streams.
    """

    def __init__(  # noqa: PLR0913 - settings, each by its name
        self,
        log: EventLog,
        source_of: Callable[[ChatRequest, StreamMeta], TokenSource],
        spans: SpanBooks,
        *,
        unread_limit_s: float,
        max_runs: int,
        max_owner_runs: int,
        observer: Observer,
    ) -> None:
        self._log = log
        self._source_of = source_of
        self._spans = spans
        self._unread_limit_s = unread_limit_s
        self._max_runs = max_runs
        self._max_owner_runs = max_owner_runs
        self._owners: Counter[str] = Counter()
        self._observer = observer
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._pushed: dict[str, PushSource] = {}
        self._producers: dict[str, Producer] = {}
        self._chores: list[asyncio.Task[None]] = []
        self._closing = False
        self.started = 0

    @property
    def draining(self) -> bool:
        """Whether the server ends and takes no new runs."""
        return self._closing

    @property
    def running(self) -> int:
        """How many runs go on."""
        return len(self._tasks)

    def begin(self) -> None:
        """Begin what is done again and again; the first request does it where nobody did before."""
        if self._chores or self._closing:
            return
        self._chores.append(asyncio.create_task(self._repeat(self.sweep, SWEEP_S)))
        if isfinite(self._log.lease_s):
            every_s = min(SWEEP_S, self._log.lease_s / 3)
            self._chores.append(asyncio.create_task(self._repeat(self.keep_leases, every_s)))

    async def start(self, order: Order, meta: StreamMeta, key: str, admit: Admit) -> tuple[str, bool]:
        """Return (stream_id, created). The same owner and key give the run that was started before.

        `admit` is awaited before a new run starts; what it raises is the refusal, and nothing has started.
        """
        return await self._start(order, meta, key, admit, self._source_of(order.request, meta))

    async def start_pushed(
        self, order: Order, meta: StreamMeta, key: str, admit: Admit, source: PushSource
    ) -> tuple[str, bool]:
        """Start a run whose tokens are pushed to `source`; otherwise as `start`."""
        stream_id, created = await self._start(order, meta, key, admit, source)
        if created:
            self._pushed[stream_id] = source
        return stream_id, created

    def pushed(self, stream_id: str) -> PushSource | None:
        """Return where the tokens of a running run are pushed to, None when they come from elsewhere."""
        return self._pushed.get(stream_id)

    async def _start(
        self, order: Order, meta: StreamMeta, key: str, admit: Admit, source: TokenSource
    ) -> tuple[str, bool]:
        self.begin()
        with _refusing_outages():
            stream_id, created = await self._log.create(meta, key)
        if not created:
            return stream_id, False
        try:
            self._check_room(meta.owner)
            await admit()
            self._check_room(meta.owner)  # again: others may have started meanwhile
        except BaseException:
            with suppress(LogUnavailableError):
                await self._log.delete(stream_id)
            raise
        self.started += 1
        watch = self._observer.run(stream_id, order.request.model, meta.owner, pushed=isinstance(source, PushSource))
        producer = self._producers[stream_id] = Producer(stream_id, order, source, self._log, watch)
        task = self._tasks[stream_id] = asyncio.create_task(producer.run())
        self._owners[meta.owner] += 1
        task.add_done_callback(lambda _: self._forget(stream_id, meta.owner))
        return stream_id, True

    def _forget(self, stream_id: str, owner: str) -> None:
        self._owners[owner] -= 1
        if not self._owners[owner]:
            del self._owners[owner]
        self._tasks.pop(stream_id, None)
        self._pushed.pop(stream_id, None)
        self._producers.pop(stream_id, None)

    def _check_room(self, owner: str) -> None:
        """Refuse a new run while the server ends, or it or its owner has enough; those that run stay readable."""
        if self._closing:
            raise ServerError("shutdown", retry_after_s=RETRY_AFTER_S)
        if len(self._tasks) >= self._max_runs:
            raise ServerError("overloaded", retry_after_s=RETRY_AFTER_S, count=len(self._tasks))
        if self._owners.get(owner, 0) >= self._max_owner_runs:
            raise ServerError("too_many_runs", retry_after_s=RETRY_AFTER_S, limit=self._max_owner_runs)

    async def info(self, stream_id: str, owner: str | None) -> StreamInfo:
        """Return the state of a stream; another owner's is as unknown as one that never was."""
        self.begin()
        try:
            with _refusing_outages():
                info = await self._log.info(stream_id)
        except UnknownStreamError as error:
            raise ServerError("not_found") from error
        except ExpiredStreamError as error:
            raise ServerError("expired" if owner in {None, error.owner} else "not_found") from error
        if owner is not None and info.meta.owner != owner:
            raise ServerError("not_found")
        return info

    async def stop(self, stream_id: str) -> None:
        """Stop the model; the stream ends with `done {reason: "stopped"}`. A finished one stays as it is."""
        await self._send(stream_id, Stop("stopped"))

    async def tune(self, stream_id: str, changes: dict[str, float | bool]) -> None:
        """Change knobs of a running run."""
        await self._send(stream_id, Tune(changes))

    async def _send(self, stream_id: str, command: Command) -> None:
        with _refusing_outages(), suppress(UnknownStreamError, ExpiredStreamError):
            await self._log.command(stream_id, command)

    async def keep_leases(self) -> None:
        """Prolong the leases of the runs here, stop those that were lost, and end other processes' lost runs."""
        for stream_id in await self._log.renew(list(self._producers)):
            if (producer := self._producers.get(stream_id)) is not None:
                producer.lose(LostLeaseError(stream_id))
        for stream_id in await self._log.reap(_LOST):
            logger.warning("run %s has lost its producer and is ended", stream_id)

    async def sweep(self) -> None:
        """End runs that nobody reads, and let the log drop what is over its age, and the spans of that with it."""
        for stream_id in list(self._tasks):
            with suppress(UnknownStreamError, ExpiredStreamError):
                if await self._log.unread_s(stream_id) >= self._unread_limit_s:
                    await self._log.command(stream_id, Stop("unread_limit", self._unread_limit_s))
        for stream_id in await self._log.expire():
            self._spans.forget(stream_id)

    async def _repeat(self, chore: Callable[[], Awaitable[None]], every_s: float) -> None:
        while True:
            try:
                await chore()
            except LogUnavailableError as error:
                logger.warning("the log cannot be reached: %s", error)
            except Exception:
                logger.exception("a chore of the runs failed; it is tried again")
            await asyncio.sleep(every_s)

    async def close(self) -> None:
        """End every run with `error {code: "shutdown"}` and wait for their terminal events."""
        self._closing = True
        await asyncio.gather(*(self._shut(stream_id, task) for stream_id, task in list(self._tasks.items())))
        if self._tasks:
            await asyncio.wait(set(self._tasks.values()))
        for chore in self._chores:
            chore.cancel()
        if self._chores:
            await asyncio.wait(self._chores)

    async def _shut(self, stream_id: str, task: asyncio.Task[None]) -> None:
        try:
            await self._log.command(stream_id, Stop("shutdown"))
        except (LogUnavailableError, UnknownStreamError, ExpiredStreamError):
            task.cancel()


@contextmanager
def _refusing_outages() -> Iterator[None]:
    """Translate a log that cannot be reached into the refusal of the request that needed it."""
    try:
        yield
    except LogUnavailableError as error:
        logger.warning("the log cannot be reached: %s", error)
        raise ServerError("log_unavailable", retry_after_s=RETRY_AFTER_S) from error
