"""Reading Anthropic's Messages API: recorded shapes of its stream over real sockets, its errors, and leaving it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import msgspec
import pytest

from rig import providers
from rig.serving import PATIENCE_S
from rig.upstream import OK, Upstream, refusal, said, stream
from sse_server.errors import ServerError
from sse_server.sources.anthropic import MAX_TOKENS, VERSION, AnthropicSource
from sse_server.sources.base import ChatMessage, ChatRequest, Token, Usage
from sse_server.sources.upstream import Patience
from sse_server.sources.upstream import Upstream as Provider
from sse_widget.protocol.backoff import Backoff

TURNS = (
    ChatMessage("system", "Be brief."),
    ChatMessage("user", "مرحبا"),
    ChatMessage("assistant", "أهلًا"),
    ChatMessage("user", "Go on."),
)
REQUEST = ChatRequest(TURNS, "any", temperature=0.5, seed=1)
KEY = "sk-ant-of-the-test-0123456789"
WHOLE = stream(providers.messages(providers.WORDS))
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


async def read(url, request=REQUEST, *, retries=0, **patience):
    source = source_at(url, retries=retries, **patience)
    try:
        return [token async for token in source.tokens(request)]
    finally:
        await source.close()


def source_at(url, *, retries=0, **patience):
    headers = {"x-api-key": KEY, "anthropic-version": VERSION}
    patience = Patience(retries=retries, backoff=Backoff(base_ms=0.0), **patience)
    return AnthropicSource(Provider(url, headers, patience, key=KEY, setting="ANTHROPIC_API_KEY"), "named")


async def test_what_anthropic_streams_is_read_with_its_usage():
    async with Upstream(said(OK, *WHOLE.splitlines(keepends=True))) as upstream:
        *tokens, last = await read(upstream.url)
    assert [token.text for token in tokens] == providers.WORDS
    assert last == Token("", "stop", Usage(1, len(providers.WORDS)))
    assert upstream.head.startswith("post /v1/messages ")
    assert f"x-api-key: {KEY}" in upstream.head
    assert f"anthropic-version: {VERSION}" in upstream.head
    assert upstream.body == {
        "model": "named",
        "max_tokens": MAX_TOKENS,
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": "مرحبا"},
            {"role": "assistant", "content": "أهلًا"},
            {"role": "user", "content": "Go on."},
        ],
        "stream": True,
        "temperature": 0.5,
    }


async def test_stop_sequences_go_to_the_model_but_none_of_mere_white_space_which_the_api_refuses():
    async with Upstream(said(OK, WHOLE)) as upstream:
        await read(upstream.url, msgspec.structs.replace(REQUEST, stop=("END", "\n\n")))
        assert upstream.body["stop_sequences"] == ["END"]
        await read(upstream.url, msgspec.structs.replace(REQUEST, stop=("\n\n",)))
        assert "stop_sequences" not in upstream.body


@pytest.mark.parametrize(
    ("reason", "means"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("refusal", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
    ],
)
async def test_its_reason_to_stop(reason, means):
    async with Upstream(said(OK, stream(providers.messages(["a"], reason)))) as upstream:
        assert (await read(upstream.url))[-1].finish == means


async def test_an_event_that_is_newer_than_this_code_is_passed_over():
    newer = stream([("new_thing", {"type": "new_thing", "delta": {"type": "new_delta", "what": 1}})])
    async with Upstream(said(OK, newer + WHOLE)) as upstream:
        assert "".join(token.text for token in await read(upstream.url)) == providers.TEXT


async def test_the_input_that_a_cache_has_read_counts():
    usage = {"input_tokens": 3, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 7, "output_tokens": 1}
    events = [
        ("message_start", {"type": "message_start", "message": {"usage": usage}}),
        (
            "message_delta",
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
        ),
        ("message_stop", {"type": "message_stop"}),
    ]
    async with Upstream(said(OK, stream(events))) as upstream:
        assert await read(upstream.url) == [Token("", "stop", Usage(110, 9))]


async def test_an_answer_that_is_cut_before_its_stop_reason_is_truncated():
    ends = [at + 2 for at in range(len(WHOLE)) if WHOLE[at : at + 2] == b"\n\n"]
    for at in [0, *ends[:-2], *range(5, ends[-3], 97)]:
        async with Upstream(said(OK, WHOLE[:at])) as upstream:
            with pytest.raises(ServerError) as raised:
                await read(upstream.url)
        assert raised.value.code == "upstream_truncated", at


@pytest.mark.parametrize(
    ("status", "kind", "words", "code", "says"),
    [
        ("401 No", "authentication_error", f"invalid x-api-key {KEY}", "upstream_unauthorized", "ANTHROPIC_API_KEY"),
        ("403 No", "permission_error", "not this model", "upstream_unauthorized", "not this model"),
        ("404 Not Found", "not_found_error", "model: named", "upstream_error", "model: named"),
        ("429 Slow down", "rate_limit_error", "too fast", "upstream_rate_limited", "in 30 seconds"),
        ("529 Overloaded", "overloaded_error", "Overloaded", "upstream_error", "HTTP 529 Overloaded"),
    ],
)
async def test_a_refusal_has_its_code(status, kind, words, code, says):
    body = {"type": "error", "error": {"type": kind, "message": words}}
    async with Upstream(refusal(status, body, "Retry-After: 30")) as upstream:
        with pytest.raises(ServerError) as raised:
            await read(upstream.url)
    assert raised.value.code == code
    assert says in raised.value.message
    assert KEY not in raised.value.message + raised.value.say("ar")


async def test_an_error_in_the_stream_is_an_error_and_is_asked_again_only_before_the_first_token():
    failed = stream([("error", OVERLOADED)])
    start = stream(list(providers.messages([]))[:1])
    async with Upstream(said(OK, start + failed), said(OK, WHOLE)) as upstream:
        assert (await read(upstream.url, retries=1))[-1].finish == "stop"
    begun = stream(list(providers.messages(["a"]))[:7])
    async with Upstream(said(OK, begun + failed)) as upstream:
        with pytest.raises(ServerError) as raised:
            await read(upstream.url, retries=3)
    assert len(upstream.requests) == 1
    assert (raised.value.code, raised.value.retryable) == ("upstream_error", True)
    assert "Overloaded" in raised.value.message


async def test_silence_is_a_timeout_and_pings_are_none():
    async with Upstream(said(OK, stream(list(providers.messages([]))[:6]), hold=True)) as upstream:
        with pytest.raises(ServerError) as raised:
            await read(upstream.url, idle_s=0.1)
    assert raised.value.code == "upstream_timeout"


async def test_leaving_closes_the_request():
    async with Upstream(said(OK, stream(list(providers.messages(["a", "b"]))[:7]), hold=True)) as upstream:
        source = source_at(upstream.url)
        async with aclosing(source.tokens(REQUEST)) as tokens:
            assert await anext(tokens) == Token("a")
        async with asyncio.timeout(PATIENCE_S):
            await upstream.left.wait()
        await source.close()
