"""Real programs as processes of their own, our server first."""

from __future__ import annotations

import codecs
import os
import re
import select
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rig.serving import PATIENCE_S

if TYPE_CHECKING:
    from pathlib import Path


START_LIMIT_S = 60.0


def until_gone(pid: int, limit_s: float = PATIENCE_S) -> None:
    """Wait for the end of a process that is no child of ours; one that waits to be collected has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([handle], [], [], limit_s)[0], f"process {pid} still runs"
    finally:
        os.close(handle)


class ServerProcess:
    """`python -m sse_server`, or another program that takes its flags, ended by its id."""

    def __init__(
        self, folder: Path, flags: tuple[str, ...], *, program: tuple[str, ...] = ("sse_server",), **options: Any
    ) -> None:
        self.ready_file = folder / "ready"
        self.log_file = folder / "server.log"
        settings = ["--port", "0", "--rate-limit", "off", "--ready-file", str(self.ready_file)]
        command = [sys.executable, "-m", *program, *settings, *flags]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, **options)
        self.said = self.process.stdout.readline()
        assert "listens on" in self.said, self.log_file.read_text("utf-8")
        self.url = self.ready_file.read_text("utf-8")
        self.port = urlsplit(self.url).port
        self.pid = self.process.pid

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE_S)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            for pipe in (self.process.stdout, self.process.stdin):
                if pipe is not None:
                    pipe.close()


class Program:
    """A process that was started for a test; its output goes to a file, and it is ended by its id.

    `group` gives it a process group of its own, which is ended as one: for make and what it starts.
    """

    def __init__(
        self, command: list[str], log: Path, *, limit_s: float = START_LIMIT_S, group: bool = False, **options: Any
    ) -> None:
        self._limit_s = limit_s
        self._group = group
        self._said = ""
        self._over = False
        self._heard = threading.Condition()
        output, inlet = os.pipe()
        try:
            self.process = subprocess.Popen(
                command,
                stdout=inlet,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=group,
                **options,
            )
        finally:
            os.close(inlet)
        self._listener = threading.Thread(target=self._listen, args=(output, log), daemon=True)
        self._listener.start()

    @property
    def said(self) -> str:
        """What it has printed so far."""
        with self._heard:
            return self._said

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return the first match of `pattern` in the output."""
        with self._heard:
            self._heard.wait_for(lambda: self._over or re.search(pattern, self._said), self._limit_s)
            found = re.search(pattern, self._said)
            assert found, f"{pattern!r} did not appear in: {self._said}"
            return found

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it gently, then firmly."""
        self._signal(number)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(15)
        self._signal(signal.SIGKILL)
        self.process.wait()
        # What it has started may hold the pipe a little longer.
        self._listener.join(PATIENCE_S)

    def _listen(self, output: int, log: Path) -> None:
        text = codecs.getincrementaldecoder("utf-8")("replace")
        with open(output, "rb", buffering=0) as pipe, log.open("wb") as kept:
            while part := pipe.read(1 << 16):
                kept.write(part)
                kept.flush()
                with self._heard:
                    self._said += text.decode(part)
                    self._heard.notify_all()
        with self._heard:
            self._over = True
            self._heard.notify_all()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            if self._group:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
