"""A real redis-server on a free port of loopback, ended and started again as a test likes."""

from __future__ import annotations

import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rig.nginx import unused_port
from rig.process import Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class RedisServer:
    """One Redis. With `keeps` its data outlive a restart, as far as `appendonly` goes."""

    def __init__(self, folder: Path, *, keeps: bool = False) -> None:
        self.port = unused_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._keeps = keeps
        self._program: Program | None = None

    def start(self) -> None:
        """Start it and return once it takes commands."""
        flags = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self._folder),
            "save": "",
            "appendonly": "yes" if self._keeps else "no",
        }
        command = ["redis-server", *(part for name, value in flags.items() for part in (f"--{name}", value))]
        self._program = Program(command, self._folder / "redis.log")
        self._program.wait_for("Ready to accept connections")

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it, by default as a power cut does."""
        if self._program is not None:
            self._program.end(number)
            self._program = None

    def pause(self) -> None:
        """Let it hang: it is there, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._program is not None
        self._program.process.send_signal(number)

    def say(self, *words: str) -> bytes:
        """Send one command as words, and return the start of what Redis says."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as wire:
            wire.sendall(" ".join(words).encode() + b"\r\n")
            return wire.recv(1 << 16)


@contextmanager
def redis_server(folder: Path, *, keeps: bool = False) -> Iterator[RedisServer]:
    """Run Redis; it ends by its id."""
    server = RedisServer(folder, keeps=keeps)
    server.start()
    try:
        yield server
    finally:
        server.end()
