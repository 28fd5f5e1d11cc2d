"""Runs whose text is pushed: each batch once and in order, backpressure, stop, silence, bounds, and who may."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from rig.browser import CuttingProxy
from rig.serving import PATIENCE_S, RUNS, data_of, text_of
from sse_server.errors import ServerError
from sse_server.guards.auth import Principal
from sse_server.sources import push as push_source
from sse_server.sources.base import ChatMessage, ChatRequest
from sse_server.sources.push import PushSource, Receipt, TokenBatch
from sse_widget.client import StreamClient
from sse_widget.errors import ConnectError, RemoteError
from sse_widget.pool import Pool
from sse_widget.protocol.backoff import Backoff

START = RUNS.rstrip("/")
REQUEST = ChatRequest((ChatMessage("user", ""),), "pushed")


async def begun(served, **fields):
    """Start a pushed run; return its id."""
    answer = await served.client.post(START, json=fields)
    assert answer.status_code == 201, answer.text
    return answer.json()["stream_id"]


async def pushed(served, stream_id, seq, *tokens, **fields):
    return await served.client.post(f"{RUNS}{stream_id}/tokens", json={"seq": seq, "tokens": tokens, **fields})


async def test_what_is_pushed_is_streamed(serve):
    served = await serve()
    answer = await served.client.post(START, json={"model": "mine", "question": "Why?", "chunk_tokens": 2})
    created = answer.json()
    stream_id = created["stream_id"]
    assert created["url"] == answer.headers["location"] == RUNS + stream_id
    assert created["producer_timeout_s"] == 60
    async with served.reading("GET", RUNS + stream_id, params={"ticket": created["ticket"]}) as reply:
        assert data_of(await reply.next())["model"] == "mine"
        assert (await pushed(served, stream_id, 1, "one ", "two ")).json() == {"next": 2, "stop": False}
        assert text_of(await reply.until("delta")) == "one two "
        assert (await pushed(served, stream_id, 2, "ثلاثة", "👩‍👩‍👧", end="stop")).json()["next"] == 3
        events = await reply.rest()
    assert text_of(events) == "ثلاثة👩‍👩‍👧"
    assert data_of(events[-2]) | {"elapsed_seconds": 0} == {
        "model_used": "mine",
        "tokens_used": 4,
        "elapsed_seconds": 0,
    }
    assert data_of(events[-1])["reason"] == "stop"


async def test_a_batch_that_comes_again_is_not_taken_twice(serve):
    served = await serve()
    stream_id = await begun(served)
    for _ in range(3):
        assert (await pushed(served, stream_id, 1, "a")).json() == {"next": 2, "stop": False}
    for _ in range(2):
        assert (await pushed(served, stream_id, 2, "b", end="stop")).json()["next"] == 3
    await served.until_ended(stream_id)
    assert (await pushed(served, stream_id, 2, "b", end="stop")).json() == {"next": 3, "stop": True}
    assert text_of(await served.events("GET", RUNS + stream_id)) == "ab"


async def test_the_same_batch_at_once_is_taken_once(serve):
    served = await serve()
    stream_id = await begun(served)
    answers = await asyncio.gather(*(pushed(served, stream_id, 1, "x") for _ in range(8)))
    assert {answer.json()["next"] for answer in answers} == {2}
    await pushed(served, stream_id, 2, end="stop")
    await served.until_ended(stream_id)
    assert text_of(await served.events("GET", RUNS + stream_id)) == "x"


async def test_a_gap_is_refused_and_names_what_is_expected(serve, error_of):
    served = await serve()
    stream_id = await begun(served)
    await pushed(served, stream_id, 1, "a")
    status, code, message = error_of(await pushed(served, stream_id, 4, "d"))
    assert (status, code) == (409, "invalid_request")
    assert "2 is expected" in message
    await pushed(served, stream_id, 2, "b", end="stop")
    await served.until_ended(stream_id)
    assert text_of(await served.events("GET", RUNS + stream_id)) == "ab"


async def test_a_reader_who_stops_stops_the_producer(serve):
    served = await serve()
    stream_id = await begun(served, chunk_tokens=1)
    await pushed(served, stream_id, 1, "kept")
    await served.until_seq(stream_id, 2)
    assert (await served.client.delete(RUNS + stream_id)).status_code == 202
    await served.until_ended(stream_id)
    assert (await pushed(served, stream_id, 2, "too late")).json() == {"next": 3, "stop": True}
    events = await served.events("GET", RUNS + stream_id)
    assert text_of(events) == "kept"
    assert data_of(events[-1])["reason"] == "stopped"


async def test_a_failure_of_the_producer_ends_the_stream_as_an_error(serve, error_of):
    served = await serve()
    stream_id = await begun(served)
    await pushed(served, stream_id, 1, "half ", error="ValueError: boom")
    await served.until_ended(stream_id)
    events = await served.events("GET", RUNS + stream_id)
    assert text_of(events) == "half "
    failure = data_of(events[-1])
    assert (events[-1].event, failure["code"]) == ("error", "upstream_error")
    assert "ValueError: boom" in failure["message"]


async def test_a_silent_producer_is_lost_and_one_that_lives_is_not(serve):
    served = await serve(producer_timeout_s=0.6)
    lost, alive = await begun(served), await begun(served)
    await pushed(served, lost, 1, "so far")
    ending = asyncio.create_task(served.until_ended(lost))
    seq = 0
    while not ending.done():
        seq += 1
        assert (await pushed(served, alive, seq)).json() == {"next": seq + 1, "stop": False}
    await pushed(served, alive, seq + 1, "here", end="stop")
    await served.until_ended(alive)
    events = await served.events("GET", RUNS + lost)
    assert text_of(events) == "so far"
    assert data_of(events[-1])["code"] == "producer_lost"
    assert text_of(await served.events("GET", RUNS + alive)) == "here"
    assert (await pushed(served, lost, 2, "back")).json()["stop"]


async def test_the_text_is_bounded_by_bytes_and_by_tokens(serve):
    served = await serve(max_pushed_bytes=1000)
    long, short = await begun(served), await begun(served, max_tokens=3)
    await pushed(served, long, 1, *["é" * 100] * 6)
    await pushed(served, short, 1, *"abcdef")
    for stream_id, text in ((long, "é" * 500), (short, "abc")):
        await served.until_ended(stream_id)
        events = await served.events("GET", RUNS + stream_id)
        assert text_of(events) == text
        assert data_of(events[-1])["reason"] == "length"
        assert (await pushed(served, stream_id, 2, "more")).json()["stop"]


async def test_knobs_turn_while_it_runs(serve):
    served = await serve()
    stream_id = await begun(served, chunk_tokens=100, chunk_ms=60_000)
    await pushed(served, stream_id, 1, "a", "b")
    async with served.reading("GET", RUNS + stream_id) as reply:
        await reply.until("start")
        answer = await served.client.patch(RUNS + stream_id, json={"chunk_tokens": 1})
        assert answer.status_code == 202
        assert text_of(await reply.until("delta")) == "ab"
        await pushed(served, stream_id, 2, "c", "d", end="stop")
        events = await reply.rest()
    assert [data_of(event)["text"] for event in events if event.event == "delta"] == ["c", "d"]


async def test_the_same_key_is_the_same_run(serve):
    served = await serve()
    headers = {"Idempotency-Key": "once"}
    first, again = [await served.client.post(START, json={}, headers=headers) for _ in range(2)]
    stream_id = first.json()["stream_id"]
    assert again.json()["stream_id"] == stream_id
    await pushed(served, stream_id, 1, "a", end="stop")
    await served.until_ended(stream_id)
    assert served.server.services.runs.started == 1


async def test_a_run_of_a_model_takes_no_tokens(serve, gated, error_of):
    served = await serve(sources={"gated": gated()})
    stream_id = await served.start(model="gated")
    assert error_of(await pushed(served, stream_id, 1, "mine"))[:2] == (409, "invalid_request")
    assert error_of(await pushed(served, "0" * 32, 1, "mine"))[:2] == (404, "not_found")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "seq"),
        ({"seq": 0}, "seq"),
        ({"seq": "x"}, "seq"),
        ({"seq": 1, "tokens": "text"}, "a list of at most 4096 texts"),
        ({"seq": 1, "tokens": [1]}, "a list of at most 4096 texts"),
        ({"seq": 1, "tokens": ["a" * 16_385]}, "at most 16384 characters"),
        ({"seq": 1, "tokens": [""] * 4097}, "a list of at most 4096 texts"),
        ({"seq": 1, "end": "later"}, '"stop" or "length"'),
        ({"seq": 1, "end": ["stop"]}, '"stop" or "length"'),
        ({"seq": 1, "error": 5}, "a text"),
        ({"seq": 1, "text": "a"}, 'no parameter "text"'),
    ],
)
async def test_a_batch_that_is_none_is_refused(serve, error_of, fields, says):
    served = await serve()
    stream_id = await begun(served)
    answer = await served.client.post(f"{RUNS}{stream_id}/tokens", json=fields)
    assert error_of(answer)[:2] == (400, "invalid_request")
    assert says in error_of(answer)[2]
    assert (await pushed(served, stream_id, 1, "a")).json()["next"] == 2


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"model": 5}, "invalid_request"),
        ({"model": "m" * 201}, "invalid_request"),
        ({"question": []}, "invalid_request"),
        ({"question": "q" * 10_001}, "question_too_long"),
        ({"temperature": 1}, "invalid_request"),
        ({"max_tokens": 0}, "invalid_request"),
        ({"chunk_tokens": 0}, "invalid_request"),
    ],
)
async def test_a_pushed_run_that_is_none_is_refused(serve, error_of, fields, code):
    served = await serve()
    assert error_of(await served.client.post(START, json=fields))[1] == code
    assert served.server.services.runs.running == 0


async def test_another_principal_cannot_push_nor_can_a_ticket(serve, monkeypatch, error_of):
    served = await serve()
    stream_id = await begun(served)
    ticket = served.server.services.tickets.issue(stream_id)
    answer = await served.client.post(f"{RUNS}{stream_id}/tokens", params={"ticket": ticket}, json={"seq": 1})
    assert error_of(answer)[:2] == (403, "forbidden")
    assert error_of(await served.client.post(START, params={"ticket": ticket}, json={}))[:2] == (403, "forbidden")
    monkeypatch.setattr(served.server.services.gate, "principal", lambda *_: Principal("someone else"))
    assert error_of(await pushed(served, stream_id, 1, "theirs"))[:2] == (404, "not_found")


async def test_a_server_that_ends_tells_the_readers(serve):
    served = await serve()
    stream_id = await begun(served)
    await pushed(served, stream_id, 1, "so far")
    async with served.reading("GET", RUNS + stream_id) as reply:
        await reply.until("start")
        await served.server.services.runs.close()
        events = await reply.rest()
    assert text_of(events) == "so far"
    assert data_of(events[-1])["code"] == "shutdown"


class Lossy:
    """A proxy in front of a server that loses answers to batches: `at` says at which byte, None for not."""

    def __init__(self, url, at):
        self.proxy = CuttingProxy(url)
        self.proxy.cut_for = lambda head: at(self.proxy.cuts) if b"/tokens" in head else None
        self.client = StreamClient(self.proxy.url, backoff=Backoff(base_ms=0), max_attempts=50)


@pytest.mark.parametrize("lost_at", [0, 20, 150])
async def test_lost_answers_double_and_lose_nothing(serve, lost_at):
    served = await serve()
    random = Random(lost_at)  # every second answer, about; the last ones too
    lossy = Lossy(served.url, lambda _: lost_at if random.random() < 0.5 else None)
    created = await lossy.client.create_pushed("Why?")
    push = lossy.client.push(created.stream_id)
    words = [f"{number} " for number in range(60)]
    for number in range(0, 60, 3):
        assert await push.send(words[number : number + 3])
    await push.send(end="stop")
    await push.aclose()
    await served.until_ended(created.stream_id)
    assert text_of(await served.events("GET", RUNS + created.stream_id)) == "".join(words)
    assert lossy.proxy.cuts > 5
    lossy.proxy.close()


async def test_an_answer_that_never_comes_is_given_up(serve):
    served = await serve()
    lossy = Lossy(served.url, lambda _: 0)
    lossy.client = StreamClient(lossy.proxy.url, backoff=Backoff(base_ms=0), max_attempts=3)
    push = lossy.client.push((await lossy.client.create_pushed()).stream_id)
    with pytest.raises(ConnectError, match="the text could not be sent"):
        await push.send(["a"])
    assert lossy.proxy.cuts == 4
    await push.aclose()
    lossy.proxy.close()


async def test_the_client_says_what_it_is_refused(serve):
    client = StreamClient((await serve()).url)
    push = client.push("0" * 32)
    with pytest.raises(RemoteError) as caught:
        await push.send(["a"])
    assert caught.value.code == "not_found"
    await push.aclose()
    with pytest.raises(RemoteError) as caught:
        await client.create_pushed(chunk_tokens=0)
    assert caught.value.code == "invalid_request"


async def test_the_client_hears_of_a_stop_by_the_answer(serve):
    served = await serve()
    client = StreamClient(served.url)
    stream_id = (await client.create_pushed()).stream_id
    push = client.push(stream_id)
    assert await push.send(["a"])
    await client.stop(stream_id)
    await served.until_ended(stream_id)
    assert not await push.send(["b"])
    await push.aclose()


async def test_batches_share_one_socket(serve):
    served = await serve()
    taken, accept = [], served.http.start_request
    served.http.start_request = lambda server, request: taken.append(id(server)) or accept(server, request)
    client = StreamClient(served.url, pool=(pool := Pool()))
    created = await client.create_pushed()
    push = client.push(created.stream_id)
    for number in range(20):
        await push.send([str(number)])
    assert len(set(taken)) == 2, "one for the start, one for all batches"
    assert pool.users == 1
    await push.send(end="stop")
    await push.aclose()
    assert pool.users == 0


def batch(seq, characters=0, **fields):
    return TokenBatch(seq, ("x" * characters,) if characters else (), **fields)


def test_a_full_queue_holds_the_answer_back(virtual):
    async def scenario():
        source = PushSource(timeout_s=60, max_bytes=1 << 30)
        half = push_source.QUEUE_BYTES // 2
        for seq in (1, 2):
            assert await source.put(batch(seq, half)) == Receipt(seq + 1, stop=False)
        waiting = asyncio.create_task(source.put(batch(3, half)))
        again = asyncio.create_task(source.put(batch(3, half)))
        await asyncio.sleep(1)
        assert not waiting.done()
        tokens = source.tokens(REQUEST)
        assert (await anext(tokens)).text == "x" * half
        assert await waiting == await again == Receipt(4, stop=False)
        held = asyncio.create_task(source.put(batch(4, half)))
        await asyncio.sleep(push_source.HOLD_S + 1)
        assert await held == Receipt(4, stop=False), "not taken: the producer sends it again"
        held = asyncio.create_task(source.put(batch(4, half)))
        await asyncio.sleep(0)
        await tokens.aclose()
        assert await held == Receipt(4, stop=True), "the stop reaches a producer that waits"

    virtual(scenario())


def test_a_batch_larger_than_the_queue_is_taken_when_it_is_empty(virtual):
    async def scenario():
        source = PushSource(timeout_s=60, max_bytes=1 << 30)
        assert (await source.put(batch(1, push_source.QUEUE_BYTES + 1))).next == 2

    virtual(scenario())


def test_silence_is_counted_from_the_last_batch_also_a_repeated_one(virtual):
    async def scenario():
        source = PushSource(timeout_s=60, max_bytes=1000)
        tokens = source.tokens(REQUEST)
        await source.put(batch(1, 1))
        await anext(tokens)
        waiting = asyncio.create_task(anext(tokens))
        for _ in range(3):
            await asyncio.sleep(50)
            await source.put(batch(1, 1))
        began_s = asyncio.get_running_loop().time()
        with pytest.raises(ServerError) as caught:
            async with asyncio.timeout(PATIENCE_S * 10):
                await waiting
        assert caught.value.code == "producer_lost"
        assert asyncio.get_running_loop().time() - began_s == pytest.approx(60)

    virtual(scenario())
