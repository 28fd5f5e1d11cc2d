"""Many readers at little cost, in a process of their own: sockets under one epoll, events counted by their blank lines.

A sample of the readers looks for stamps (`@` and nanoseconds of the monotonic clock), which gives latencies.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import select
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import msgspec

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

STAMP = re.compile(rb"@(\d+) ")
PATIENCE_S = 120.0
_AT_ONCE = 200
_BUFFER = 1 << 18


class Seen(msgspec.Struct, frozen=True):
    """What a crowd saw since it was last asked. `cpu_s` is what that cost it, over `wall_s`."""

    events: int
    latencies_ms: list[float]
    ended: int
    cpu_s: float
    wall_s: float


class Readers(msgspec.Struct, frozen=True):
    """`count` connections to one server, each with one request; one in `sample` has its latencies taken.

    `mute` ones ask and never read. They live on `core`, or where the system likes.
    """

    port: int
    target: str
    count: int
    core: int | None = None
    sample: int = 20
    mute: bool = False


class Crowd:
    """Readers in a process of their own, ended with the block. `NUMBER` in their target is each one's own."""

    def __init__(self, readers: Readers) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_read, args=(theirs, readers), daemon=True)
        self._process.start()
        theirs.close()

    def until_connected(self) -> None:
        """Wait for the first event of every reader, or until all have asked if they are mute."""
        self._answer("connected")

    def seen(self) -> Seen:
        """Return what was seen since this was last called."""
        self._pipe.send("seen")
        answer: Seen = self._answer("seen")
        return answer

    def until_ended(self) -> Seen:
        """Wait for the end of every response; return what was seen since the last call."""
        self._pipe.send("ended")
        answer: Seen = self._answer("ended")
        return answer

    def close(self) -> None:
        """Drop the connections and the process."""
        with suppress(OSError):
            self._pipe.send("close")
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, to: str) -> Any:
        assert self._pipe.poll(PATIENCE_S), f"the crowd says nothing to {to}"
        said, value = self._pipe.recv()
        if said == "connected" != to:
            return self._answer(to)
        assert said == to, value
        return value


def may_open(count: int) -> None:
    """Let this process, and those it starts, have so many files open, as far as the machine allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _read(pipe: Connection, readers: Readers) -> None:
    if readers.core is not None:
        os.sched_setaffinity(0, {readers.core})
    may_open(readers.count + 100)
    try:
        _Reading(pipe, readers).run()
    except (AssertionError, OSError, EOFError) as error:
        with suppress(OSError):
            pipe.send(("failed", repr(error)))


class _Reading:
    def __init__(self, pipe: Connection, readers: Readers) -> None:
        self._pipe = pipe
        self._readers = readers
        self._mute = readers.mute
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._ends: dict[int, bool] = {}
        self._greeted: set[int] = set()
        self._sampled: set[int] = set()
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._asked = ""
        self._events = self._ended = 0
        self._latencies: list[int] = []
        self._began = (time.monotonic(), time.process_time())

    def run(self) -> None:
        """Read until told to leave."""
        self._poll.register(self._pipe.fileno(), select.EPOLLIN)
        while len(self._sockets) < self._readers.count:
            for _ in range(min(_AT_ONCE, self._readers.count - len(self._sockets))):
                self._connect()
            while not self._mute and len(self._greeted) < len(self._sockets):
                self._turn()
        self._pipe.send(("connected", None))
        while self._turn():
            pass

    def _connect(self) -> None:
        reader = socket.create_connection(("127.0.0.1", self._readers.port))
        number = reader.fileno()
        target = self._readers.target.replace("NUMBER", str(len(self._sockets)))
        fields = "Host: 127.0.0.1\r\nAccept: text/event-stream\r\nConnection: close\r\n"
        reader.sendall(f"GET {target} HTTP/1.1\r\n{fields}\r\n".encode())
        reader.setblocking(False)
        self._sockets[number] = reader
        if len(self._sockets) % self._readers.sample == 1 % self._readers.sample:
            self._sampled.add(number)
        if not self._mute:
            self._poll.register(number, select.EPOLLIN)

    def _turn(self) -> bool:
        """Take what has arrived; whether to go on."""
        control = self._pipe.fileno()
        for number, _ in self._poll.poll(1.0):
            if number == control:
                said = self._pipe.recv()
                if said == "close":
                    return False
                self._asked = said
                if said == "seen":
                    self._report()
            else:
                self._take(number)
        if self._asked == "ended" and self._ended == len(self._sockets):
            self._report()
        return True

    def _take(self, number: int) -> None:
        try:
            size = self._sockets[number].recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if not size:
            self._poll.unregister(number)
            self._ended += 1
            self._greeted.add(number)
            return
        buffer = self._buffer
        events = buffer.count(b"\n\n", 0, size)
        if self._ends.get(number) and buffer[0] == 10:
            events += 1
        self._ends[number] = buffer[size - 1] == 10 and (size < 2 or buffer[size - 2] != 10)
        if events:
            self._events += events
            self._greeted.add(number)
            if number in self._sampled:
                now = time.monotonic_ns()
                self._latencies += [now - int(made) for made in STAMP.findall(self._view[:size])]

    def _report(self) -> None:
        wall_s, cpu_s = self._began
        latencies_ms = [latency / 1e6 for latency in self._latencies]
        self._began = (time.monotonic(), time.process_time())
        seen = Seen(self._events, latencies_ms, self._ended, self._began[1] - cpu_s, self._began[0] - wall_s)
        self._pipe.send((self._asked, seen))
        self._asked = ""
        self._events = 0
        self._latencies = []
