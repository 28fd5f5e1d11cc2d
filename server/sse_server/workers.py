"""Several processes on one port: a parent that listens and serves nobody, and the workers that it forks.

On Linux each worker has a socket of its own on the port (SO_REUSEPORT), and the kernel deals the connections out
evenly; elsewhere they share one. The parent keeps the sockets open, so what arrives while a worker is started again
waits for it instead of being refused.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from tornado.netutil import bind_sockets

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("sse_server")

MOST_CRASHES = 5
CRASHES_WITHIN_S = 60.0
"""So many crashes in so short a time are no accident: the whole server ends, and says so by its status."""

REFUSED = 2
"""The exit status of a worker that said what is wrong with its settings."""

FIRST_DELAY_S = 0.1
STOP_S = 20.0
"""How long workers may take to end; their runs and readers take DRAIN_S of app.py at most."""


class Seat(msgspec.Struct, frozen=True):
    """What a worker is given: its listening sockets, and two pipes. It writes to `ready` once it takes connections.

    `lifeline` ends when the parent does, in whatever way.
    """

    number: int
    sockets: list[socket.socket]
    lifeline: int
    ready: int


class _Worker(msgspec.Struct):
    number: int
    pid: int = 0
    ready: int = -1
    start_at_s: float = 0.0


class Workers:
    """Forks `count` workers that run `serve`, starts those again that end by themselves, and ends all when told to."""

    def __init__(self, count: int, sockets: list[list[socket.socket]], serve: Callable[[Seat], None]) -> None:
        self._sockets = sockets
        self._serve = serve
        self._workers = [_Worker(number) for number in range(count)]
        self._lifeline = os.pipe()
        self._woken = os.pipe()
        self._crashes: list[float] = []
        self._told = False
        self._refused = False
        self._ready: set[int] = set()

    def run(self, announce: Callable[[], None], stdin: int | None) -> int:
        """Return the exit status once all have ended; `announce` is called when all are ready for the first time."""
        self._catch_signals()
        announced = False
        while not self._told and not self._refused and len(self._crashes) < MOST_CRASHES:
            self._start_due()
            if not announced and len(self._ready) == len(self._workers):
                announced = True
                announce()
            stdin = self._wait(stdin)
            self._collect()
        failed = not self._told
        if failed and not self._refused:
            logger.error("workers crashed %d times within %d s; giving up", MOST_CRASHES, CRASHES_WITHIN_S)
        stopped_badly = self._stop()
        return REFUSED if self._refused else int(failed or stopped_badly)

    def _catch_signals(self) -> None:
        for end in self._woken:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._woken[1], warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _: object) -> None:
        if number != signal.SIGCHLD:
            self._told = True

    def _start_due(self) -> None:
        for worker in self._workers:
            if not worker.pid and worker.start_at_s <= time.monotonic():
                self._start(worker)

    def _start(self, worker: _Worker) -> None:
        worker.ready, ready = os.pipe()
        sys.stdout.flush()
        worker.pid = os.fork()
        if worker.pid == 0:
            self._become(Seat(worker.number, self._sockets[worker.number], self._lifeline[0], ready))
        os.close(ready)

    def _become(self, seat: Seat) -> None:
        """Serve as a worker, and never return."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            for end in (*self._woken, self._lifeline[1], *(each.ready for each in self._workers if each.ready >= 0)):
                os.close(end)
            for sockets in self._sockets:  # a connection to another worker's would wait here for nobody
                for other in sockets:
                    if other not in seat.sockets:
                        other.close()
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
            os.close(nothing)
            self._serve(seat)
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except BaseException:
            logger.exception("worker %d failed", seat.number)
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _wait(self, stdin: int | None) -> int | None:
        """Wait for a signal, a worker that is ready, or the end of standard input; return what is left of that."""
        pipes = [worker.ready for worker in self._workers if worker.ready >= 0]
        due = [worker.start_at_s for worker in self._workers if not worker.pid]
        wait_s = max(0.0, min(due) - time.monotonic()) if due else None
        watched = [self._woken[0], *pipes, *([] if stdin is None else [stdin])]
        for end in select.select(watched, [], [], wait_s)[0]:
            if end == self._woken[0]:
                os.read(end, 4096)
            elif end == stdin:
                if not os.read(end, 4096):
                    self._told, stdin = True, None
            else:
                self._hear(end)
        return stdin

    def _hear(self, end: int) -> None:
        """Take what a worker says of itself: a byte when it is ready; a pipe that just ends is no news here."""
        worker = next(each for each in self._workers if each.ready == end)
        if os.read(end, 1):
            self._ready.add(worker.number)
        os.close(end)
        worker.ready = -1

    def _collect(self) -> None:
        """Note which workers have ended, and when each is to be started again."""
        for worker in self._workers:
            if not worker.pid or (ended := os.waitpid(worker.pid, os.WNOHANG))[0] == 0:
                continue
            worker.pid = 0
            # Settings that do not fit are for people to mend, not for another try.
            self._refused = self._refused or os.waitstatus_to_exitcode(ended[1]) == REFUSED
            if self._told or self._refused:
                continue
            now = time.monotonic()
            self._crashes = [at for at in self._crashes if now - at < CRASHES_WITHIN_S] + [now]
            worker.start_at_s = now + FIRST_DELAY_S * 2.0 ** (len(self._crashes) - 1)
            logger.error("worker %d ended by itself (%s)", worker.number, _reason(ended[1]))

    def _stop(self) -> bool:
        """End all workers, gently first; return whether one had to be killed or failed."""
        for own in self._sockets:
            for one in own:
                one.close()
        self._signal(signal.SIGTERM)
        failed = self._until_ended(time.monotonic() + STOP_S)
        for worker in self._workers:
            if worker.pid:
                logger.error("worker %d does not end; killing it", worker.number)
        self._signal(signal.SIGKILL)
        return self._until_ended(time.monotonic() + STOP_S) or failed

    def _signal(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.pid:
                os.kill(worker.pid, number)

    def _until_ended(self, until_s: float) -> bool:
        """Wait until all have ended, or that time; return whether one failed."""
        failed = False
        while True:
            for worker in self._workers:
                if worker.pid and (ended := os.waitpid(worker.pid, os.WNOHANG))[0]:
                    worker.pid = 0
                    failed = failed or ended[1] != 0
            wait_s = until_s - time.monotonic()
            if wait_s <= 0 or not any(worker.pid for worker in self._workers):
                return failed
            if select.select([self._woken[0]], [], [], wait_s)[0]:
                os.read(self._woken[0], 4096)


def bind(count: int, port: int, host: str, backlog: int) -> list[list[socket.socket]]:
    """Return the listening sockets of each worker, all on one port; OSError when another server has it."""
    own = bind_sockets(port, host, backlog=backlog)
    if sys.platform != "linux":
        return [own] * count
    # Sockets that share a port would share it with a second server too, so the port is first taken alone.
    port = own[0].getsockname()[1]
    for one in own:
        one.close()
    return [bind_sockets(port, host, backlog=backlog, reuse_port=True) for _ in range(count)]


def _reason(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"status {code}"
