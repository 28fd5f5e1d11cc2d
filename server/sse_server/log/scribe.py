"""The thread that owns the database's connection: the event loop never waits for the disk."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sse_server.log.base import (
    ExpiredStreamError,
    LogUnavailableError,
    LostLeaseError,
    TrimmedStreamError,
    UnknownStreamError,
)
from sse_server.log.database import transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
POLL_S = 0.05
"""How often other processes' writes are looked for, while anyone here waits for them."""

_MOST = 256
_ANSWERS = (ExpiredStreamError, LostLeaseError, TrimmedStreamError, UnknownStreamError, ValueError)
"""What a job may raise before it has written anything."""


class _Job(NamedTuple):
    work: Callable[[], Any]
    writes: bool
    then: Callable[[Any], None] | None
    future: asyncio.Future[Any]


class _Outcome(NamedTuple):
    job: _Job
    result: Any
    error: Exception | None


class Scribe:
    """Carries jobs out in their order. Those that came while others were written share one commit.

    A job's result is known when it is kept. `on_change` is called on the event loop when another process has written,
    while it is told to `watch`; one process has one scribe, and so one poller.
    """

    def __init__(self, database: sqlite3.Connection, on_change: Callable[[], None]) -> None:
        self._database = database
        self._on_change = on_change
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._version = self._changes()
        self._watching = False

    def do(
        self, work: Callable[[], T], *, writes: bool = False, then: Callable[[T], None] | None = None
    ) -> asyncio.Future[T]:
        """Have a job done; `then` is called with its result whether anyone still waits for it or not."""
        self._loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = self._loop.create_future()
        future.add_done_callback(_retrieve)
        if self._closed:
            future.set_exception(LogUnavailableError("the log is closed"))
            return future
        self._jobs.put(_Job(work, writes, then, future))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sse-server log", daemon=True)
            self._thread.start()
        return future

    def watch(self, *, watching: bool) -> None:
        """Look for other processes' writes from now on, or no longer."""
        if watching and not self._watching:
            self.do(lambda: None)  # the thread may be waiting for a job without an end
        self._watching = watching

    async def close(self) -> None:
        """Do what was asked for, close the connection, end the thread."""
        if self._closed:
            return
        last = self.do(lambda: None)
        self._closed = True
        self._jobs.put(None)
        await last
        if self._thread is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _run(self) -> None:
        polled_at = time.monotonic()
        ending = False
        while not ending:
            jobs, ending = self._take()
            if jobs:
                self._tell(_deliver, self._carry_out(jobs))
            if self._watching and time.monotonic() - polled_at >= POLL_S:
                polled_at = time.monotonic()
                self._poll()
        self._database.close()

    def _take(self) -> tuple[list[_Job], bool]:
        """Return the jobs that wait, or none when it is time to poll; and whether they are the last."""
        jobs: list[_Job] = []
        try:
            job = self._jobs.get(timeout=POLL_S if self._watching else None)
            while job is not None:
                jobs.append(job)
                if len(jobs) == _MOST:
                    return jobs, False
                job = self._jobs.get_nowait()
        except queue.Empty:
            return jobs, False
        return jobs, True

    def _carry_out(self, jobs: Sequence[_Job]) -> list[_Outcome]:
        try:
            with transaction(self._database, writes=any(job.writes for job in jobs)):
                return [_attempt(job) for job in jobs]
        except sqlite3.Error as error:
            return [_Outcome(job, None, LogUnavailableError(str(error))) for job in jobs]
        except Exception as error:  # noqa: BLE001 - a bug is for those who wait, and nothing of it is kept
            return [_Outcome(job, None, error) for job in jobs]

    def _poll(self) -> None:
        try:
            version = self._changes()
        except sqlite3.Error:
            return
        if version != self._version:
            self._version = version
            self._tell(self._on_change)

    def _changes(self) -> int:
        """Return a number that is another one when another connection has written."""
        version: int = self._database.execute("PRAGMA data_version").fetchone()[0]
        return version

    def _tell(self, callback: Callable[..., None], *arguments: Any) -> None:
        loop = self._loop
        with suppress(RuntimeError):  # the loop has ended: nobody is left to be told
            if loop is not None:
                loop.call_soon_threadsafe(callback, *arguments)


def _attempt(job: _Job) -> _Outcome:
    try:
        return _Outcome(job, job.work(), None)
    except _ANSWERS as error:
        return _Outcome(job, None, error)


def _deliver(outcomes: Sequence[_Outcome]) -> None:
    for job, result, error in outcomes:
        if error is None and job.then is not None:
            job.then(result)
        if job.future.done():
            continue
        if error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(error)


def _retrieve(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
