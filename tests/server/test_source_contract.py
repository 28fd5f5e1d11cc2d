"""The contract of a token source, over every one: what it yields, how it ends, and that leaving stops it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import pytest

import sse_widget
from rig import providers
from rig.llama import llama
from rig.plugged import plug
from rig.serving import PATIENCE_S
from sse_server.config import Config
from sse_server.errors import ServerError
from sse_server.sources.base import ChatMessage, ChatRequest, Token
from sse_server.sources.conversation import Bounds, Conversations
from sse_server.sources.models import Models
from sse_server.sources.push import PushSource, TokenBatch
from sse_server.sources.shelf import Shelf

QUESTION = ChatRequest(
    (ChatMessage("system", "Be brief."), ChatMessage("user", "Name the sea, ما هو البحر؟")),
    "any",
    seed=1,
    temperature=0.0,
)


@asynccontextmanager
async def of_models(folder, model, environment=(), **settings):
    offered = Models(Config(**{"model": "synthetic:", **settings}), Shelf("", folder), dict(environment))
    try:
        yield lambda: offered.source_of(model)
    finally:
        await offered.close()


@asynccontextmanager
async def synthetic(folder, _monkeypatch):
    async with of_models(folder, "synthetic:tokens=30,rate=0,lang=mixed") as make:
        yield make


@asynccontextmanager
async def replay(_folder, _monkeypatch):
    async with of_models(Path(sse_widget.__file__).parent / "cassettes", "replay:arabic,speed=0") as make:
        yield make


@asynccontextmanager
async def pushed(_folder, _monkeypatch):
    feeding = set()

    def make():
        source = PushSource(timeout_s=PATIENCE_S, max_bytes=1 << 20)
        batch = TokenBatch(1, tuple(providers.WORDS * 3), "stop")
        task = asyncio.get_running_loop().create_task(source.put(batch))
        feeding.add(task)
        return source

    yield make
    await asyncio.gather(*feeding)


@asynccontextmanager
async def provided(folder, kind):
    provider = providers.Provider()
    try:
        async with of_models(folder, f"{kind}:x", **{f"{kind}_url": provider.url}) as make:
            yield make
    finally:
        await asyncio.to_thread(provider.close)


def openai(folder, _monkeypatch):
    return provided(folder, "openai")


def anthropic(folder, _monkeypatch):
    return provided(folder, "anthropic")


@asynccontextmanager
async def llama_by_http(folder, _monkeypatch):
    """llama.cpp's own HTTP server, as any OpenAI-compatible one."""
    with llama() as server:
        async with of_models(folder, "openai:any", {"OPENAI_API_KEY": server.key}, openai_url=server.url) as make:
            yield make


@asynccontextmanager
async def local(folder, _monkeypatch):
    async with of_models(folder, "local") as make:
        yield make


@asynccontextmanager
async def plugged(folder, monkeypatch):
    plug(folder, monkeypatch)
    async with of_models(folder, "echo") as make:
        yield make


@asynccontextmanager
async def conversing(folder, _monkeypatch):
    conversations = Conversations(lambda: 0.0, Bounds())
    async with of_models(folder, "synthetic:tokens=30,rate=0") as make:
        yield lambda: conversations.joined(make(), "owner", "talk", QUESTION)


SOURCES = [synthetic, replay, pushed, openai, anthropic, llama_by_http, local, plugged, conversing]
CUTS_OFF = {synthetic, replay, pushed, llama_by_http, local, plugged, conversing}
"""Those that end an answer at `max_tokens` themselves; the two others are stand-ins, which say what they say."""


@pytest.fixture(params=SOURCES, ids=lambda source: source.__name__)
async def source_of(request, tmp_path, monkeypatch):
    """Return a function that makes a source, or returns the one that all runs share."""
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(request.param(tmp_path, monkeypatch))


async def whole(source, **options):
    question = ChatRequest(QUESTION.messages, "any", **{"max_tokens": 12, "seed": 1, "temperature": 0.0, **options})
    async with asyncio.timeout(3 * PATIENCE_S):
        return [token async for token in source.tokens(question)]


async def test_a_source_keeps_the_contract(source_of, request):
    kind = request.node.callspec.params["source_of"]
    # An answer: pieces of text, and one end, which is the last of it.
    tokens = await whole(source_of())
    assert all(isinstance(token, Token) for token in tokens)
    assert [bool(token.finish) for token in tokens] == [False] * (len(tokens) - 1) + [True]
    assert "".join(token.text for token in tokens).strip()
    assert all(token.text.encode() for token in tokens[:-1])
    usage = tokens[-1].usage
    assert usage is None or (usage.completion > 0 and usage.prompt >= 0)
    if kind in CUTS_OFF:
        short = await whole(source_of(), max_tokens=3)
        assert short[-1].finish == "length"
        assert sum(1 for token in short if token.text) <= 3
    # Left in the middle, by its generator's end or by cancelling, it is at once ready for the next question.
    async with asyncio.timeout(PATIENCE_S), aclosing(source_of().tokens(QUESTION)) as left:
        assert (await anext(left)).text
    reading = asyncio.create_task(whole(source_of(), max_tokens=None))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait({reading}, timeout=PATIENCE_S)
    assert reading.cancelled() or reading.result()[-1].finish, "those that wait for nothing may be done already"
    # Two at once are two answers.
    one, other = await asyncio.gather(whole(source_of()), whole(source_of()))
    assert "".join(token.text for token in one) == "".join(token.text for token in other)
    # What is closed twice is closed.
    source = source_of()
    await source.close()
    await source.close()


async def test_openai_against_llama_streams_counts_and_refuses_with_its_own_words(tmp_path):
    with llama(context=256) as server:
        async with of_models(tmp_path, "openai:x", {"OPENAI_API_KEY": server.key}, openai_url=server.url) as make:
            tokens = await whole(make(), max_tokens=7)
            assert tokens[-1].finish == "length"
            assert tokens[-1].usage.completion == 7
            assert tokens[-1].usage.prompt > 10
            too_long = ChatRequest((ChatMessage("user", "a sea " * 400),), "any")
            with pytest.raises(ServerError, match="context") as raised:
                await anext(make().tokens(too_long))
            assert raised.value.code == "upstream_error"
        async with of_models(tmp_path, "openai:x", {"OPENAI_API_KEY": "wrong"}, openai_url=server.url) as make:
            with pytest.raises(ServerError) as raised:
                await anext(make().tokens(QUESTION))
            assert raised.value.code == "upstream_unauthorized"
            assert "OPENAI_API_KEY" in raised.value.message
