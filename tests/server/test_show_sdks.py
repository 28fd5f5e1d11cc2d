"""`sw.show` with the real SDKs, pointed at a loopback server that streams as their providers do."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

import anthropic
import numpy as np
import openai
import pytest
from langchain_core.language_models.fake import FakeStreamingListLLM
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AsyncTextIteratorStreamer, PreTrainedTokenizerFast, TextIteratorStreamer

import sse_widget as sw
from rig.providers import MODEL, TEXT, WORDS, Provider
from rig.serving import PATIENCE_S

ASK = [{"role": "user", "content": "What is the sea?"}]


@pytest.fixture
def provider():
    made = Provider()
    yield made
    made.close()


@pytest.fixture
def sdk(provider):
    """The four clients. None asks again by itself: a test that needs a second try would hide a fault."""
    at, settings = provider.url, {"api_key": "none", "max_retries": 0}
    clients = SimpleNamespace(
        openai=openai.OpenAI(base_url=f"{at}/v1", **settings),
        async_openai=openai.AsyncOpenAI(base_url=f"{at}/v1", **settings),
        anthropic=anthropic.Anthropic(base_url=at, **settings),
        async_anthropic=anthropic.AsyncAnthropic(base_url=at, **settings),
    )
    yield clients
    clients.openai.close()
    clients.anthropic.close()


async def close(clients):
    await clients.async_openai.close()
    await clients.async_anthropic.close()


def asked(**more):
    return {"model": MODEL, "messages": ASK, **more}


SYNCHRONOUS = {
    "chat.completions": lambda sdk: sdk.openai.chat.completions.create(**asked(stream=True)),
    "chat.completions.stream": lambda sdk: sdk.openai.chat.completions.stream(**asked()),
    "responses": lambda sdk: sdk.openai.responses.create(model=MODEL, input="?", stream=True),
    "responses.stream": lambda sdk: sdk.openai.responses.stream(model=MODEL, input="?"),
    "messages": lambda sdk: sdk.anthropic.messages.create(**asked(max_tokens=9, stream=True)),
    "messages.stream": lambda sdk: sdk.anthropic.messages.stream(**asked(max_tokens=9)),
}
ASYNCHRONOUS = {
    "chat.completions": lambda sdk: sdk.async_openai.chat.completions.create(**asked(stream=True)),
    "chat.completions.stream": lambda sdk: sdk.async_openai.chat.completions.stream(**asked()),
    "responses": lambda sdk: sdk.async_openai.responses.create(model=MODEL, input="?", stream=True),
    "messages": lambda sdk: sdk.async_anthropic.messages.create(**asked(max_tokens=9, stream=True)),
    "messages.stream": lambda sdk: sdk.async_anthropic.messages.stream(**asked(max_tokens=9)),
}


@pytest.mark.parametrize("kind", SYNCHRONOUS)
async def test_a_stream_of_a_client(serve, sdk, kind):
    served = await serve()
    answer = await sw.show(SYNCHRONOUS[kind](sdk), url=served.url)
    assert (answer, answer.state) == (TEXT, "done")
    assert answer.metadata.tokens_used == len(WORDS)


@pytest.mark.parametrize("kind", ASYNCHRONOUS)
async def test_a_stream_of_an_asynchronous_client_also_one_that_was_not_awaited(serve, sdk, kind):
    served = await serve()
    answer = await sw.show(ASYNCHRONOUS[kind](sdk), url=served.url)
    assert (answer, answer.state) == (TEXT, "done")
    await close(sdk)


async def test_an_asynchronous_stream_that_was_awaited(serve, sdk):
    served = await serve()
    stream = await sdk.async_openai.chat.completions.create(**asked(stream=True))
    assert await sw.show(stream, url=served.url) == TEXT
    await close(sdk)


async def test_the_text_stream_of_anthropic(serve, sdk):
    served = await serve()
    with sdk.anthropic.messages.stream(**asked(max_tokens=9)) as stream:
        assert await sw.show(stream.text_stream, url=served.url) == TEXT
    async with sdk.async_anthropic.messages.stream(**asked(max_tokens=9)) as stream:
        assert await sw.show(stream.text_stream, url=served.url) == TEXT
    await close(sdk)


@pytest.mark.parametrize(
    ("kind", "finish"), [("chat.completions", "length"), ("responses", "incomplete"), ("messages", "max_tokens")]
)
async def test_an_answer_that_was_cut_off_says_so(serve, sdk, provider, kind, finish):
    served = await serve()
    provider.finish = finish
    shown = sw.show(SYNCHRONOUS[kind](sdk), url=served.url)
    assert (await shown).state == "done"
    events = await served.events("GET", f"/api/v1/stream/runs/{shown.stream_id}")
    assert '"reason":"length"' in events[-1].data


async def test_a_provider_that_fails_is_said(serve, sdk, provider):
    served = await serve()
    provider.finish = "failed"
    shown = sw.show(SYNCHRONOUS["responses"](sdk), url=served.url)
    with pytest.raises(sw.RemoteError, match="the provider is on fire") as caught:
        await shown
    assert caught.value.text == shown.text == TEXT
    assert "on fire" in shown.widget.error


@pytest.mark.parametrize("kind", SYNCHRONOUS)
async def test_stop_lets_go_of_the_provider(serve, sdk, provider, kind):
    """A synchronous client that waits for its provider hears of nothing; closed is what can be closed."""
    served = await serve()
    provider.words = WORDS * 10_000  # it goes on until it is left
    shown = sw.show(SYNCHRONOUS[kind](sdk), url=served.url, chunk_tokens=1)
    await shown.reach(1)
    shown.stop()
    assert (await shown).state == "stopped"
    assert await asyncio.to_thread(provider.left.wait, PATIENCE_S)


@pytest.mark.parametrize("kind", ASYNCHRONOUS)
async def test_stop_lets_go_of_a_provider_that_is_silent(serve, sdk, provider, kind):
    served = await serve()
    provider.held = 12
    provider.words = WORDS * 3
    shown = sw.show(ASYNCHRONOUS[kind](sdk), url=served.url, chunk_tokens=1)
    await shown.reach(1)
    shown.stop()
    assert (await shown).state == "stopped"
    assert await asyncio.to_thread(provider.left.wait, PATIENCE_S)
    await close(sdk)


async def test_an_answer_that_was_not_streamed_is_refused_with_what_to_do(serve):
    served = await serve()
    message = {"role": "assistant", "content": "all of it"}
    whole = openai.types.chat.ChatCompletion.model_validate(
        {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": MODEL,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        }
    )
    with pytest.raises(TypeError, match="ChatCompletion is a whole answer; ask for it with stream=True"):
        sw.show(whole, url=served.url)


async def test_langchain(serve):
    served = await serve()
    model = GenericFakeChatModel(messages=iter([AIMessage(content=TEXT)] * 4))
    assert await sw.show(model.stream("?"), url=served.url) == TEXT
    assert await sw.show(model.astream("?"), url=served.url) == TEXT
    assert await sw.show((model | StrOutputParser()).stream("?"), url=served.url) == TEXT
    assert await sw.show((model | StrOutputParser()).astream("?"), url=served.url) == TEXT
    assert await sw.show(FakeStreamingListLLM(responses=[TEXT]).stream("?"), url=served.url) == TEXT


def tokenizer():
    """A real one, of whole words."""
    words = ["one", "two", "three", "four"]
    built = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="one"))
    built.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=built)


def generate(streamer):
    """What `model.generate(streamer=…)` does, on a thread as its documentation says."""

    def run():
        for token in range(4):
            streamer.put(np.array([token]))
        streamer.end()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


async def test_the_streamer_of_transformers_which_blocks(serve):
    served = await serve()
    streamer = TextIteratorStreamer(tokenizer())
    shown = sw.show(streamer, url=served.url)
    thread = generate(streamer)
    assert await shown == "one two three four"
    thread.join()


async def test_the_asynchronous_streamer_of_transformers(serve):
    served = await serve()
    streamer = AsyncTextIteratorStreamer(tokenizer())
    shown = sw.show(streamer, url=served.url)
    thread = generate(streamer)
    assert await shown == "one two three four"
    await asyncio.to_thread(thread.join)
