"""Cut a response at every byte and resume: exactly the text, nothing twice, the model asked once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sse_server.sources.base import ChatRequest, Token
from sse_widget import Cassette, StreamClient
from sse_widget.protocol.backoff import Backoff
from sse_widget.protocol.events import Delta
from sse_widget.recording.tape import Tape

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

WORDS = ["Hello, ", "السلامُ ", "عليكم، ", "你好", "。", "👩‍👩‍👧‍👦 ", "🇸🇦", "e\u0301", " 🏳️‍🌈", "\n", "नमस्ते", " end."]


class Told:
    """A model with one answer; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def tokens(self, _request: ChatRequest) -> AsyncGenerator[Token, None]:
        self.asked += 1
        for word in WORDS:
            yield Token(word)
        yield Token("", "stop")

    async def close(self) -> None:
        """Nothing is held."""


class CutBody(httpx.AsyncByteStream):
    """A body that breaks off after so many bytes; `ends` says whether that looks like its end."""

    def __init__(self, body: httpx.AsyncByteStream, left: int, *, ends: bool) -> None:
        self.body, self.left, self.ends = body, left, ends

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.body:
            if len(chunk) >= self.left:
                yield chunk[: self.left]
                break
            self.left -= len(chunk)
            yield chunk
        if not self.ends:
            raise httpx.ReadError("cut by the test")

    async def aclose(self) -> None:
        await self.body.aclose()


class Cutting(httpx.AsyncBaseTransport):
    """The real transport, whose first stream is cut at `at`; None loses the whole answer after it was asked for."""

    def __init__(self, at: int | None, *, ends: bool = False) -> None:
        self.inner = httpx.AsyncHTTPTransport(verify=False)
        self.at, self.ends, self.cuts = at, ends, 0
        self.requests: list[tuple[str, str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        self.requests.append((request.method, request.headers.get("last-event-id", "")))
        if self.cuts:
            return response
        self.cuts += 1
        if self.at is None:
            await response.aclose()
            raise httpx.ReadError("cut by the test")
        body = CutBody(response.stream, self.at, ends=self.ends)
        return httpx.Response(response.status_code, headers=response.headers, stream=body)

    async def aclose(self) -> None:
        await self.inner.aclose()


async def read(url: str, transport: Cutting, tape: Tape | None = None) -> tuple[str, Any]:
    client = StreamClient(url, transport=transport, backoff=Backoff(base_ms=0))
    stream = client.chat("go", model="told", chunk_tokens=1).seen_by(tape or Tape())
    text = "".join([message.text async for message in stream if isinstance(message, Delta)])
    return text, stream


@pytest.fixture
def no_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server ask for no delay between attempts; how long it is has tests of its own."""
    monkeypatch.setattr("sse_server.delivery.RETRY_MS", 0)


@pytest.mark.parametrize("ends", [False, True], ids=["broken", "ended"])
async def test_cut_at_every_byte(serve: Callable[..., Any], no_floor: None, *, ends: bool) -> None:
    told = Told()
    served = await serve(sources={"told": told})
    question = {"q": "go", "model": "told", "chunk_tokens": 1}
    size = len((await served.client.post("/api/v1/stream/chat", json=question)).content)
    assert size > 1000
    asked = told.asked
    for at in range(size + 1):
        transport, tape = Cutting(at, ends=ends), Tape()
        text, stream = await read(served.url, transport, tape)
        await transport.aclose()
        assert text == "".join(WORDS), f"cut at {at}"
        kept = [event for event in Cassette(tape.header, tuple(tape.reads)).events() if event.event != "hello"]
        assert [event.id.partition(":")[2] for event in kept] == [str(seq) for seq in range(1, len(WORDS) + 4)]
        assert stream.state == "done", f"cut at {at}"
        assert [method for method, _ in transport.requests].count("POST") == 1, f"cut at {at}"
    assert told.asked - asked == size + 1


async def test_an_answer_that_was_lost_is_asked_for_again_with_the_same_key(
    serve: Callable[..., Any], no_floor: None
) -> None:
    told = Told()
    served = await serve(sources={"told": told})
    transport = Cutting(None)
    text, stream = await read(served.url, transport)
    await transport.aclose()
    assert (text, stream.state, told.asked) == ("".join(WORDS), "done", 1)
    assert [method for method, _ in transport.requests] == ["POST", "POST"]
