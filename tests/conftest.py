"""The real server, in this process or as one of its own, and what tests hold it by: gated sources and bare sockets."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import selectors
import signal
import subprocess
import sys
import tracemalloc
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from sse_server.__main__ import BACKLOG
from sse_server.app import Server
from sse_server.config import Config
from sse_server.handlers.intake import LIMITS
from sse_server.sources.base import ChatRequest, Token
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from sse_widget.protocol.sse import Event, Parser

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
    from pathlib import Path

PATIENCE_S = 20.0
"""How long anything that must happen may take before the test fails; nothing waits for it in a good run."""

CHAT = "/api/v1/stream/chat"
RUNS = "/api/v1/stream/runs/"


class GatedSource:
    """A token source that says what the test says, when the test says it; `asked` counts the questions."""

    def __init__(self) -> None:
        self.asked = 0
        self.requests: list[ChatRequest] = []
        self.closed = asyncio.Event()
        self._queue: asyncio.Queue[Token | Exception] = asyncio.Queue()

    def say(self, *texts: str) -> None:
        """Let the model make these tokens."""
        for text in texts:
            self._queue.put_nowait(Token(text))

    def finish(self, reason: str = "stop") -> None:
        """End the answer."""
        self._queue.put_nowait(Token("", reason))

    def fail(self, error: Exception) -> None:
        """Have the model fail."""
        self._queue.put_nowait(error)

    async def tokens(self, request: ChatRequest) -> AsyncGenerator[Token, None]:
        self.asked += 1
        self.requests.append(request)
        self.closed.clear()
        try:
            while True:
                token = await self._queue.get()
                if isinstance(token, Exception):
                    raise token
                yield token
                if token.finish:
                    return
        finally:
            self.closed.set()

    async def close(self) -> None:
        """Nothing is held."""


class Reply:
    """One response, read event by event as the bytes arrive."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self._chunks = response.aiter_bytes()
        self._parser = Parser()
        self._waiting: list[Event] = []

    async def next(self) -> Event:
        """Return the next event; EOFError at the end of the body."""
        while not self._waiting:
            async with asyncio.timeout(PATIENCE_S):
                chunk = await anext(self._chunks, b"")
            if not chunk:
                raise EOFError
            self._waiting = self._parser.feed(chunk)
        return self._waiting.pop(0)

    async def until(self, name: str) -> list[Event]:
        """Return the events up to and with the next of this name."""
        events = [await self.next()]
        while events[-1].event != name:
            events.append(await self.next())
        return events

    async def rest(self) -> list[Event]:
        """Return all events up to the end of the body."""
        events = []
        with suppress(EOFError):
            while True:
                events.append(await self.next())
        return events


class Served:
    """A running server of this process, and a client to ask it with."""

    def __init__(self, server: Server, http: HTTPServer, port: int) -> None:
        self.server = server
        self.http = http
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx.AsyncClient(base_url=self.url, timeout=PATIENCE_S, trust_env=False)

    @property
    def log(self) -> Any:
        """The event log."""
        return self.server.services.log

    def offer(self, name: str, source: Any) -> None:
        """Add a model."""
        self.server.models._sources[name] = source

    @asynccontextmanager
    async def reading(self, method: str, url: str, **options: Any) -> AsyncIterator[Reply]:
        """Open a response and read it as it comes."""
        async with self.client.stream(method, url, **options) as response:
            reply = Reply(response)
            async with aclosing(reply._chunks):
                yield reply

    async def events(self, method: str, url: str, **options: Any) -> list[Event]:
        """Return all events of a response."""
        return Parser().feed((await self.client.request(method, url, **options)).content)

    async def start(self, **fields: Any) -> str:
        """Start a run that nobody reads yet; return its stream id."""
        answer = await self.client.post(CHAT, json={"q": "hi", **fields}, headers={"Accept": "application/json"})
        assert answer.status_code == 201, answer.text
        return answer.json()["stream_id"]

    async def wire(self) -> Wire:
        """Open a bare connection."""
        return Wire(*await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 24))

    async def until_seq(self, stream_id: str, seq: int) -> None:
        """Return once the log holds that many events of the stream."""
        async with asyncio.timeout(PATIENCE_S):
            await self.log.read(stream_id, seq - 1, PATIENCE_S)

    async def until_idle(self) -> None:
        """Return once no connection streams any more."""
        async with asyncio.timeout(PATIENCE_S):
            await self.server.services.counters.idle.wait()

    async def until_ended(self, stream_id: str) -> None:
        """Return once the stream has its terminal event."""
        after = 0
        async with asyncio.timeout(PATIENCE_S):
            while True:
                batch = await self.log.read(stream_id, after, PATIENCE_S)
                after = batch.last
                if batch.ended:
                    return

    async def close(self) -> None:
        """End everything, as the program does."""
        await self.client.aclose()
        self.http.stop()
        await self.server.close()
        await self.http.close_all_connections()


