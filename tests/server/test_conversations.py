"""Several turns under one conversation_id: what the model hears again, for how long, and whose it is."""

from __future__ import annotations

import asyncio

import pytest

from rig.serving import CHAT, PATIENCE_S, RUNS, data_of
from sse_server.errors import ServerError
from sse_server.sources.base import ChatMessage, ChatRequest, Token
from sse_server.sources.conversation import Bounds, Conversations
from sse_server.sources.failure import ContextExceededError

TALK = "talk-1"


def question(text, *, continues=True):
    return ChatRequest((ChatMessage("user", text),), "any", continues=continues)


def told(conversations, owner="owner", talk=TALK):
    kept = conversations.recall(owner, talk)
    return [message.content for turn in (kept.system, *kept.turns) for message in turn]


def heard(source):
    return [(message.role, message.content) for message in source.requests[-1].messages]


async def ask(served, source, answer, **fields):
    """Ask, have it answered, and return the events."""
    source.say(answer)
    source.finish()
    return await served.events("POST", CHAT, json={"model": "gated", "conversation_id": TALK, **fields})


async def test_a_question_goes_on_with_what_was_asked_and_answered(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    assert data_of((await ask(served, source, "one", q="first"))[0])["conversation_id"] == TALK
    await ask(served, source, "two", q="second")
    assert heard(source) == [("user", "first"), ("assistant", "one"), ("user", "second")]
    await ask(served, source, "alone", q="third", conversation_id="talk-2")
    assert heard(source) == [("user", "third")]
    await ask(served, source, "alone", q="fourth", conversation_id="")
    assert heard(source) == [("user", "fourth")]


async def test_messages_are_the_whole_conversation_and_take_its_place(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    await ask(served, source, "one", q="first")
    given = [("system", "Be brief."), ("user", "a"), ("assistant", "b"), ("user", "c")]
    await ask(served, source, "d", messages=[{"role": role, "content": content} for role, content in given])
    assert heard(source) == given
    await ask(served, source, "f", q="e")
    assert heard(source) == [*given, ("assistant", "d"), ("user", "e")]


async def test_what_a_stopped_run_said_counts_and_a_failed_one_leaves_nothing(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    source.say("half an ")
    stream_id = await served.start(model="gated", conversation_id=TALK, q="first", chunk_tokens=1)
    await served.until_seq(stream_id, 2)
    await served.client.delete(RUNS + stream_id)
    await served.until_ended(stream_id)
    source.say("wrong")
    source.fail(ServerError("upstream_truncated"))
    await served.until_ended(await served.start(model="gated", conversation_id=TALK, q="second"))
    await ask(served, source, "three", q="third")
    assert heard(source) == [("user", "first"), ("assistant", "half an "), ("user", "third")]


async def test_a_question_that_comes_twice_is_one_turn(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    source.say("one")
    source.finish()
    for _ in range(2):
        fields = {"model": "gated", "conversation_id": TALK, "q": "first", "key": "once"}
        assert (await served.events("POST", CHAT, json=fields))[-1].event == "done"
    await ask(served, source, "two", q="second")
    assert heard(source) == [("user", "first"), ("assistant", "one"), ("user", "second")]


def test_a_conversation_of_another_principal_is_as_new():
    conversations = Conversations(lambda: 0.0, Bounds())
    conversations.keep("alice", TALK, question("secret"), "answer")
    assert told(conversations, "alice") == ["secret", "answer"]
    assert told(conversations, "bob") == []
    conversations.keep("bob", TALK, question("mine"), "other")
    assert told(conversations, "alice") == ["secret", "answer"]
    assert told(conversations, "bob") == ["mine", "other"]


def test_bounds_of_one_conversation():
    conversations = Conversations(lambda: 0.0, Bounds(turns=3, bytes=40))
    system = ChatRequest((ChatMessage("system", "s"), ChatMessage("user", "q0")), "any")
    conversations.keep("owner", TALK, system, "a0")
    for number in range(1, 5):
        conversations.keep("owner", TALK, question(f"q{number}"), f"a{number}")
    assert told(conversations) == ["s", "q2", "a2", "q3", "a3", "q4", "a4"]
    conversations.keep("owner", TALK, question("س" * 10), "x" * 12)
    assert told(conversations) == ["s", "q4", "a4", "س" * 10, "x" * 12]
    conversations.keep("owner", TALK, question("q"), "x" * 41)
    assert told(conversations) == []
    assert conversations._size == 0


def test_bounds_of_a_principal_of_all_and_of_age():
    now = [0.0]
    conversations = Conversations(lambda: now[0], Bounds(conversations=2, total_bytes=4000, age_s=10.0))
    for talk in ("a", "b", "c"):
        conversations.keep("alice", talk, question("q"), talk)
    assert [told(conversations, "alice", talk) for talk in ("a", "b", "c")] == [[], ["q", "b"], ["q", "c"]]
    now[0] = 5.0
    conversations.keep("alice", "b", question("again"), "b2")
    now[0] = 10.0
    assert told(conversations, "alice", "c") == []
    assert told(conversations, "alice", "b") == ["q", "b", "again", "b2"]
    for number in range(20):
        conversations.keep(f"p{number}", TALK, question("q"), "x" * 1000)
    assert told(conversations, "alice", "b") == []
    assert conversations._size <= 4000
    assert told(conversations, "p19") == ["q", "x" * 1000]
    now[0] = 1e6
    assert told(conversations, "p19") == []
    assert (conversations._size, len(conversations._talks), len(conversations._counts)) == (0, 0, 0)


class Small:
    """A model that reads so many messages at most."""

    def __init__(self, most):
        self.most = most
        self.counts = []

    async def tokens(self, request):
        self.counts.append(len(request.messages))
        if len(request.messages) > self.most:
            raise ContextExceededError("upstream_error", detail="too long for the context")
        yield Token("ok")
        yield Token("", "stop")


@pytest.mark.parametrize(("most", "counts"), [(9, [9]), (5, [9, 3]), (1, [9, 3, 1])])
async def test_where_the_model_cannot_read_it_all_the_older_half_is_left_out(most, counts):
    conversations = Conversations(lambda: 0.0, Bounds())
    for number in range(4):
        conversations.keep("owner", TALK, question(f"q{number}"), "a")
    small = Small(most)
    source = conversations.joined(small, "owner", TALK, question("last"))
    assert [token.text async for token in source.tokens(question("last"))] == ["ok", ""]
    assert small.counts == counts
    assert told(conversations)[-2:] == ["last", "ok"]


async def test_a_question_that_is_too_long_by_itself_stays_an_error():
    conversations = Conversations(lambda: 0.0, Bounds())
    source = conversations.joined(Small(0), "owner", TALK, question("long"))
    with pytest.raises(ContextExceededError):
        await anext(source.tokens(question("long")))
    assert told(conversations) == []


async def test_the_local_model_remembers_and_never_outgrows_its_context(serve, monkeypatch):
    monkeypatch.setattr("sse_server.sources.local.CONTEXT_TOKENS", 256)
    served = await serve(model="local")
    fields = {"conversation_id": TALK, "temperature": 0, "max_tokens": 5}
    long = "The sea is deep and blue. " * 8
    async with asyncio.timeout(3 * PATIENCE_S):
        for _ in range(5):
            events = await served.events("POST", CHAT, json={**fields, "q": f"{long} What is the sea?"})
            assert events[-1].event == "done", events[-1].data
    assert data_of(events[-2])["prompt_tokens"] > 120
