"""Reading any OpenAI-compatible server: its answers, its errors, its silences, and leaving it."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

import msgspec
import pytest

from rig import providers
from rig.serving import PATIENCE_S
from rig.upstream import OK, Upstream, chunked, refusal, said, stream
from sse_server.errors import ServerError
from sse_server.sources.base import ChatMessage, ChatRequest, Token, Usage
from sse_server.sources.failure import ConnectionLostError, ContextExceededError
from sse_server.sources.openai import OpenAISource
from sse_server.sources.upstream import Patience, retry_after_s
from sse_server.sources.upstream import Upstream as Provider
from sse_widget.protocol.backoff import Backoff

REQUEST = ChatRequest((ChatMessage("system", "Be brief."), ChatMessage("user", "مرحبا")), "any", max_tokens=5)
KEY = "sk-of-the-test-0123456789"
AT_ONCE = Backoff(base_ms=0.0)
DONE = b"data: [DONE]\n\n"


def chunk(content=None, finish=None, **more):
    delta = {} if content is None else {"content": content}
    return b"data: " + json.dumps({"choices": [{"delta": delta, "finish_reason": finish}], **more}).encode() + b"\n\n"


def source_at(url, *, retries=0, options=None, **patience):
    headers = {"Authorization": f"Bearer {KEY}"}
    patience = Patience(retries=retries, backoff=AT_ONCE, **patience)
    upstream = Provider(f"{url}/v1", headers, patience, key=KEY, setting="OPENAI_API_KEY")
    return OpenAISource(upstream, "named", options=options)


async def read(url, request=REQUEST, **options):
    source = source_at(url, **options)
    try:
        return [token async for token in source.tokens(request)]
    finally:
        await source.close()


async def failure(*pieces, hold=False, **options):
    async with Upstream(said(*pieces, hold=hold)) as upstream:
        with pytest.raises(ServerError) as raised:
            await read(upstream.url, **options)
    return raised.value


async def failure_of(answer, **options):
    async with Upstream(answer) as upstream:
        with pytest.raises(ServerError) as raised:
            await read(upstream.url, **options)
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
    async with Upstream(said(*pieces, chunk(finish="stop"), DONE)) as upstream:
        tokens = await read(upstream.url)
    assert tokens == [Token("Hel"), Token("lo "), Token("س"), Token("", "stop")]
    assert upstream.head.startswith("post /v1/chat/completions ")
    assert f"authorization: bearer {KEY}" in upstream.head
    assert upstream.body == {
        "model": "named",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "مرحبا"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 5,
    }


async def test_what_openai_streams_is_read_with_its_usage():
    async with Upstream(said(OK, stream(providers.chat_completions(providers.WORDS)))) as upstream:
        *tokens, last = await read(upstream.url)
    assert [token.text for token in tokens] == providers.WORDS
    assert last == Token("", "stop", Usage(1, len(providers.WORDS)))


@pytest.mark.parametrize(("said_", "means"), [("stop", "stop"), ("length", "length"), ("tool_calls", "stop")])
async def test_its_reason_to_finish(said_, means):
    async with Upstream(said(OK, chunk("a", said_))) as upstream:
        assert await read(upstream.url) == [Token("a"), Token("", means)]


async def test_done_alone_is_an_end():
    async with Upstream(said(OK, chunk("a"), DONE, chunk("never"))) as upstream:
        assert await read(upstream.url) == [Token("a"), Token("", "stop")]


async def test_what_follows_the_end_is_waited_for_but_not_for_long(monkeypatch):
    monkeypatch.setattr("sse_server.sources.upstream.TAIL_S", 0.05)
    async with Upstream(said(OK, chunk("a", "stop"), hold=True)) as upstream:
        async with asyncio.timeout(PATIENCE_S):
            assert await read(upstream.url) == [Token("a"), Token("", "stop")]
            await upstream.left.wait()


async def test_options_are_sent_with_every_request():
    async with Upstream(said(OK, chunk("a", "stop"))) as upstream:
        await read(upstream.url, options={"return_progress": True})
    assert upstream.body["return_progress"] is True


async def test_runs_share_their_connections():
    async with Upstream(chunked(chunk("a", "stop") + DONE)) as upstream:
        source = source_at(upstream.url)
        for _ in range(5):
            assert [token.text async for token in source.tokens(REQUEST)] == ["a", ""]
        assert (len(upstream.requests), upstream.connections) == (5, 1)
        await source.close()


async def test_a_kept_connection_that_the_server_has_closed_costs_no_question_and_no_time():
    answers = [chunked(chunk("a", "stop") + DONE), said()]
    async with Upstream(answers[0], answers[1], answers[0]) as upstream:
        source = source_at(upstream.url, retries=1)
        source.upstream._patience = Patience(retries=1, backoff=Backoff(floor_ms=60_000.0))
        for _ in range(2):
            async with asyncio.timeout(PATIENCE_S):
                assert [token.text async for token in source.tokens(REQUEST)] == ["a", ""]
        assert len(upstream.requests) == 3
        await source.close()


@pytest.mark.parametrize(
    ("words", "gone", "there"),
    [
        ("Unrecognized request argument supplied: stream_options", "stream_options", "max_tokens"),
        ("'max_tokens' is not supported. Use 'max_completion_tokens' instead.", "max_tokens", "max_completion_tokens"),
    ],
)
async def test_a_name_that_the_server_does_not_know_is_changed_once_for_all(words, gone, there):
    no = refusal("400 Bad Request", {"error": {"message": words}})
    async with Upstream(no, said(OK, chunk("a", "stop"))) as upstream:
        source = source_at(upstream.url)
        for _ in range(2):
            assert [token.text async for token in source.tokens(REQUEST)] == ["a", ""]
            assert gone not in upstream.body
            assert there in upstream.body
        assert len(upstream.requests) == 3
        await source.close()


async def test_stop_sequences_go_to_the_model_unless_it_takes_none():
    request = msgspec.structs.replace(REQUEST, stop=("END", "\n\n"))
    no = refusal("400 Bad Request", {"error": {"message": "Unsupported parameter: 'stop' is not supported."}})
    answer = said(OK, chunk("a", "stop"))
    async with Upstream(answer, no, answer) as upstream:
        source = source_at(upstream.url)
        assert [token.text async for token in source.tokens(request)] == ["a", ""]
        assert upstream.body["stop"] == ["END", "\n\n"]
        for _ in range(2):
            assert [token.text async for token in source.tokens(request)] == ["a", ""]
            assert "stop" not in upstream.body
        assert len(upstream.requests) == 4
        await source.close()


async def test_an_error_that_speaks_of_a_stop_is_passed_on_once_the_answer_has_begun():
    request = msgspec.structs.replace(REQUEST, stop=("END",))
    broken = b'data: {"error": {"message": "the stop came too late"}}\n\n'
    async with Upstream(said(OK, chunk("a"), broken)) as upstream:
        with pytest.raises(ServerError, match="the stop came too late"):
            await read(upstream.url, request)
    assert len(upstream.requests) == 1


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
    ("status", "body", "says", "code"),
    [
        ("400 Bad Request", {"error": {"message": "no such thing"}}, "HTTP 400 no such thing", "upstream_error"),
        ("404 Not Found", {"error": {"message": "no model named"}}, "HTTP 404 no model named", "upstream_error"),
        ("500 Oh", b"<html>" + b"x" * 5000, "HTTP 500 <html>xxx", "upstream_error"),
        ("502 Bad Gateway", b"", "HTTP 502", "upstream_error"),
        ("503 Busy", {"error": "a text"}, "HTTP 503 a text", "upstream_error"),
        ("422 Unprocessable", {"detail": "in another shape"}, "HTTP 422 in another shape", "upstream_error"),
        ("418 Teapot", b"\xff\xfe", "HTTP 418", "upstream_error"),
        ("302 Found\r\nLocation: http://127.0.0.1:1/", b"", "HTTP 302", "upstream_error"),
        ("401 No", {"error": {"message": f"Incorrect API key: {KEY}"}}, "OPENAI_API_KEY", "upstream_unauthorized"),
        ("403 No", {"error": {"message": f"{KEY} is blocked"}}, "OPENAI_API_KEY", "upstream_unauthorized"),
        ("429 Slow down", {"error": {"message": "quota"}}, "Try again later", "upstream_rate_limited"),
        ("500 Oh", {"error": {"message": f"crashed at {KEY}!"}}, "crashed at …!", "upstream_error"),
        ("500 Oh", {"error": {"message": "key sk-another-9876543"}}, "key sk-…", "upstream_error"),
    ],
)
async def test_a_refusal_has_its_code_and_the_upstreams_words_but_never_the_key(status, body, says, code, caplog):
    error = await failure_of(refusal(status, body))
    assert error.code == code
    assert error.retryable == (code != "upstream_unauthorized")
    assert says in error.message
    assert len(error.message) < 500
    assert KEY not in error.message + error.say("ar") + caplog.text


@pytest.mark.parametrize("words", ["This model's maximum context length is 8192", "prompt is too long: 9 > 8"])
async def test_a_question_beyond_the_context_is_an_error_of_its_own(words):
    error = await failure_of(refusal("400 Bad Request", {"error": {"message": words}}))
    assert isinstance(error, ContextExceededError)
    assert words in error.message


async def test_an_answer_that_is_no_stream_is_an_error_that_says_so():
    page = refusal("200 OK", b"<title>a portal</title>", "Content-Type: text/html")
    error = await failure_of(page)
    assert error.code == "upstream_error"
    assert "text/html" in error.message
    assert "a portal" in error.message


@pytest.mark.parametrize(
    ("after", "want_s"), [("7", 7), ("Wed, 21 Oct 2015 07:28:30 GMT", 30), ("soon", None), ("", None), ("-1", None)]
)
def test_retry_after_is_seconds_or_a_date(after, want_s):
    assert retry_after_s(after, 1445412480.0) == want_s


async def test_a_long_retry_after_is_passed_on_at_once():
    async with Upstream(refusal("429 Slow down", b"", "Retry-After: 3600")) as upstream:
        with pytest.raises(ServerError) as raised:
            await read(upstream.url, retries=3)
    error = raised.value
    assert (len(upstream.requests), error.retry_after_s) == (1, 3600)
    assert "in 3600 seconds" in error.message
    assert "3600" in error.say("ar")
    assert error.event("en").retry_after_s == 3600


@pytest.mark.parametrize(
    "first",
    [
        refusal("429 Slow down", b"", "Retry-After: 0"),
        refusal("503 Busy"),
        refusal("529 Overloaded"),
        said(),
        said(OK),
        said(OK[:30]),
        said(OK, b'data: {"error": {"message": "out of memory", "code": 500}}\n\n'),
    ],
    ids=["429", "503", "529", "no head", "no body", "half a head", "an error instead of the first token"],
)
async def test_what_may_pass_is_asked_again_before_the_first_token(first):
    async with Upstream(first, first, said(OK, chunk("a", "stop"))) as upstream:
        assert await read(upstream.url, retries=2) == [Token("a"), Token("", "stop")]
    async with Upstream(first, first, said(OK, chunk("a", "stop"))) as upstream:
        with pytest.raises(ServerError, match=r".+"):
            await read(upstream.url, retries=1)
    assert len(upstream.requests) == 2


@pytest.mark.parametrize(
    "first",
    [
        refusal("400 Bad Request"),
        refusal("401 No"),
        said(OK, chunk("a")),
        said(OK, chunk("a"), b'data: {"error": {"message": "out of memory", "code": 500}}\n\n'),
        said(OK, b"data: nonsense\n\n"),
    ],
    ids=["400", "401", "cut after a token", "an error after a token", "nonsense"],
)
async def test_what_will_not_pass_or_has_begun_is_not_asked_again(first):
    async with Upstream(first) as upstream:
        with pytest.raises(ServerError):
            await read(upstream.url, retries=3)
    assert len(upstream.requests) == 1


async def test_retry_after_is_honoured():
    async with Upstream(refusal("429 Slow down", b"", "Retry-After: 1"), said(OK, chunk("a", "stop"))) as upstream:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await read(upstream.url, retries=1)
        assert loop.time() - began_s >= 1


async def test_leaving_between_two_attempts_ends_them():
    async with Upstream(refusal("429 Slow down", b"", "Retry-After: 20")) as upstream:
        reading = asyncio.create_task(read(upstream.url, retries=1))
        await upstream.asked.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'data: {"error": {"message": "out of memory"}}\n\n', "out of memory"),
        (b'data: {"error": "a text alone"}\n\n', "a text alone"),
        (b'data: {"error": {}}\n\n', "did not say why"),
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
    async with Upstream(said()) as upstream:
        port = upstream.port
    source = source_at(f"http://127.0.0.1:{port}")
    with pytest.raises(ConnectionLostError) as raised:
        await anext(source.tokens(REQUEST))
    assert raised.value.code == "upstream_error"
    await source.close()


@pytest.mark.parametrize("pieces", [[], [OK], [OK, chunk("a")]], ids=["head", "first token", "next token"])
async def test_silence_is_a_timeout(pieces):
    error = await failure(*pieces, hold=True, idle_s=0.1)
    assert (error.code, error.retryable) == ("upstream_timeout", True)


async def test_leaving_closes_the_request():
    async with Upstream(said(OK, chunk("a"), hold=True)) as upstream:
        source = source_at(upstream.url)
        async with aclosing(source.tokens(REQUEST)) as tokens:
            assert await anext(tokens) == Token("a")
            assert not upstream.left.is_set()
        async with asyncio.timeout(PATIENCE_S):
            await upstream.left.wait()
        await source.close()


async def test_a_cancelled_reader_closes_the_request():
    async with Upstream(said(OK, chunk("a"), hold=True)) as upstream:
        reading = asyncio.create_task(read(upstream.url))
        await upstream.asked.wait()
        reading.cancel()
        async with asyncio.timeout(PATIENCE_S):
            await upstream.left.wait()
        with pytest.raises(asyncio.CancelledError):
            await reading


async def test_no_proxy_of_the_environment_is_asked(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with Upstream(said(OK, chunk("a", "stop"))) as upstream:
        assert await read(upstream.url) == [Token("a"), Token("", "stop")]
