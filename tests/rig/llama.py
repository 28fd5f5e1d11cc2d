"""llama.cpp's own HTTP server with the bundled model: a real server with OpenAI's routes, on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from rig.serving import PATIENCE_S
from sse_server.sources.local import bundled_model

if TYPE_CHECKING:
    from collections.abc import Iterator


class Llama(NamedTuple):
    """Where it listens, and the key that it asks for."""

    url: str
    key: str


@contextmanager
def llama(slots: int = 2, context: int = 512) -> Iterator[Llama]:
    """Start it, and end it by its life line."""
    key = "of-the-test"
    settings = {"model": str(bundled_model()), "api_key": key, "slots": slots, "context": context}
    child = subprocess.Popen(
        [sys.executable, "-m", "sse_server.sources.llama_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        child.stdin.write(json.dumps({**settings, "batch": 16, "threads": 1}).encode() + b"\n")
        child.stdin.flush()
        yield Llama(json.loads(child.stdout.readline())["url"], key)
    finally:
        child.stdin.close()
        child.stdout.close()
        try:
            child.wait(PATIENCE_S)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
