"""Fixtures of all tests: servers, the virtual clock, and a watch over what is logged and left behind."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import signal
import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from rig.process import ServerProcess
from rig.serving import GatedSource, Served
from rig.virtual import VirtualLoop
from sse_server.__main__ import BACKLOG
from sse_server.app import Server
from sse_server.config import Config
from sse_server.handlers.intake import limits_of
from sse_widget.protocol.sse import Parser

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    import httpx

# What a shell runs in the background inherits SIGINT ignored, and hands that on to the processes that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


class _Complaints(logging.Handler):
    """Keeps what must never be logged: unretrieved exceptions, failed handlers and runs."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class Growth:
    """How much memory Python objects took at most, beyond what was there."""

    peak_bytes = 0


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
        config = Config(**{"model": "synthetic:tokens=20,rate=0", "port": 0, "rate_limit": "off", **settings})
        server = Server(config)
        sockets = bind_sockets(0, "127.0.0.1", backlog=BACKLOG)
        http = HTTPServer(server.application(), **limits_of(config))
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


@pytest.fixture
def virtual(complaints: list[str]) -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Yield a function that runs a coroutine on a loop with a clock of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        yield runner.run


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
