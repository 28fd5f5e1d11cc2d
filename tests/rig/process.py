"""The real server as a process of its own."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rig.serving import PATIENCE_S

if TYPE_CHECKING:
    from pathlib import Path


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
    """`python -m sse_server`, ended by its id."""

    def __init__(self, folder: Path, flags: tuple[str, ...], **options: Any) -> None:
        self.ready_file = folder / "ready"
        self.log_file = folder / "server.log"
        command = [sys.executable, "-m", "sse_server", "--port", "0", "--ready-file", str(self.ready_file), *flags]
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
