"""What every server of the benchmark sends, and when."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import sys
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

Item = TypeVar("Item")
STREAM_ID = "0123456789abcdef" * 2
COUNT = int(os.environ.get("RIVAL_COUNT", "4000"))
RATE = float(os.environ.get("RIVAL_RATE", "50"))
BREATHE_EVERY = 64
WORDS = [f"{word} " for word in ("a", "stream", "carries", "each", "word", "as", "soon", "as", "it", "exists")]


def stamp() -> str:
    """Return a text that says when it was made, ns of the machine's monotonic clock."""
    return f"@{time.monotonic_ns()} "


async def flat() -> AsyncGenerator[str, None]:
    """Yield COUNT texts flat out; the loop gets its turn every 64."""
    kinds = len(WORDS)
    for index in range(COUNT):
        if index % BREATHE_EVERY == BREATHE_EVERY - 1:
            await asyncio.sleep(0)
        yield WORDS[index % kinds]


async def paced(make: Callable[[], Item] = stamp, rate: float = RATE) -> AsyncGenerator[Item, None]:
    """Yield what `make` makes, `rate` a second, for ever; a late one does not move the later ones."""
    loop = asyncio.get_running_loop()
    due = loop.time() + random.random() / rate
    while True:
        await asyncio.sleep(max(0.0, due - loop.time()))
        yield make()
        due += 1.0 / rate


def listening() -> socket.socket:
    """Return a socket that listens on a free port, which is printed for whoever started the process."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    listener.setblocking(False)
    return listener


def announce(listener: socket.socket) -> None:
    """Print the port: the server is ready."""
    print(listener.getsockname()[1], flush=True)
    sys.stdout.flush()
