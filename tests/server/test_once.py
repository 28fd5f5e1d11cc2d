"""Long-polling: start by JSON, then `?once=1` again and again: each answer is held until there is something to say."""

from __future__ import annotations

import asyncio
import json

import pytest

from rig.serving import CHAT, RUNS, seqs_of, text_of
from sse_widget.protocol.sse import Parser

JSON = {"Accept": "application/json"}


async def once(served, stream_id, after, **params):
    """Return status and events of one poll."""
    answer = await served.client.get(RUNS + stream_id, params={"once": 1, "after": after, **params})
    return answer.status_code, Parser().feed(answer.content)


async def polled(served, stream_id, after=0, **params):
    """Poll to the end; return the events that are not of the connection."""
    found = []
    while not (found and found[-1].event in {"done", "error"}):
        status, events = await once(served, stream_id, after, **params)
        assert status == 200
        assert events[0].event == "hello"
        found += [event for event in events[1:] if event.event != "ping"]
        after = seqs_of(found)[-1] if found else after
    return found


async def test_a_run_is_started_by_json_and_polled_to_its_end(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    question = {"q": "hi", "model": "gated", "chunk_tokens": 1}
    asked = {"json": question, "headers": {**JSON, "Idempotency-Key": "k1"}}
    created, again = [await served.client.post(CHAT, **asked) for _ in range(2)]
    assert (created.status_code, again.status_code) == (201, 201)
    run = created.json()
    assert again.json()["stream_id"] == run["stream_id"]
    assert run["url"] == RUNS + run["stream_id"]
    polling = asyncio.create_task(polled(served, run["stream_id"]))
    for word in ("مرحبا ", "你好 ", "👩‍👩‍👧‍👦"):
        await served.until(lambda: served.server.services.counters.connections == 1)
        source.say(word)
    source.finish()
    events = await polling
    assert text_of(events) == "مرحبا 你好 👩‍👩‍👧‍👦"
    assert seqs_of(events) == list(range(1, len(events) + 1))
    assert source.asked == 1
    last = seqs_of(events)[-1]
    assert (await once(served, run["stream_id"], last))[0] == 204


async def test_a_poll_is_answered_as_soon_as_there_is_a_batch(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    stream_id = await served.start(model="gated", chunk_tokens=1)
    await served.until_seq(stream_id, 1)
    wire = await served.wire()
    await wire.ask("GET", f"{RUNS}{stream_id}?once=1&after=1", Connection="keep-alive")
    status, head = await wire.head()
    assert (status, head["x-stream-id"]) == (200, stream_id)
    assert b"event: hello" in await wire.read_until(b"\n\n")
    source.say("now")
    assert b'{"text":"now"}' in await wire.read_until(b"\r\n0\r\n\r\n")
    await wire.ask("GET", "/api/v1/stream/health")
    assert (await wire.head())[0] == 200, "the connection is kept, for the next poll"
    await wire.cut()


async def test_an_answer_without_news_is_a_ping(serve, gated):
    served = await serve(sources={"gated": gated()})
    stream_id = await served.start(model="gated")
    await served.until_seq(stream_id, 1)
    status, events = await once(served, stream_id, 1, heartbeat_s=0.05)
    assert (status, [event.event for event in events]) == (200, ["hello", "ping"])
    assert json.loads(events[0].data)["heartbeat_s"] == 0.05
    await served.until_idle()


@pytest.mark.parametrize("model", ["gated", "synthetic:tokens=9,rate=0"])
async def test_the_text_so_far_is_an_answer_of_its_own(serve, gated, model):
    source = gated()
    served = await serve(sources={"gated": source})
    stream_id = await served.start(model=model, chunk_tokens=1)
    if model == "gated":
        source.say("so far")
        await served.until_seq(stream_id, 2)
    else:
        await served.until_ended(stream_id)
    text = (await served.log.info(stream_id)).text
    status, events = await once(served, stream_id, 0, snapshot=1)
    assert (status, [event.event for event in events], text_of(events)) == (200, ["hello", "delta"], text)
    source.finish()
    rest = await polled(served, stream_id, seqs_of(events)[0])
    assert [event.event for event in rest] == ["metadata", "done"]


async def test_a_large_backlog_comes_in_bounded_batches(serve):
    served = await serve()
    stream_id = await served.start(model="synthetic:tokens=20000,rate=0", chunk_tokens=1)
    await served.until_ended(stream_id)
    sizes = []
    after, ended = 0, False
    while not ended:
        answer = await served.client.get(RUNS + stream_id, params={"once": 1, "after": after})
        events = Parser().feed(answer.content)
        sizes.append(len(answer.content))
        assert seqs_of(events)[0] == after + 1
        after, ended = seqs_of(events)[-1], events[-1].event == "done"
    assert len(sizes) > 3
    assert max(sizes) < 300_000


async def test_json_goes_where_event_streams_do_not(serve, gated, error_of):
    source = gated()
    served = await serve(sources={"gated": source})
    stream_id = await served.start(model="gated", chunk_tokens=1)
    await served.until_seq(stream_id, 1)
    url, after = RUNS + stream_id, {"once": 1, "after": 1, "heartbeat_s": 0.05}
    quiet = await served.client.get(url, params=after, headers=JSON)
    assert quiet.headers["content-type"] == "application/json"
    assert quiet.headers["x-stream-id"] == stream_id
    assert [frame["event"] for frame in quiet.json()] == ["hello", "ping"]
    polling = asyncio.create_task(served.client.get(url, params={"once": 1, "after": 1}, headers=JSON))
    await served.until(lambda: served.server.services.counters.connections == 1)
    source.say("مرحبا")
    by_json = (await polling).json()
    by_sse = await served.events("GET", url, params={"once": 1, "after": 1})
    assert [(frame["event"], frame["id"], frame["data"]) for frame in by_json[1:]] == [
        (event.event, event.id, event.data) for event in by_sse[1:]
    ]
    assert {frame["stream"] for frame in by_json} == {stream_id}
    refused = await served.client.get(url, params={"once": 1, "after": 99}, headers=JSON)
    assert error_of(refused)[:2] == (400, "invalid_request")
    source.finish()
    await served.until_ended(stream_id)
    assert (await served.client.get(url, params={"once": 1, "after": 4}, headers=JSON)).status_code == 204