class Wire:
    """A bare TCP connection: exactly these bytes out, cut at exactly that byte in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Write these bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> None:
        """Write a request; header names have underscores for hyphens."""
        lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(body)}"] if body else []
        await self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    async def read_until(self, mark: bytes) -> bytes:
        """Return the bytes up to and with a mark."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readuntil(mark)

    async def read(self, count: int) -> bytes:
        """Return so many bytes, fewer when the server closes before."""
        data = b""
        async with asyncio.timeout(PATIENCE_S):
            while len(data) < count and (more := await self.reader.read(count - len(data))):
                data += more
        return data

    async def rest(self) -> bytes:
        """Return all bytes until the server closes."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()

    async def head(self) -> tuple[int, dict[str, str]]:
        """Return status and headers of the next response."""
        first, *lines = (await self.read_until(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        return int(first.split(" ")[1]), {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name
        }

    async def cut(self) -> None:
        """Drop the connection."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


class _Complaints(logging.Handler):
    """Keeps what must never be logged: unretrieved exceptions, failed handlers and runs."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(scope="session")
def frozen_heap() -> None:
    """Let the collections after each test skip what was there before the first one: 0.2 s becomes 0.01 s."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def complaints(frozen_heap) -> Iterator[list[str]]:
    """Yield the errors logged so far; a test that expects some takes them out."""
    handler = _Complaints()
    loggers = [logging.getLogger(name) for name in ("asyncio", "tornado", "sse_server")]
    for logger in loggers:
        logger.addHandler(handler)
    yield handler.lines
    gc.collect()
    for logger in loggers:
        logger.removeHandler(handler)
    assert handler.lines == []


@pytest.fixture
async def serve(complaints: list[str]) -> AsyncIterator[Callable[..., Any]]:
    """Yield a factory of servers on free ports of loopback; arguments are settings. No task may outlive them."""
    made: list[Served] = []

    async def start(*, sources: dict[str, Any] | None = None, **settings: Any) -> Served:
        config = Config(**{"model": "synthetic:tokens=20,rate=0", "port": 0, **settings})
        server = Server(config)
        sockets = bind_sockets(0, "127.0.0.1", backlog=BACKLOG)
        http = HTTPServer(server.application(), **LIMITS)
        http.add_sockets(sockets)
        made.append(Served(server, http, sockets[0].getsockname()[1]))
        for name, source in (sources or {}).items():
            made[-1].offer(name, source)
        return made[-1]

    yield start
    for served in made:
        await served.close()
    for _ in range(3):
        await asyncio.sleep(0)
    left = [task for task in asyncio.all_tasks() if "sse_server" in _origin(task) and not task.done()]
    assert left == []


def _origin(task: asyncio.Task[Any]) -> str:
    code = getattr(task.get_coro(), "cr_code", None)
    return code.co_filename if code is not None else ""


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


@pytest.fixture
def server_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., ServerProcess]]:
    """Yield a factory of server processes; arguments are flags, options those of Popen."""
    made: list[ServerProcess] = []

    def start(*flags: str, **options: Any) -> ServerProcess:
        made.append(ServerProcess(tmp_path_factory.mktemp("server"), flags, **options))
        return made[-1]

    yield start
    for process in made:
        process.end()


@pytest.fixture
def gated() -> Callable[[], GatedSource]:
    """Return the class of sources that the test drives token by token."""
    return GatedSource


@pytest.fixture
def error_of() -> Callable[[httpx.Response], tuple[int, str, str]]:
    """Return a reader of refusals: (status, code, message), from an SSE error event or problem details."""

    def read(response: httpx.Response) -> tuple[int, str, str]:
        kind = response.headers["content-type"]
        if kind == "application/problem+json":
            problem = response.json()
            assert problem["status"] == response.status_code
            return response.status_code, problem["code"], problem["detail"]
        assert kind == "text/event-stream; charset=utf-8"
        (event,) = Parser().feed(response.content)
        assert (event.event, event.id) == ("error", "")
        data = json.loads(event.data)
        return response.status_code, data["code"], data["message"]

    return read


class _Jumping(selectors.DefaultSelector):
    """Does not wait for the next timer: it lets the time pass at once."""

    passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing is left that could ever happen")
        if not ready:
            self.passed_s += max(0.0, timeout or 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock starts at 0 and jumps: hours pass in no time, and always in the same order."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed_s


@pytest.fixture
def virtual(complaints: list[str]) -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Yield a function that runs a coroutine on a loop with a clock of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        yield runner.run


class Growth:
    """How much memory Python objects took at most, beyond what was there."""

    peak_bytes = 0


@pytest.fixture
def tracked_memory() -> Callable[[], Any]:
    """Return a context manager that yields a Growth, filled in at its end."""

    @contextmanager
    def tracking() -> Iterator[Growth]:
        growth = Growth()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            yield growth
            growth.peak_bytes = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()

    return tracking
