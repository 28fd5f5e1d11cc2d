"""Reading any OpenAI-compatible server: its answers, its errors, its silences, and leaving it."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, suppress

import pytest

from sse_server.errors import ServerError
from sse_server.sources.base import ChatMessage, ChatRequest, Token
from sse_server.sources.openai import ConnectionLostError, OpenAISource

REQUEST = ChatRequest((ChatMessage("system", "Be brief."), ChatMessage("user", "مرحبا")), "any", max_tokens=5)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def chunk(content=None, finish=None, **more):
    delta = {} if content is None else {"content": content}
    return b"data: " + json.dumps({"choices": [{"delta": delta, "finish_reason": finish}], **more}).encode() + b"\n\n"


class Upstream:
    """A server that answers with these bytes, piece by piece; `left` is set when its client has gone."""

    def __init__(self, *pieces, hold=False):
        self.pieces = pieces
        self.hold = hold
        self.asked = asyncio.Event()
        self.left = asyncio.Event()
        self.request = b""
        self._answers = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()
        await asyncio.gather(*self._answers)

    async def _answer(self, reader, writer):
        self._answers.add(asyncio.current_task())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        self.request = head + await reader.readexactly(length)
        self.asked.set()
        with suppress(ConnectionError):
            for piece in self.pieces:
                writer.write(piece)
                await writer.drain()
            if self.hold:
                await reader.read()
                self.left.set()
            writer.close()
            await writer.wait_closed()

    async def read(self, **options):
        source = OpenAISource(f"http://127.0.0.1:{self.port}", "named", "secret", **options)
        try:
            return [token async for token in source.tokens(REQUEST)]
        finally:
            await source.close()


async def failure(*pieces, hold=False, **options):
    async with Upstream(*pieces, hold=hold) as upstream:
        with pytest.raises(ServerError) as raised:
            await upstream.read(**options)
    return raised.value


async def test_an_answer_is_read_token_by_token():
    pieces = [
        OK,
        chunk(),
        chunk(""),
        chunk("Hel"),
        chunk("lo ") + chunk("س"),
        b'data: {"choices":[]}\n\n',
        b": ping\n\n",
    ]
    async with Upstream(*pieces, chunk(finish="stop"), b"data: [DONE]\n\n") as upstream:
        tokens = await upstream.read()
    assert tokens == [Token("Hel"), Token("lo "), Token("س"), Token("", "stop")]
    head, _, body = upstream.request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat/completions ")
    assert b"authorization: bearer secret" in head.lower()
    assert json.loads(body) == {
        "model": "named",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "مرحبا"}],
        "stream": True,
        "max_tokens": 5,
    }


@pytest.mark.parametrize(("said", "means"), [("stop", "stop"), ("length", "length"), ("tool_calls", "stop")])
async def test_its_reason_to_finish(said, means):
    async with Upstream(OK, chunk("a", said)) as upstream:
        assert await upstream.read() == [Token("a", means)]


async def test_done_alone_is_an_end():
    async with Upstream(OK, chunk("a"), b"data: [DONE]\n\n", chunk("never")) as upstream:
        assert await upstream.read() == [Token("a"), Token("", "stop")]


async def test_options_are_sent_with_every_request():
    async with Upstream(OK, chunk("a", "stop")) as upstream:
        await upstream.read(options={"return_progress": True})
    assert json.loads(upstream.request.partition(b"\r\n\r\n")[2])["return_progress"] is True


async def test_an_answer_cut_in_any_byte_is_truncated():
    whole = OK + chunk("one ") + chunk("دو ") + chunk("three", "stop")
    for at in [*range(len(OK), len(whole) - 1, 7), len(whole) - 1]:
        assert (await failure(whole[:at])).code == "upstream_truncated", at


async def test_a_chunked_answer_that_breaks_off_is_truncated():
    head = OK.replace(b"Connection: close", b"Transfer-Encoding: chunked")
    error = await failure(head, b"5\r\ndata:")
    assert error.code == "upstream_truncated"
    assert isinstance(error, ConnectionLostError)


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        ("401 Unauthorized", b'{"error": {"message": "no such key", "code": 401}}', "HTTP 401 no such key"),
        ("400 Bad Request", b'{"error": {"message": "too long"}}', "HTTP 400 too long"),
        ("500 Oh", b"<html>" + b"x" * 5000, "HTTP 500 <html>xxx"),
        ("502 Bad Gateway", b"", "HTTP 502"),
        ("503 Busy", b'{"error": "a text"}', 'HTTP 503 {"error": "a text"}'),
        ("418 Teapot", b"\xff\xfe", "HTTP 418"),
        ("204 No Content", b"", "HTTP 204"),
        ("302 Found\r\nLocation: http://127.0.0.1:1/", b"", "HTTP 302"),
    ],
)
async def test_a_refusal_is_told_in_the_upstreams_words(status, body, says):
    error = await failure(f"HTTP/1.1 {status}\r\nConnection: close\r\n\r\n".encode(), body)
    assert (error.code, error.retryable) == ("upstream_error", True)
    assert says in error.message
    assert len(error.message) < 500


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'data: {"error": {"message": "out of memory"}}\n\n', "out of memory"),
        (b"data: nonsense\n\n", "unreadable chunk"),
        (b'data: {"choices": 5}\n\n', "unreadable chunk"),
        (b'data: {"choices": [{"delta": {"content": 5}}]}\n\n', "unreadable chunk"),
    ],
)
async def test_an_error_in_the_stream_is_an_error(data, says):
    error = await failure(OK, chunk("a"), data)
    assert error.code == "upstream_error"
    assert says in error.message


async def test_an_upstream_that_is_not_there():
    async with Upstream() as upstream:
        port = upstream.port
    source = OpenAISource(f"http://127.0.0.1:{port}", "named")
    with pytest.raises(ConnectionLostError) as raised:
        await anext(source.tokens(REQUEST))
    assert raised.value.code == "upstream_error"
    await source.close()


@pytest.mark.parametrize("pieces", [[], [OK], [OK, chunk("a")]], ids=["head", "first token", "next token"])
async def test_silence_is_a_timeout(pieces):
    error = await failure(*pieces, hold=True, idle_timeout_s=0.1)
    assert (error.code, error.retryable) == ("upstream_timeout", True)


async def test_leaving_closes_the_request():
    async with Upstream(OK, chunk("a"), hold=True) as upstream:
        source = OpenAISource(f"http://127.0.0.1:{upstream.port}", "named")
        async with aclosing(source.tokens(REQUEST)) as tokens:
            assert await anext(tokens) == Token("a")
            assert not upstream.left.is_set()
        async with asyncio.timeout(10):
            await upstream.left.wait()
        await source.close()


async def test_a_cancelled_reader_closes_the_request():
    async with Upstream(OK, chunk("a"), hold=True) as upstream:
        reading = asyncio.create_task(upstream.read())
        await upstream.asked.wait()
        reading.cancel()
        async with asyncio.timeout(10):
            await upstream.left.wait()
        with pytest.raises(asyncio.CancelledError):
            await reading


async def test_no_proxy_of_the_environment_is_asked(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with Upstream(OK, chunk("a", "stop")) as upstream:
        assert await upstream.read() == [Token("a", "stop")]
