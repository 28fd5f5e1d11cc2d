"""A delay in one stage of a token's way and in no other: which one, the flight recorder has to find out.

`python -m rig.delays STAGE [flags of sse-server]` is the real server with one real class wrapped. The network is
delayed by `DelayingProxy`, in front of a server as it is.
"""

from __future__ import annotations

import asyncio
import os
import queue
import re
import socket
import sys
import threading
import time
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.process import ServerProcess
from sse_server import __main__ as program
from sse_server import app, producer
from sse_server.log.memory import MemoryLog
from sse_server.sources import models
from sse_server.sources.synthetic import SyntheticSource
from sse_widget.pacing.chunker import Chunk, Chunker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    import pandas as pd

    from sse_server.log.base import Batch
    from sse_server.sources.base import ChatRequest, Token

DELAY_MS = 80.0
DELAY_S = DELAY_MS / 1000.0

MODEL = "synthetic:tokens=15,rate=5,seed=4"
"""200 ms between two tokens: each delay is over before the next token comes."""

KNOBS = {"chunk_tokens": 1}
"""One token a delta, which goes out as soon as it is there."""

SERVER_STAGES = {"source": "source_ms", "chunker": "chunk_ms", "write": "write_ms"}
"""The delays inside a server, and the column of a frame in which each must appear."""


class DelayedSource(SyntheticSource):
    """Each token comes later than the model made it."""

    async def tokens(self, request: ChatRequest) -> AsyncGenerator[Token, None]:
        async with aclosing(super().tokens(request)) as tokens:
            async for token in tokens:
                await asyncio.sleep(DELAY_S)
                yield token


class DelayedChunker(Chunker):
    """Each delta is cut later than its text was complete."""

    def push(self, token: str, now: float) -> Chunk | None:
        if not self._parts:  # else a single token would pass at once
            self._first_at = now
        self._parts.append(token)
        self._ready = True
        return self.poll(now)

    @property
    def deadline(self) -> float | None:
        due = super().deadline
        return None if due is None else due + DELAY_S


class DelayedLog(MemoryLog):
    """What is in the log comes to its readers later, to be written."""

    async def read(self, stream_id: str, after: int, wait_s: float) -> Batch:
        batch = await super().read(stream_id, after, wait_s)
        if batch.frames:
            await asyncio.sleep(DELAY_S)
        return batch


_PLACES: dict[str, tuple[Any, str, type]] = {
    "source": (models, "SyntheticSource", DelayedSource),
    "chunker": (producer, "Chunker", DelayedChunker),
    "write": (app, "MemoryLog", DelayedLog),
}


class DelayingProxy:
    """Forwards TCP, one request a connection; what a server streams as events comes later by the delay, in order.

    Other answers pass as they are: a way that is slow in one direction alone would deceive every clock.
    """

    def __init__(self, upstream: str) -> None:
        host, _, port = upstream.rpartition("/")[2].rpartition(":")
        self._upstream = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._upstream) as server, suppress(OSError):
            head, body = _until_blank_line(client)
            head = re.sub(rb"(?im)^connection:.*\r\n", b"", head)
            server.sendall(head[:-2] + b"Connection: close\r\n\r\n" + body)
            threading.Thread(target=_forward, args=(client, server), daemon=True).start()
            head, body = _until_blank_line(server)
            streams = re.search(rb"(?im)^content-type: text/event-stream", head) is not None
            line = _Line(client, DELAY_S if streams else 0.0)
            line.send(head + body)
            while data := server.recv(65536):
                line.send(data)
            line.end()
            for side in (client, server):
                with suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)


class _Line:
    """Sends bytes a fixed time after they were given to it, from a thread of its own."""

    def __init__(self, client: socket.socket, delay_s: float) -> None:
        self._client = client
        self._delay_s = delay_s
        self._waiting: queue.Queue[tuple[float, bytes] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def send(self, data: bytes) -> None:
        self._waiting.put((time.monotonic() + self._delay_s, data))

    def end(self) -> None:
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        with suppress(OSError):
            while (item := self._waiting.get()) is not None:
                due_s, data = item
                time.sleep(max(0.0, due_s - time.monotonic()))
                self._client.sendall(data)


def _until_blank_line(side: socket.socket) -> tuple[bytes, bytes]:
    """Return the head of a message with its blank line, and what came after it."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = side.recv(65536)
        if not more:
            raise OSError("closed before the end of a head")
        data += more
    head, mark, body = data.partition(b"\r\n\r\n")
    return head + mark, body


def _forward(client: socket.socket, server: socket.socket) -> None:
    with suppress(OSError):
        while data := client.recv(65536):
            server.sendall(data)
        server.shutdown(socket.SHUT_WR)


@contextmanager
def delayed(stage: str, folder: Path) -> Iterator[str]:
    """Yield the URL of a real server with a delay in this stage: one of SERVER_STAGES, `network`, or `` for none."""
    folder.mkdir()
    program = ("rig.delays", stage) if stage in SERVER_STAGES else ("sse_server",)
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    process = ServerProcess(folder, ("--model", MODEL), program=program, env={**os.environ, "PYTHONPATH": path})
    proxy = DelayingProxy(process.url) if stage == "network" else None
    try:
        yield process.url if proxy is None else proxy.url
    finally:
        if proxy is not None:
            proxy.close()
        process.end()


def medians(frame: pd.DataFrame, stages: list[str]) -> dict[str, float]:
    """Return the median of each stage over the deltas of a run."""
    rows = frame[frame["kind"] == "delta"]
    return {stage: float(rows[stage].median()) for stage in stages}


def check(plain: dict[str, float], slow: dict[str, float], where: str, tolerance_ms: float = 10.0) -> None:
    """Assert that the delay is where it was put, and nowhere else."""
    grown = {stage: slow[stage] - plain[stage] for stage in plain}
    wrong = {
        stage: round(by_ms, 2)
        for stage, by_ms in grown.items()
        if abs(by_ms - (DELAY_MS if stage == where else 0.0)) > tolerance_ms
    }
    assert not wrong, f"with {DELAY_MS:.0f} ms in {where}: {wrong}"


def main() -> None:
    """Start the server with the delay that the first argument names."""
    stage = sys.argv.pop(1)
    module, name, slow = _PLACES[stage]
    setattr(module, name, slow)
    start: Callable[[], None] = program.main
    start()


if __name__ == "__main__":
    main()
