"""The real server in this process, and what tests hold it by: gated sources, replies event by event, bare sockets."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx

from sse_server.sources.base import ChatRequest, Token
from sse_widget.protocol.sse import Event, Parser

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable

    from tornado.httpserver import HTTPServer

    from sse_server.app import Server

PATIENCE_S = 20.0
"""How long anything that must happen may take before the test fails; nothing waits for it in a good run."""

CHAT = "/api/v1/stream/chat"
RUNS = "/api/v1/stream/runs/"


def data_of(event: Event) -> Any:
    """Return the data of an event, decoded."""
    return json.loads(event.data)


def text_of(events: Iterable[Event]) -> str:
    """Return the joined deltas."""
    return "".join(data_of(event)["text"] for event in events if event.event == "delta")


def seqs_of(events: Iterable[Event]) -> list[int]:
    """Return the seq of each event that has one of its own."""
    return [int(event.id.rpartition(":")[2]) for event in events if event.event != "hello"]


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
            while not (await self.log.read(stream_id, seq - 1, PATIENCE_S)).frames:
                pass  # what came was before it

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let the loop run until something holds that no event tells."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0)

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
