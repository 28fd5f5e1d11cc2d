"""The runs of this process: started once a key, found again by id, stopped, tuned, and ended when nobody reads them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from sse_server.errors import ServerError
from sse_server.log.base import EventLog, ExpiredStreamError, Stop, StreamMeta, Tune, UnknownStreamError
from sse_server.producer import Order, Producer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sse_server.log.base import StreamInfo
    from sse_server.sources.base import TokenSource
    from sse_server.sources.push import PushSource
    from sse_server.spans import SpanBooks

SWEEP_S = 1.0
RETRY_AFTER_S = 5


class Runs:
    """Starts and keeps runs. `source_of` gives the source of a model name, or raises ServerError for unknown ones.

    `started` counts the questions that went to a model. A run that nobody reads for `unread_limit_s` is ended; at most
    `max_runs` go on at once. `spans` are forgotten with their streams.
    """

    def __init__(
        self,
        log: EventLog,
        source_of: Callable[[str], TokenSource],
        spans: SpanBooks,
        *,
        unread_limit_s: float,
        max_runs: int,
    ) -> None:
        self._log = log
        self._source_of = source_of
        self._spans = spans
        self._unread_limit_s = unread_limit_s
        self._max_runs = max_runs
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._pushed: dict[str, PushSource] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._closing = False
        self.started = 0

    @property
    def running(self) -> int:
        """How many runs go on."""
        return len(self._tasks)

    async def start(self, order: Order, meta: StreamMeta, key: str) -> tuple[str, bool]:
        """Return (stream_id, created). The same owner and key give the run that was started before."""
        return await self._start(order, meta, key, self._source_of(order.request.model))

    async def start_pushed(self, order: Order, meta: StreamMeta, key: str, source: PushSource) -> tuple[str, bool]:
        """Start a run whose tokens are pushed to `source`; otherwise as `start`."""
        stream_id, created = await self._start(order, meta, key, source)
        if created:
            self._pushed[stream_id] = source
        return stream_id, created

    def pushed(self, stream_id: str) -> PushSource | None:
        """Return where the tokens of a running run are pushed to, None when they come from elsewhere."""
        return self._pushed.get(stream_id)

    async def _start(self, order: Order, meta: StreamMeta, key: str, source: TokenSource) -> tuple[str, bool]:
        stream_id, created = await self._log.create(meta, key)
        if not created:
            return stream_id, False
        try:
            self._check_room()
        except ServerError:
            await self._log.delete(stream_id)
            raise
        self.started += 1
        task = asyncio.create_task(Producer(stream_id, order, source, self._log).run())
        self._tasks[stream_id] = task
        task.add_done_callback(lambda _: self._forget(stream_id))
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep_for_ever())
        return stream_id, True

    def _forget(self, stream_id: str) -> None:
        self._tasks.pop(stream_id, None)
        self._pushed.pop(stream_id, None)

    def _check_room(self) -> None:
        """Refuse a new run while the server ends or has enough of them; those that run stay open to readers."""
        if self._closing:
            raise ServerError("shutdown", retry_after_s=RETRY_AFTER_S)
        if len(self._tasks) >= self._max_runs:
            raise ServerError("overloaded", retry_after_s=RETRY_AFTER_S, count=len(self._tasks))

    async def info(self, stream_id: str, owner: str | None) -> StreamInfo:
        """Return the state of a stream; another owner's is as unknown as one that never was."""
        try:
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
        await self._log.command(stream_id, Stop("stopped"))

    async def tune(self, stream_id: str, changes: dict[str, float | bool]) -> None:
        """Change knobs of a running run."""
        await self._log.command(stream_id, Tune(changes))

    async def sweep(self) -> None:
        """End runs that nobody reads, and let the log drop what is over its age, and the spans of that with it."""
        for stream_id in list(self._tasks):
            with suppress(UnknownStreamError, ExpiredStreamError):
                if (await self._log.info(stream_id)).unread_s >= self._unread_limit_s:
                    await self._log.command(stream_id, Stop("unread_limit", self._unread_limit_s))
        for stream_id in await self._log.expire():
            self._spans.forget(stream_id)

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            await self.sweep()

    async def close(self) -> None:
        """End every run with `error {code: "shutdown"}` and wait for their terminal events."""
        self._closing = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for stream_id in list(self._tasks):
            await self._log.command(stream_id, Stop("shutdown"))
        if self._tasks:
            await asyncio.wait(set(self._tasks.values()))
