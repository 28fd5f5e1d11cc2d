"""The client against servers that say exactly these bytes: real sockets, scripted answers."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from email.utils import formatdate

import pytest

from sse_widget.client import StreamClient
from sse_widget.connection import retry_after_ms
from sse_widget.errors import (
    ConnectError,
    IdleTimeout,
    LimitExceeded,
    LogTrimmed,
    PayloadError,
    RemoteError,
    WrongContentType,
)
from sse_widget.protocol.actions import Reset
from sse_widget.protocol.backoff import Backoff
from sse_widget.protocol.checksum import Checksum
from sse_widget.protocol.events import Delta, Done, Hello, dump
from sse_widget.protocol.sse import Event, encode

ID = "0123456789abcdef" * 2
AT_ONCE = Backoff(base_ms=0.0)
STREAM_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
PIECES = ["Hello, ", "مرحبا ", "👩‍👩‍👧‍👦 ", "你好\n", "end"]


class Script:
    """Answers one connection after the other with the bytes that are next; the last answer stays."""

    def __init__(self, answers):
        self.answers = list(answers)
        self.requests = []
        self.tasks = []
        self.url = ""

    async def serve(self, reader, writer):
        self.tasks.append(asyncio.current_task())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append((first.rpartition(" ")[0], headers, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        try:
            if callable(answer):
                await answer(writer)
            else:
                writer.write(answer if isinstance(answer, bytes) else answer.encode())
                await writer.drain()
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def scripted(*answers, **settings):
    script = Script(answers)
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    script.client = StreamClient(script.url, backoff=AT_ONCE, unit_random=lambda: 0.0, **settings)
    try:
        yield script
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.gather(*script.tasks, return_exceptions=True)


def hello(after=0, **fields):
    told = {"stream_id": ID, "heartbeat_s": 20.0, "gap": False, **fields}
    data = dump(Hello(0.0, "m", told["stream_id"], "", after > 0, after, told["gap"], told["heartbeat_s"], "n"))
    return encode(Event("hello", data, f"{ID}:{after}"))


def ending(text, reason="stop"):
    checksum = Checksum()
    checksum.add(text)
    return Done(reason, 1, checksum.chars, checksum.crc32)


def log(pieces=PIECES, done=None):
    """The events of a whole stream, as bytes, seq 1 first."""
    messages = [("delta", Delta(piece)) for piece in pieces] + [("done", done or ending("".join(pieces)))]
    return [encode(Event(name, dump(data), f"{ID}:{seq}")) for seq, (name, data) in enumerate(messages, 1)]


def whole(after=0):
    return STREAM_HEAD.encode() + hello(after) + b"".join(log()[after:])


async def read(stream):
    text = ""
    async for message in stream:
        if isinstance(message, Reset):
            text = ""
        elif isinstance(message, Delta):
            text += message.text
    return text


async def test_a_question_is_posted_and_its_answer_read():
    async with scripted(whole(), token="secret") as script:
        stream = script.client.chat("hi", max_tokens=5, heartbeat_s=3)
        messages = [message async for message in stream]
    ((line, headers, body),) = script.requests
    assert line == "POST /api/v1/stream/chat?heartbeat_s=3"
    assert json.loads(body) == {"q": "hi", "max_tokens": 5}
    assert headers["accept"] == "text/event-stream"
    assert headers["cache-control"] == "no-store"
    assert headers["authorization"] == "Bearer secret"
    assert len(headers["idempotency-key"]) == 32
    assert "x-sse-reconnect" not in headers
    assert [type(message).__name__ for message in messages] == ["Hello", *["Delta"] * len(PIECES), "Done"]
    assert (stream.state, stream.error, stream.stream_id) == ("done", None, ID)
    assert stream.last_event_id == f"{ID}:{len(PIECES) + 1}"


async def test_cut_before_the_answer_repeats_the_question_with_its_key():
    async with scripted(b"", whole()) as script:
        assert await read(script.client.chat("hi")) == "".join(PIECES)
    first, second = script.requests
    assert first[0] == second[0] == "POST /api/v1/stream/chat"
    assert first[1]["idempotency-key"] == second[1]["idempotency-key"]
    assert second[1]["x-sse-reconnect"] == "connection=2; reason=network"


async def test_cut_anywhere_ends_whole_and_never_asks_with_another_key():
    greeted = len(STREAM_HEAD.encode() + hello())
    for cut in range(1, len(whole()), 7):
        held = [greeted + len(b"".join(log()[:seq])) for seq in range(len(log()))]
        after = sum(size <= cut for size in held[1:])
        async with scripted(whole()[:cut], whole(after)) as script:
            stream = script.client.chat("hi", heartbeat_s=3)
            assert await read(stream) == "".join(PIECES)
            assert stream.state == "done"
        (_, first, _), (line, again, body) = script.requests
        assert again["x-sse-reconnect"].startswith("connection=2; reason=")
        if cut < greeted:
            assert line == "POST /api/v1/stream/chat?heartbeat_s=3"
            assert again["idempotency-key"] == first["idempotency-key"]
        else:
            assert line == f"GET /api/v1/stream/runs/{ID}?heartbeat_s=3"
            assert body == b""
            assert again.get("last-event-id") == (f"{ID}:{after}" if after else None)


async def test_attach_says_where_to_go_on():
    async with scripted(whole(2)) as script:
        assert await read(script.client.attach(ID, after=2)) == "".join(PIECES[2:])
    assert script.requests[0][0] == f"GET /api/v1/stream/runs/{ID}"
    assert script.requests[0][1]["last-event-id"] == f"{ID}:2"


async def test_attach_with_a_snapshot_jumps_over_what_it_holds():
    snapshot = encode(Event("delta", dump(Delta("".join(PIECES[:3]))), f"{ID}:3"))
    answer = STREAM_HEAD.encode() + hello() + snapshot + b"".join(log()[3:])
    async with scripted(answer) as script:
        assert await read(script.client.attach(ID, snapshot=True)) == "".join(PIECES)
    assert script.requests[0][0] == f"GET /api/v1/stream/runs/{ID}?snapshot=1"
    assert "last-event-id" not in script.requests[0][1]


async def test_text_that_does_not_match_is_read_once_more_then_refused():
    wrong = STREAM_HEAD.encode() + hello() + b"".join(log(done=ending("something else")))
    async with scripted(wrong, whole()) as script:
        stream = script.client.chat("hi")
        messages = [message async for message in stream]
        assert messages.count(Reset()) == 1
        assert stream.state == "done"
    async with scripted(wrong) as script:
        stream = script.client.chat("hi")
        await read(stream)
    assert (stream.state, stream.error.code) == ("error", "payload_mismatch")
    assert isinstance(stream.error, PayloadError)


async def test_events_that_are_gone_end_in_gap():
    async with scripted(STREAM_HEAD.encode() + hello(gap=True)) as script:
        stream = script.client.attach(ID, after=1)
        await read(stream)
    assert stream.state == "gap"
    assert isinstance(stream.error, LogTrimmed)


def refusal(status, data, kind="text/event-stream", **headers):
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} No\r\nContent-Type: {kind}\r\nConnection: close\r\n{fields}\r\n{data}"


@pytest.mark.parametrize(
    ("answer", "kind", "code", "message"),
    [
        (
            refusal(400, 'event: error\ndata: {"message": "Ask!", "code": "question_required"}\n\n'),
            RemoteError,
            "question_required",
            "Ask!",
        ),
        (
            refusal(404, '{"code": "not_found", "detail": "No such run", "status": 404}', "application/problem+json"),
            RemoteError,
            "not_found",
            "No such run",
        ),
        (
            refusal(418, "<html>teapot" * 100_000, "text/html"),
            ConnectError,
            "connect_failed",
            "the server answered 418",
        ),
        (
            refusal(403, 'event: error\ndata: {"message": "Slowly!", "code": "not_now"}'),
            RemoteError,
            "not_now",
            "Slowly!",
        ),
        (
            refusal(400, 'event: error\ndata: {"message": "Ask!", "code": "question_required"}\n', Content_Length=99),
            RemoteError,
            "question_required",
            "Ask!",
        ),
        (refusal(403, "event: error\ndata: not json\n\n"), ConnectError, "connect_failed", "the server answered 403"),
        (
            "HTTP/1.1 400 No\r\nContent-Type: text/event-stream\r\nContent-Length: 99\r\n\r\nevent: er",
            ConnectError,
            "connect_failed",
            "the server answered 400",
        ),
        (STREAM_HEAD.replace("event-stream", "html"), WrongContentType, "wrong_content_type", None),
    ],
)
async def test_a_refusal_is_final_and_says_why(answer, kind, code, message):
    async with scripted(answer) as script:
        stream = script.client.chat("hi")
        assert [message async for message in stream] == []
    assert len(script.requests) == 1
    assert stream.state == "error"
    assert type(stream.error) is kind
    assert stream.error.code == code
    assert message is None or stream.error.message == message


async def test_a_busy_server_is_asked_again_when_it_says():
    async with scripted(
        refusal(503, "", Retry_After="0"), refusal(429, "", Retry_After=formatdate(0)), whole()
    ) as script:
        waits = []
        stream = script.client.chat("hi").on_status(lambda status: waits.append(status.reason))
        assert await read(stream) == "".join(PIECES)
    assert [reason for reason in waits if reason.startswith("http")] == ["http_503"] * 2 + ["http_429"] * 2


def test_retry_after_is_seconds_or_a_date():
    assert retry_after_ms("120", 0.0) == 120_000.0
    assert retry_after_ms("Thu, 01 Jan 1970 00:01:00 GMT", 30.0) == 30_000.0
    assert retry_after_ms("Thu, 01 Jan 1970 00:01:00 GMT", 90.0) == 0.0
    assert retry_after_ms("soon", 0.0) is None
    assert retry_after_ms("", 0.0) is None
    assert retry_after_ms("-1", 0.0) is None


@pytest.mark.parametrize(
    "location",
    [
        "",
        "Location: \r\n",
        "Location: ftp://127.0.0.1/\r\n",
        "Location: http://[x/\r\n",
        "Location: http://127.0.0.1:99999/\r\n",
    ],
)
async def test_a_redirect_to_nowhere_is_a_connect_error(location):
    async with scripted(f"HTTP/1.1 307 Away\r\nContent-Length: 0\r\n{location}\r\n") as script:
        stream = script.client.chat("hi")
        await read(stream)
    assert len(script.requests) == 1
    assert stream.state == "error"
    assert type(stream.error) is ConnectError


async def test_redirects_are_followed_and_the_body_goes_along():
    away = f"HTTP/1.1 308 Away\r\nContent-Length: 0\r\nLocation: /api/v1/stream/runs/{ID}\r\nConnection: close\r\n\r\n"
    async with scripted(away, whole()) as script:
        assert await read(script.client.chat("hi")) == "".join(PIECES)
    assert script.requests[1][0] == f"POST /api/v1/stream/runs/{ID}"
    assert json.loads(script.requests[1][2]) == {"q": "hi"}


async def test_redirects_in_a_circle_end():
    async with scripted("HTTP/1.1 307 Away\r\nContent-Length: 0\r\nLocation: /\r\nConnection: close\r\n\r\n") as script:
        stream = script.client.chat("hi")
        await read(stream)
    assert (stream.state, type(stream.error)) == ("error", ConnectError)


async def test_silence_is_noticed_and_the_reader_comes_back():
    gone = asyncio.Event()

    async def silent(writer):
        writer.write(STREAM_HEAD.encode() + hello(heartbeat_s=0.1) + log()[0])
        await writer.drain()
        await gone.wait()

    async with scripted(silent, whole(1), heartbeat_timeout_s=0.3) as script:
        stream = script.client.chat("hi")
        assert await read(stream) == "".join(PIECES)
        gone.set()
    assert script.requests[1][1]["x-sse-reconnect"] == "connection=2; reason=idle"


async def test_silence_for_good_is_interrupted_with_its_cause():
    gone = asyncio.Event()

    async def silent(writer):
        writer.write(STREAM_HEAD.encode())
        await writer.drain()
        await gone.wait()

    async with scripted(silent, heartbeat_timeout_s=0.2, max_attempts=2) as script:
        stream = script.client.attach(ID)
        await read(stream)
        gone.set()
    assert len(script.requests) == 3
    assert (stream.state, stream.error.code) == ("interrupted", "connect_failed")
    assert isinstance(stream.error.__cause__, IdleTimeout)


async def test_a_slow_consumer_is_no_silence_of_the_server():
    async with scripted(whole(), heartbeat_timeout_s=0.25) as script:
        stream = script.client.chat("hi")
        async for message in stream:
            if isinstance(message, Hello):
                await asyncio.sleep(0.6)  # the consumer's own business, longer than the watchdog
    assert stream.state == "done"
    assert len(script.requests) == 1


async def test_nobody_there_is_interrupted():
    async with scripted(b"") as script:
        url = script.url
    stream = StreamClient(url, max_attempts=1, backoff=AT_ONCE).chat("hi")
    assert await read(stream) == ""
    assert (stream.state, stream.error.code, stream.error.status) == ("interrupted", "connect_failed", None)
    assert url in stream.error.message


async def test_an_event_over_the_limit_ends_the_stream():
    async with scripted(whole(), max_event_bytes=40) as script:
        stream = script.client.chat("hi")
        await read(stream)
    assert stream.state == "error"
    assert isinstance(stream.error, LimitExceeded)


async def test_restart_resumes_at_once():
    gone = asyncio.Event()

    async def held(writer):
        writer.write(STREAM_HEAD.encode() + hello() + log()[0])
        await writer.drain()
        await gone.wait()

    async with scripted(held, whole(1)) as script:
        stream = script.client.chat("hi")
        text = ""
        async for message in stream:
            if isinstance(message, Delta):
                text += message.text
                if text == PIECES[0]:
                    asyncio.get_running_loop().call_soon(stream.restart)
        gone.set()
    assert text == "".join(PIECES)
    assert script.requests[1][1]["x-sse-reconnect"] == "connection=2; reason=restart"


async def test_disconnect_leaves():
    gone = asyncio.Event()

    async def held(writer):
        writer.write(STREAM_HEAD.encode() + hello())
        await writer.drain()
        await gone.wait()

    async with scripted(held) as script:
        stream = script.client.chat("hi")
        async for _ in stream:
            asyncio.get_running_loop().call_soon(stream.disconnect)
        gone.set()
    assert (stream.state, stream.error) == ("closed", None)


async def test_a_loop_that_breaks_is_gone_on_with():
    async with scripted(whole(), whole(1)) as script:
        stream = script.client.chat("hi")
        async for message in stream:
            if isinstance(message, Delta):
                break
        assert stream.state is None
        assert message.text + await read(stream) == "".join(PIECES)


async def test_any_sse_server_can_be_read():
    first = f"{STREAM_HEAD}retry: 1\nid: a\ndata: one\n\n: a comment\nevent: news\ndata: two\n\n"
    second = f"{STREAM_HEAD}id: b\ndata: three\n\n"
    async with scripted(first, second, "HTTP/1.1 204 No\r\n\r\n", token="secret") as script:
        stream = script.client.stream("get", "/feed?x=1", headers={"X-Mine": "1"})
        events = [message async for message in stream]
    assert events == [Event("message", "one", "a"), Event("news", "two", "a"), Event("message", "three", "b")]
    assert stream.state == "done"
    assert [line for line, _, _ in script.requests] == ["GET /feed?x=1"] * 3
    assert [headers.get("last-event-id") for _, headers, _ in script.requests] == [None, "a", "b"]
    assert {headers["x-mine"] for _, headers, _ in script.requests} == {"1"}
    assert {headers["authorization"] for _, headers, _ in script.requests} == {"Bearer secret"}


async def test_the_post_of_another_server_is_sent_once_and_its_end_is_the_end():
    async with scripted(f"{STREAM_HEAD}data: one\n\n", token="secret") as script:
        elsewhere = StreamClient("http://127.0.0.1:1", token="secret", backoff=AT_ONCE)
        stream = elsewhere.stream("POST", f"{script.url}/v1/completions", content=b"{}")
        assert [event.data async for event in stream] == ["one"]
    assert stream.state == "done"
    assert len(script.requests) == 1
    assert "authorization" not in script.requests[0][1]


async def test_create_repeats_a_lost_answer_once_with_the_same_key():
    created = json.dumps({"stream_id": ID, "url": f"/api/v1/stream/runs/{ID}", "ticket": "t"})
    answer = f"HTTP/1.1 201 Made\r\nContent-Type: application/json\r\nContent-Length: {len(created)}\r\n\r\n{created}"
    async with scripted(b"", answer) as script:
        made = await script.client.create("hi", seed=1)
    assert (made.stream_id, made.ticket) == (ID, "t")
    first, second = script.requests
    assert first == second
    assert first[1]["accept"] == "application/json"
    async with scripted(b"") as script:
        with pytest.raises(ConnectError):
            await script.client.create("hi")
    assert len(script.requests) == 2
    async with scripted("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]") as script:
        with pytest.raises(ConnectError, match="does not answer as this server does"):
            await script.client.create("hi")


def test_no_secret_is_shown():
    assert "secret" not in repr(StreamClient("http://127.0.0.1:1", token="secret"))


def created(kind, body, status=201):
    return f"HTTP/1.1 {status} Made\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}"


async def test_a_get_of_our_own_that_is_sent_again_is_the_same_run():
    async with scripted(STREAM_HEAD, whole(), token="secret") as script:
        stream = script.client.stream("GET", "/api/v1/stream/chat?q=hi")
        assert await read(stream) == "".join(PIECES)
    first, second = [headers.get("idempotency-key", "") for _, headers, _ in script.requests]
    assert first == second
    assert len(first) == 32


@pytest.mark.parametrize(
    ("url", "headers", "key"),
    [
        ("/api/v1/stream/chat?q=hi&key=mine", {}, None),
        ("/api/v1/stream/chat?q=hi", {"idempotency-Key": "mine"}, "mine"),
    ],
)
async def test_a_key_that_was_given_stays(url, headers, key):
    async with scripted(whole()) as script:
        await read(script.client.stream("GET", url, headers=headers))
    assert script.requests[0][1].get("idempotency-key") == key


async def test_another_server_gets_no_key_that_nobody_asked_for():
    async with scripted(whole()) as script:
        await read(StreamClient("http://127.0.0.1:1").stream("GET", f"{script.url}/api/v1/stream/chat?q=hi"))
    assert "idempotency-key" not in script.requests[0][1]


async def test_a_post_to_our_own_route_is_repeated_with_its_key():
    async with scripted(STREAM_HEAD, whole()) as script:
        stream = script.client.stream("POST", "/api/v1/stream/chat", content=b'{"q": "hi"}')
        assert await read(stream) == "".join(PIECES)
    assert stream.state == "done"
    first, second = script.requests
    assert first[1]["idempotency-key"] == second[1]["idempotency-key"]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("localhost:8765", "'localhost:8765' must begin with http:// or https://; write it like"),
        ("not a url", "must begin with http"),
        ("", "must begin with http"),
        ("ftp://127.0.0.1", "must begin with http"),
        ("http://127.0.0.1:99999", "Port out of range"),
        ("http://127.0.0.1:port", "Port could not be cast"),
        ("http://127.0.0.1:0", "no port to connect to"),
        ("http://[x", "Invalid IPv6 URL"),
        ("http:///path", "has no host"),
        ("http://127.0.0.1:1/?token=secret", "a token goes into token="),
        ("http://me:secret@127.0.0.1:99999", "'http://127.0.0.1:99999' cannot be used"),
    ],
)
def test_a_url_that_is_none_is_a_connect_error_that_says_so(url, says):
    with pytest.raises(ConnectError, match=says) as caught:
        StreamClient(url)
    assert type(caught.value) is ConnectError
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "http://127.0.0.1:99999", "http://[x", "//127.0.0.1:0/x"])
def test_a_stream_of_a_url_that_is_none_is_a_connect_error(url):
    with pytest.raises(ConnectError, match="the URL"):
        StreamClient("http://127.0.0.1:1").stream("GET", url)


@pytest.mark.parametrize("token", ["né", "sécret\n", "secret\n", "two secrets", "سر"])
def test_a_token_that_no_header_carries_is_a_connect_error_without_it(token):
    with pytest.raises(ConnectError, match="copy it again") as caught:
        StreamClient("http://127.0.0.1:1", token=token)
    assert token not in str(caught.value)
    assert "cret" not in str(caught.value)


async def test_what_no_header_carries_ends_the_stream_in_a_connect_error():
    async with scripted(whole()) as script:
        for stream in (
            script.client.chat("hi", key="مفتاح"),
            script.client.stream("GET", "/x", headers={"X-Mine": "é"}),
            StreamClient(script.url, lang="عربي").chat("hi"),
            StreamClient(f"http://{'a' * 70}.invalid", max_attempts=0).chat("hi"),
        ):
            assert await read(stream) == ""
            assert type(stream.error) is ConnectError
        assert script.requests == []


async def test_a_page_that_answers_create_is_named():
    async with scripted(created("text/html; charset=utf-8", "<html>login</html>", 200)) as script:
        for ask in (lambda: script.client.create("hi"), script.client.health):
            with pytest.raises(WrongContentType, match="expected JSON, got text/html"):
                await ask()
    async with scripted(created("application/json", "<html>", 200)) as script:
        with pytest.raises(ConnectError, match="does not answer as this server does"):
            await script.client.health()


async def test_what_is_raised_is_a_plain_connect_error_with_its_cause():
    async with scripted(b"") as script:
        for ask in (lambda: script.client.create("hi"), lambda: script.client.stop(ID), script.client.health):
            with pytest.raises(ConnectError) as caught:
                await ask()
            assert type(caught.value) is ConnectError
            assert caught.value.__cause__.__cause__ is not None
        stream = StreamClient(script.url, reconnect=False).chat("hi")
        await read(stream)
    assert type(stream.error) is ConnectError
    assert stream.error.__cause__ is not None
