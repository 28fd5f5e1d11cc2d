"""`/v1`: OpenAI's own clients, LangChain, the client and the load of this project against the real server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import openai
import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, convert_to_openai_messages
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompts import ChatPromptTemplate

import sse_widget as sw
from rig.serving import CHAT, PATIENCE_S, RUNS, text_of
from sse_server.errors import ServerError
from sse_server.sources.failure import rate_limited
from sse_widget.load.target import Target
from sse_widget.protocol.sse import Parser

MODEL = "synthetic:tokens=7,rate=0"
ASK = [{"role": "user", "content": "What is a stream?"}]
COMPLETIONS = "/v1/chat/completions"


def client_of(served, **settings):
    return openai.AsyncOpenAI(base_url=f"{served.url}/v1", **{"api_key": "none", "max_retries": 0, **settings})


@pytest.fixture
async def ask(serve):
    """A server and an asynchronous client of it."""
    served = await serve()
    async with client_of(served) as client:
        yield served, client


def contents(chunks):
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


async def spoken(served, question="hi", model=MODEL):
    """Return the text that our own route gives to the same question."""
    return text_of(await served.events("POST", CHAT, json={"q": question, "model": model}))


async def test_an_asynchronous_stream(ask):
    served, client = ask
    stream = await client.chat.completions.create(
        model=MODEL, messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    stream_id = stream.response.headers["x-stream-id"]
    chunks = [chunk async for chunk in stream]
    assert contents(chunks) == await spoken(served)
    assert {chunk.id for chunk in chunks} == {f"chatcmpl-{stream_id}"}
    assert {(chunk.object, chunk.model) for chunk in chunks} == {("chat.completion.chunk", MODEL)}
    assert [chunk.choices[0].delta.role for chunk in chunks[:2]] == ["assistant", None]
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == ["stop"]
    assert (chunks[-1].choices, chunks[-1].usage.completion_tokens, chunks[-1].usage.total_tokens) == ([], 7, 7)
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len(chunks) == 1 + 7 + 1 + 1


async def test_a_synchronous_client(serve):
    served = await serve()

    def blocking():
        with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as client:
            with client.chat.completions.create(model=MODEL, messages=ASK, stream=True) as stream:
                streamed = list(stream)
            whole = client.chat.completions.create(model=MODEL, messages=ASK)
            with client.chat.completions.stream(model=MODEL, messages=ASK) as told:
                told.until_done()
                return streamed, whole, told.get_final_completion(), [model.id for model in client.models.list()]

    streamed, whole, told, models = await asyncio.to_thread(blocking)
    expected = await spoken(served)
    assert contents(streamed) == whole.choices[0].message.content == told.choices[0].message.content == expected
    assert all(chunk.usage is None for chunk in streamed)
    assert (whole.object, whole.choices[0].finish_reason, whole.usage.completion_tokens) == (
        "chat.completion",
        "stop",
        7,
    )
    assert models[0] == "synthetic:tokens=20,rate=0"


async def test_the_bytes_of_a_stream(ask):
    served, _ = ask
    answer = await served.client.post(COMPLETIONS, json={"messages": ASK, "stream": True})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache, no-transform", "no")
    events = Parser().feed(answer.content)
    assert {(event.event, event.id) for event in events} == {("message", "")}
    assert events[-1].data == "[DONE]"
    first, *_, last = (json.loads(event.data) for event in events[:-1])
    assert first["choices"] == [
        {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
    ]
    assert last["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]
    assert "usage" not in first
    assert "usage" not in last


async def test_silence_is_filled_with_comments_that_a_client_skips(serve, gated):
    source = gated()
    served = await serve(sources={"slow": source}, heartbeat_s=0.05)
    raw = await served.wire()
    body = json.dumps({"model": "slow", "messages": ASK, "stream": True}).encode()
    key = {"Idempotency_Key": "one"}
    await raw.ask("POST", COMPLETIONS, body, **key)
    assert (await raw.head())[0] == 200
    assert b"data" not in await raw.read_until(b": ping\n\n")
    await raw.cut()
    await served.until_idle()
    pings = served.server.services.counters.as_dict()["pings"]
    async with client_of(served) as client:
        stream = await client.chat.completions.create(
            model="slow", messages=ASK, stream=True, extra_headers={"Idempotency-Key": "one"}
        )
        await served.until(lambda: served.server.services.counters.as_dict()["pings"] > pings)
        source.say("yes")
        source.finish()
        assert contents([chunk async for chunk in stream]) == "yes"


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
async def test_options_reach_the_model(serve, gated, limit):
    source = gated()
    served = await serve(sources={"slow": source})
    source.finish("length")
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is "}, {"type": "text", "text": "SSE?"}]},
    ]
    async with client_of(served) as client:
        answer = await client.chat.completions.create(
            model="slow", messages=messages, temperature=0.5, seed=3, user="u", top_p=0.9, n=1, **{limit: 5}
        )
    (request,) = source.requests
    assert [(message.role, message.content) for message in request.messages] == [
        ("system", "Be brief."),
        ("user", "What is SSE?"),
    ]
    assert (request.max_tokens, request.temperature, request.seed) == (5, 0.5, 3)
    assert (answer.choices[0].finish_reason, answer.choices[0].message.content) == ("length", "")


async def test_an_answer_ends_before_a_stop_sequence(serve, gated):
    source = gated()
    served = await serve(sources={"slow": source})
    source.say("one, ", "two E", "N", "Z, three EN", "D four", "five")
    async with client_of(served) as client:
        answer = await client.chat.completions.create(model="slow", messages=ASK, stop=["END", "never"])
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("one, two ENZ, three ", "stop")
    async with asyncio.timeout(PATIENCE_S):
        await source.closed.wait()


REFUSED = {
    "n": ({"n": 2}, 400, "n", "unsupported_parameter"),
    "tools": ({"tools": [{"type": "function", "function": {"name": "f"}}]}, 400, "tools", "unsupported_parameter"),
    "form": ({"response_format": {"type": "json_object"}}, 400, "response_format", "unsupported_parameter"),
    "logprobs": ({"logprobs": True}, 400, "logprobs", "unsupported_parameter"),
    "model": ({"model": "gpt-4o"}, 404, "model", "model_not_found"),
    "synthetic": ({"model": "synthetic:tokens=-1"}, 400, "model", "invalid_request"),
    "temperature": ({"temperature": 3}, 400, "temperature", "invalid_request"),
    "limit": ({"max_completion_tokens": 0}, 400, "max_tokens", "invalid_request"),
    "messages": ({"messages": []}, 400, "messages", "question_required"),
    "empty": ({"messages": [{"role": "user", "content": " "}]}, 400, "messages", "question_required"),
    "long": ({"messages": [{"role": "user", "content": "x" * 10_001}]}, 413, "messages", "question_too_long"),
    "role": ({"messages": [{"role": "tool", "content": "x"}]}, 400, "messages[0].role", "invalid_request"),
    "image": (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]},
        400,
        "messages[0].content[0]",
        "invalid_request",
    ),
    "stop": ({"stop": ["a", ""]}, 400, "stop", "invalid_request"),
    "stream": ({"stream": "yes"}, 400, "stream", "invalid_request"),
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("case", REFUSED)
async def test_a_refusal_has_the_form_of_openai(ask, case, streamed):
    served, client = ask
    fields, status, param, code = REFUSED[case]
    with pytest.raises(openai.APIStatusError) as refused:
        await client.post(
            "/chat/completions",
            body={"model": MODEL, "messages": ASK, "stream": streamed, **fields},
            cast_to=httpx.Response,
        )
    error = refused.value
    assert (error.status_code, error.param, error.code) == (status, param, code)
    assert error.type == "invalid_request_error"
    assert error.body["message"]
    assert served.server.services.runs.started == 0


async def test_what_is_no_json_and_what_is_no_route(ask):
    served, _ = ask
    for content in (b"{", b"[]", b"\xff"):
        answer = await served.client.post(COMPLETIONS, content=content)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    answer = await served.client.post(COMPLETIONS, content=b"x" * (2 << 20))
    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "invalid_request_error")
    for method, path, status in (("GET", COMPLETIONS, 405), ("POST", "/v1/embeddings", 404), ("GET", "/v1/x", 404)):
        answer = await served.client.request(method, path)
        assert (answer.status_code, set(answer.json()["error"])) == (status, {"message", "type", "param", "code"})
    answer = await served.client.post(COMPLETIONS, json={}, headers={"Accept-Language": "ar"})
    assert "messages" in answer.json()["error"]["message"]
    assert "يجب" in answer.json()["error"]["message"]


async def test_the_token_is_the_key(serve, tmp_path):
    token = tmp_path / "token"
    token.write_text("secret")
    served = await serve(token_file=str(token))
    async with client_of(served, api_key="wrong") as client:
        for asking in (client.chat.completions.create(model=MODEL, messages=ASK), client.models.retrieve(MODEL)):
            with pytest.raises(openai.AuthenticationError) as refused:
                await asking
            assert (refused.value.code, refused.value.type) == ("invalid_api_key", "authentication_error")
    async with client_of(served, api_key="secret") as client:
        assert (await client.models.retrieve(MODEL)).id == MODEL
        answer = await client.chat.completions.create(model=MODEL, messages=ASK)
        assert answer.usage.completion_tokens == 7


async def test_a_failure_in_the_middle_is_no_end(serve, gated, complaints):
    source = gated()
    served = await serve(sources={"slow": source})
    async with client_of(served) as client:
        stream = await client.chat.completions.create(model="slow", messages=ASK, stream=True)
        source.say("half ")
        got = []
        with pytest.raises(openai.APIError) as failed:  # noqa: PT012 - the failure comes in the loop
            async for chunk in stream:
                got.append(chunk)
                if contents(got):
                    source.fail(ServerError("upstream_truncated"))
        assert (contents(got), failed.value.code, failed.value.type) == ("half ", "upstream_truncated", "server_error")
    answer = await served.client.get(RUNS + stream.response.headers["x-stream-id"])
    assert b"[DONE]" not in answer.content


async def test_a_failure_of_an_answer_in_one_piece_has_its_status(serve, gated):
    source = gated()
    served = await serve(sources={"slow": source})
    async with client_of(served) as client:
        for code, status in (("upstream_error", 502), ("upstream_truncated", 502), ("internal", 500)):
            source.fail(ServerError(code, detail="it broke"))
            with pytest.raises(openai.InternalServerError) as failed:
                await client.chat.completions.create(model="slow", messages=ASK)
            assert (failed.value.status_code, failed.value.code) == (status, code)


async def test_a_provider_that_takes_no_more_questions_says_when_to_come_again(serve, gated):
    source = gated()
    served = await serve(sources={"slow": source})
    for after_s, header in ((30, "30"), (None, None)):
        source.fail(rate_limited(after_s))
        answer = await served.client.post(COMPLETIONS, json={"model": "slow", "messages": ASK})
        assert (answer.status_code, answer.headers.get("retry-after")) == (429, header)
        assert answer.json()["error"]["type"] == "rate_limit_error"


async def test_a_full_server_says_when_to_come_again(serve, gated):
    served = await serve(sources={"slow": gated()}, max_runs=1)
    await served.start(model="slow")
    answer = await served.client.post(COMPLETIONS, json={"model": "slow", "messages": ASK})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["error"]["type"] == "server_error"


async def test_the_rate_limit_counts_these_runs_too(serve):
    served = await serve(rate_limit="1/hour")
    async with client_of(served) as client:
        await client.chat.completions.create(model=MODEL, messages=ASK)
        with pytest.raises(openai.RateLimitError) as refused:
            await client.chat.completions.create(model=MODEL, messages=ASK)
    assert (refused.value.code, refused.value.type) == ("rate_limited", "rate_limit_error")
    assert int(refused.value.response.headers["retry-after"]) > 3000


async def test_a_stream_that_was_cut_goes_on_by_its_stream_id(serve, gated):
    source = gated()
    served = await serve(sources={"slow": source})
    async with client_of(served) as client:
        stream = await client.chat.completions.create(model="slow", messages=ASK, stream=True)
        stream_id = stream.response.headers["x-stream-id"]
        source.say("one ", "two ")
        chunks = []
        async for chunk in stream:
            chunks.append(chunk)
            if contents(chunks) == "one two ":
                break
        await stream.close()
    await served.until_idle()
    source.say("three")
    source.finish()
    place = chunks[-1].last_event_id
    assert place.startswith(f"{stream_id}:")
    rest = await served.events("GET", RUNS + stream_id, headers={"Last-Event-ID": place})
    assert (text_of(rest), rest[-1].event) == ("three", "done")
    answer = [message async for message in sw.StreamClient(served.url).attach(stream_id)]
    assert answer[-1].reason == "stop"
    assert source.asked == 1


async def test_the_same_key_is_the_same_run(serve, gated):
    source = gated()
    served = await serve(sources={"slow": source})
    source.say("only ", "once")
    source.finish()
    key = {"Idempotency-Key": "k1"}
    async with client_of(served) as client:
        whole = await client.chat.completions.create(model="slow", messages=ASK, extra_headers=key)
        again = await client.chat.completions.create(model="slow", messages=ASK, extra_headers=key)
        stream = await client.chat.completions.create(model="slow", messages=ASK, extra_headers=key, stream=True)
        chunks = [chunk async for chunk in stream]
    assert whole.id == again.id == chunks[0].id
    assert whole.choices == again.choices
    assert contents(chunks) == "only once"
    assert source.asked == 1


async def leave(served, gated_source, *, stream, headers):
    """Ask over a bare connection, and drop it when the model works on the answer."""
    wire = await served.wire()
    body = json.dumps({"model": "slow", "messages": ASK, "stream": stream}).encode()
    await wire.ask("POST", COMPLETIONS, body, **headers)
    await served.until(lambda: gated_source.asked == 1)
    if stream:
        gated_source.say("a")
        await wire.read_until(b'"content":"a"')
    await wire.cut()
    await served.until_idle()


@pytest.mark.parametrize(("stream", "headers"), [(True, {"X_On_Leave": "stop"}), (False, {})])
async def test_a_client_that_never_comes_back_ends_its_run(serve, gated, stream, headers):
    source = gated()
    served = await serve(sources={"slow": source})
    await leave(served, source, stream=stream, headers=headers)
    async with asyncio.timeout(PATIENCE_S):
        await source.closed.wait()
    await served.until(lambda: served.server.services.runs.running == 0)


@pytest.mark.parametrize(("stream", "headers"), [(True, {}), (False, {"Idempotency_Key": "k"})])
async def test_a_run_that_can_be_found_again_goes_on(serve, gated, stream, headers):
    source = gated()
    served = await serve(sources={"slow": source})
    await leave(served, source, stream=stream, headers=headers)
    assert not source.closed.is_set()
    assert served.server.services.runs.running == 1


async def test_a_page_may_ask_where_its_origin_is_listed(serve):
    served = await serve(allow_origin=("https://lab.example",))
    headers = {
        "Origin": "https://lab.example",
        "Access-Control-Request-Headers": "authorization, x-stainless-os, x-evil",
    }
    answer = await served.client.options(COMPLETIONS, headers=headers)
    allowed = answer.headers["access-control-allow-headers"]
    assert answer.status_code == 204
    assert "x-stainless-os" in allowed
    assert "x-evil" not in allowed
    answer = await served.client.post(COMPLETIONS, json={"messages": ASK}, headers={"Origin": "https://lab.example"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://lab.example")
    answer = await served.client.post(COMPLETIONS, json={"messages": ASK}, headers={"Origin": "https://foe.example"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "permission_error")


async def test_our_own_client_and_load_read_it_as_they_read_openais(serve):
    served = await serve()
    expected = await spoken(served)
    async with Target(f"{served.url}/v1", model=MODEL) as target:
        stream = target.ask("hi")
        events = [event async for event in stream.events()]
    assert (stream.state, stream.connection, events[-1].data) == ("done", 1, "[DONE]")
    async with client_of(served) as client:
        answer = await sw.show(client.chat.completions.stream(model=MODEL, messages=ASK), url=served.url)
    assert answer == expected


async def test_a_load_that_leaves_ends_its_runs(serve, gated):
    source = gated()
    served = await serve(sources={"slow": source})
    source.say("a")
    async with Target(f"{served.url}/v1", model="slow") as target:
        events = target.ask("hi").events()
        await anext(events)
        await events.aclose()
    async with asyncio.timeout(PATIENCE_S):
        await source.closed.wait()


class Chat(BaseChatModel):
    """OpenAI's client as a model of LangChain's, for langchain-openai is not here."""

    client: Any

    @property
    def _llm_type(self):
        return "openai"

    def _generate(self, messages, stop=None, **_):
        raise NotImplementedError

    async def _agenerate(self, messages, stop=None, **_):
        said = convert_to_openai_messages(messages)
        answer = await self.client.chat.completions.create(model=MODEL, messages=said, stop=stop)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(answer.choices[0].message.content))])

    async def _astream(self, messages, stop=None, **_):
        said = convert_to_openai_messages(messages)
        chunks = await self.client.chat.completions.create(model=MODEL, messages=said, stop=stop, stream=True)
        async for chunk in chunks:
            yield ChatGenerationChunk(message=AIMessageChunk(contents([chunk])))


async def test_langchain(ask):
    served, client = ask
    prompt, model = ChatPromptTemplate.from_messages([("system", "Be brief."), ("user", "{q}")]), Chat(client=client)
    chain, brief = prompt | model, prompt | model.bind(stop=[" "])
    expected = await spoken(served)
    chunks = [chunk async for chunk in chain.astream({"q": "What is a stream?"})]
    assert "".join(chunk.content for chunk in chunks) == expected
    assert sum(bool(chunk.content) for chunk in chunks) == 7
    assert [answer.content for answer in await chain.abatch([{"q": "a"}, {"q": "b"}])] == [expected] * 2
    assert await (brief | StrOutputParser()).ainvoke({"q": "c"}) == expected.partition(" ")[0]
    assert await sw.show(chain.astream({"q": "d"}), url=served.url) == expected
