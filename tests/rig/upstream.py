"""A provider's server down to the byte: over a real socket it answers with the bytes that the test gives."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


class Answer(NamedTuple):
    """The pieces of one answer, each written by itself; with `hold` it is then silent until its client leaves.

    With `keep` the connection stays open for the next question.
    """

    pieces: tuple[bytes, ...]
    hold: bool = False
    keep: bool = False


class Upstream:
    """Answers the questions in turn, the last answer from then on; `left` is set when a client of a held one has gone.

    `asked` is set by the first question; `requests` are their bytes, `connections` counts what was opened.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = answers
        self.asked = asyncio.Event()
        self.left = asyncio.Event()
        self.requests: list[bytes] = []
        self.connections = 0
        self._tasks: set[asyncio.Task[Any] | None] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await asyncio.gather(*filter(None, self._tasks))
        await self._server.wait_closed()

    @property
    def head(self) -> str:
        """The head of the latest request, in lower case."""
        return self.requests[-1].partition(b"\r\n\r\n")[0].decode().lower()

    @property
    def body(self) -> Any:
        """The JSON of the latest request."""
        return json.loads(self.requests[-1].partition(b"\r\n\r\n")[2])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                pass
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection stays open for another."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        self.requests.append(head + await reader.readexactly(length))
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        self.asked.set()
        for piece in answer.pieces:
            writer.write(piece)
            await writer.drain()
        if answer.hold:
            await reader.read()
            self.left.set()
        return answer.keep


def said(*pieces: bytes, hold: bool = False) -> Answer:
    """Return an answer of these bytes."""
    return Answer(pieces, hold)


def refusal(status: str, body: Any = b"", *headers: str) -> Answer:
    """Return a refused request; `body` may be JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", "Connection: close", f"Content-Length: {len(content)}", *headers, "", ""]
    return Answer(("\r\n".join(lines).encode() + content,))


def stream(events: Iterable[tuple[str, Any]]) -> bytes:
    """Return the bytes of a provider's events, as `rig.providers` makes them."""
    return b"".join(
        (f"event: {name}\n" if name else "").encode()
        + f"data: {data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)}\n\n".encode()
        for name, data in events
    )


def chunked(body: bytes) -> Answer:
    """Return a stream whose connection stays open for the next question."""
    head = OK.replace(b"Connection: close", b"Transfer-Encoding: chunked")
    return Answer((head + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n",), keep=True)
