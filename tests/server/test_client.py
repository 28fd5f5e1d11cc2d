"""StreamClient against the real server."""

from __future__ import annotations

import asyncio
import zlib

import pytest

from sse_widget import StreamClient
from sse_widget.errors import RemoteError
from sse_widget.protocol.backoff import Backoff
from sse_widget.protocol.events import Delta, Done, Hello, Metadata, Start
from sse_widget.protocol.sse import Event

AT_ONCE = Backoff(base_ms=0.0)
MIXED = "synthetic:tokens=150,rate=0,lang=mixed,seed=3"


def text_of(messages):
    return "".join(message.text for message in messages if isinstance(message, Delta))


async def messages_of(stream):
    return [message async for message in stream]


async def test_an_answer_arrives_whole(serve):
    served = await serve()
    stream = StreamClient(served.url).chat("hi", model=MIXED)
    messages = await messages_of(stream)
    assert [type(message) for message in messages[:2]] == [Hello, Start]
    assert [type(message) for message in messages[-2:]] == [Metadata, Done]
    text, done = text_of(messages), messages[-1]
    assert (done.chars, done.crc32) == (len(text), zlib.crc32(text.encode()))
    assert (stream.state, stream.error) == ("done", None)
    assert messages[0].stream_id == stream.stream_id


async def test_the_same_key_is_the_same_run(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    client = StreamClient(served.url)
    source.say("one ", "two")
    source.finish()
    streams = [client.chat("hi", model="gated", key="k1") for _ in range(3)]
    assert {text_of(await messages_of(stream)) for stream in streams} == {"one two"}
    assert len({stream.stream_id for stream in streams}) == 1
    assert source.asked == 1


async def test_restarts_anywhere_lose_nothing_and_ask_once(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    stream = StreamClient(served.url, backoff=AT_ONCE).chat("hi", model="gated", chunk_tokens=1)
    words = [f"كلمة {number} 👩‍🚀 " for number in range(30)]
    source.say(words[0])
    text = ""
    async for message in stream:
        if isinstance(message, Delta):
            text += message.text
            stream.restart()
            count = text.count("كلمة")
            if count < len(words):
                source.say(words[count])
            else:
                source.finish()
    assert text == "".join(words)
    assert stream.state == "done"
    assert source.asked == 1


async def test_a_created_run_is_read_from_anywhere(serve):
    served = await serve()
    client = StreamClient(served.url)
    created = await client.create("hi", model=MIXED)
    assert created.url == f"/api/v1/stream/runs/{created.stream_id}"
    assert created.ticket.startswith(created.stream_id)
    whole = await messages_of(client.attach(created.stream_id))
    snapshot = client.attach(created.stream_id, snapshot=True)
    assert text_of(await messages_of(snapshot)) == text_of(whole)
    assert snapshot.state == "done"
    later = await messages_of(client.attach(created.stream_id, after=5))
    assert text_of(whole).endswith(text_of(later))
    assert 0 < len(text_of(later)) < len(text_of(whole))
    over = client.attach(created.stream_id, after=len(whole) - 1)
    assert await messages_of(over) == []
    assert over.state == "done"


async def test_stop_ends_the_model_and_keeps_what_came(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    client = StreamClient(served.url)
    source.say("so far")
    stream = client.chat("hi", model="gated", chunk_tokens=1)
    messages = []
    async for message in stream:
        messages.append(message)
        if isinstance(message, Delta):
            await client.stop(stream.stream_id)
    assert text_of(messages) == "so far"
    assert (stream.state, stream.error) == ("stopped", None)
    async with asyncio.timeout(5):
        await source.closed.wait()
    await client.stop(stream.stream_id)


async def test_knobs_turn_while_it_runs(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    client = StreamClient(served.url)
    stream = client.chat("hi", model="gated", chunk_tokens=1, chunk_ms=60_000)
    source.say("a")
    deltas = []
    async for message in stream:
        if isinstance(message, Delta):
            deltas.append(message.text)
            if message.text == "a":
                await client.tune(stream.stream_id, chunk_tokens=3)
                source.say(*"bcdef")
                source.finish()
    assert deltas == ["a", "bcd", "ef"]


async def test_a_failing_model_ends_in_error_without_its_secrets(serve, gated, complaints):
    source = gated()
    served = await serve(sources={"gated": source})
    source.say("half")
    source.fail(RuntimeError("boom"))
    stream = StreamClient(served.url).chat("hi", model="gated")
    messages = await messages_of(stream)
    assert text_of(messages) == "half"
    assert stream.state == "error"
    assert isinstance(stream.error, RemoteError)
    assert "boom" not in stream.error.message
    assert "boom" in complaints.pop()


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda client: client.chat(""), "question_required"),
        (lambda client: client.chat("x" * 10_001), "question_too_long"),
        (lambda client: client.chat("hi", colour="blue"), "invalid_request"),
        (lambda client: client.chat("hi", model="nobody"), "invalid_request"),
        (lambda client: client.attach("0" * 32), "not_found"),
        (lambda client: client.attach("0" * 32, after=7), "not_found"),
    ],
)
async def test_refusals_have_their_code_in_both_languages(serve, ask, code):
    served = await serve()
    for lang in ("en", "ar"):
        stream = ask(StreamClient(served.url, lang=lang))
        assert await messages_of(stream) == []
        assert stream.state == "error"
        assert isinstance(stream.error, RemoteError)
        assert stream.error.code == code
        assert any("\u0600" <= letter <= "\u06ff" for letter in stream.error.message) == (lang == "ar")


async def test_create_and_stop_raise_refusals(serve):
    client = StreamClient((await serve()).url)
    with pytest.raises(RemoteError) as caught:
        await client.create("")
    assert caught.value.code == "question_required"
    with pytest.raises(RemoteError) as caught:
        await client.stop("0" * 32)
    assert caught.value.code == "not_found"
    with pytest.raises(RemoteError) as caught:
        await client.tune("0" * 32, chunk_tokens=0)
    assert caught.value.code == "invalid_request"


async def test_the_token_opens_and_nothing_else_does(serve, tmp_path):
    (tmp_path / "token").write_text("s3cret")
    served = await serve(token_file=str(tmp_path / "token"))
    for token, state in (("s3cret", "done"), ("wrong", "error"), (None, "error")):
        stream = StreamClient(served.url, token=token).chat("hi")
        await messages_of(stream)
        assert stream.state == state
    assert stream.error.code == "unauthorized"


async def test_pings_come_as_events(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    async for message in StreamClient(served.url).chat("hi", model="gated", heartbeat_s=0.05):
        if isinstance(message, Event) and message.event == "ping":
            source.finish()
            break
    assert message == Event("ping", '"🔧"', message.id)


async def test_health_says_what_runs(serve):
    health = await StreamClient((await serve()).url).health()
    assert (health["status"], health["runs"]) == ("ok", 0)


async def test_many_readers_of_one_client_at_once(serve):
    served = await serve()
    client = StreamClient(served.url)
    streams = [client.chat("hi", model=f"synthetic:tokens=50,rate=0,seed={seed}") for seed in range(8)]
    texts = await asyncio.gather(*(messages_of(stream) for stream in streams))
    assert {stream.state for stream in streams} == {"done"}
    assert len({text_of(messages) for messages in texts}) == 8
