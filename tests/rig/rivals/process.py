"""A rival as a process: on one core, with its CPU time and its memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Self

import httpx
import psutil

from rig.serving import PATIENCE_S

TESTS = Path(__file__).parents[2]


class Rival:
    """`python -m rig.rivals.NAME` on `core`, ended with the block; `settings` are RIVAL_… variables."""

    def __init__(self, name: str, *, core: int | None = None, **settings: float) -> None:
        places = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
        given = {f"RIVAL_{key.upper()}": str(value) for key, value in settings.items()}
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"rig.rivals.{name}"],
            stdout=subprocess.PIPE,
            env={**os.environ, **given, "PYTHONPATH": os.pathsep.join(places)},
            text=True,
        )
        self._watched = psutil.Process(self._process.pid)
        if core is not None:
            os.sched_setaffinity(self._process.pid, {core})
        self.port = int(self._process.stdout.readline())

    @property
    def cpu_s(self) -> float:
        """The CPU time that it has used."""
        times = self._watched.cpu_times()
        return times.user + times.system

    @property
    def rss_bytes(self) -> int:
        """The memory that it holds."""
        return self._watched.memory_info().rss

    @property
    def health(self) -> dict[str, int]:
        """What our own server says of itself."""
        url = f"http://127.0.0.1:{self.port}/api/v1/stream/health"
        said: dict[str, int] = httpx.get(url, trust_env=False, timeout=PATIENCE_S).json()
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
