"""Stamps on the wire: with `trace=1` every delta has them, on every way; without, not a byte is different."""

from __future__ import annotations

import json

import msgspec
import pytest

from rig.serving import CHAT, RUNS, data_of, text_of
from rig.talking import SOCKET, Talk, events_of
from sse_widget.protocol.sse import Event, Parser, encode

MODEL = "synthetic:tokens=40,rate=0,lang=mixed,seed=3"
TRACE = ("model_first", "model_last", "chunk", "append")


def untraced(events):
    """Take the stamps out again."""
    for event in events:
        if event.event == "timing":
            continue
        data = data_of(event)
        if isinstance(data, dict) and "trace" in data:
            del data["trace"]
            yield msgspec.structs.replace(event, data=msgspec.json.encode(data).decode())
        else:
            yield event


def check(events):
    """Every delta has its stamps, in order of time; every batch its write; return the deltas."""
    write = None
    deltas = [event for event in events if event.event == "delta"]
    assert deltas
    for event in events:
        if event.event == "timing":
            write = data_of(event)
            assert write.keys() == {"first", "last", "write"}
        elif event.event == "delta":
            data = data_of(event)
            seq = int(event.id.rpartition(":")[2])
            assert write["first"] <= seq <= write["last"]
            times = [data["trace"][name] for name in TRACE] + [write["write"]]
            assert all(isinstance(time, int) for time in times)
            assert times == sorted(times), event
    return deltas


async def test_with_trace_the_same_events_come_with_stamps(serve):
    served = await serve(model=MODEL)
    stream_id = await served.start(chunk_tokens=3)
    await served.until_ended(stream_id)
    plain = (await served.client.get(RUNS + stream_id)).content
    traced = (await served.client.get(RUNS + stream_id, params={"trace": "1"})).content
    again = (await served.client.get(RUNS + stream_id)).content
    logged = after_hello(plain)
    assert logged == after_hello(again), "who does not ask gets the frames that all share"
    assert b"trace" not in plain
    assert b"timing" not in plain
    events = Parser().feed(traced)
    check(events)
    stripped = b"".join(encode(event) for event in untraced(events) if event.event != "hello")
    assert stripped == logged


def after_hello(body):
    """What is the same for all readers: a hello says when it was written, in more digits or fewer."""
    return body[body.index(b"event: start") :]


@pytest.mark.parametrize("way", ["GET", "POST"])
async def test_a_question_may_ask_for_stamps_at_once(serve, way):
    served = await serve(model=MODEL)
    fields = {"q": "hi", "trace": 1, "chunk_tokens": 2}
    events = await served.events(way, CHAT, **({"params": fields} if way == "GET" else {"json": fields}))
    check(events)
    assert "timing" in {event.event for event in events}
    assert next(event.id for event in events if event.event == "timing") == events[0].id, "it has no id of its own"


async def test_the_stamps_are_those_of_the_tokens_of_each_delta(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    async with served.reading(
        "POST", f"{CHAT}?trace=1", json={"q": "hi", "model": "gated", "chunk_tokens": 2}
    ) as reply:
        await reply.until("start")
        stamps = []
        for pair in (("a", "b"), ("c", "d")):
            for token in pair:
                before = (await served.client.get("/api/v1/clock")).json()["sent"]
                source.say(token)
                await served.until(source._queue.empty)
                stamps.append((before, (await served.client.get("/api/v1/clock")).json()["received"]))
            trace = data_of((await reply.until("delta"))[-1])["trace"]
            (first, _), (last, over) = stamps[-2:]
            assert first <= trace["model_first"] <= stamps[-2][1]
            assert last <= trace["model_last"] <= trace["chunk"] <= trace["append"] <= over
        source.say("e")
        source.finish()
        last = data_of((await reply.until("delta"))[-1])
        assert (last["text"], last["trace"]["model_first"]) == ("e", last["trace"]["model_last"])


async def test_pushed_text_has_stamps_too(serve):
    served = await serve()
    stream_id = (await served.client.post(RUNS.rstrip("/"), json={"chunk_tokens": 2})).json()["stream_id"]
    batch = {"seq": 1, "tokens": ["one ", "two ", "three"], "end": "stop"}
    await served.client.post(f"{RUNS}{stream_id}/tokens", json=batch)
    events = await served.events("GET", RUNS + stream_id, params={"trace": 1})
    assert [data_of(event)["text"] for event in check(events)] == ["one two ", "three"]


async def test_a_snapshot_says_when_it_was_written_and_what_follows_has_stamps(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    stream_id = await served.start(model="gated", chunk_tokens=1)
    source.say("a", "b")
    await served.until_seq(stream_id, 3)
    async with served.reading("GET", f"{RUNS}{stream_id}?snapshot=1&trace=1") as reply:
        hello, timing, whole = [await reply.next() for _ in range(3)]
        assert [hello.event, timing.event, whole.event] == ["hello", "timing", "delta"]
        assert data_of(whole) == {"text": "ab"}, "of many deltas there are no stamps of one"
        assert (data_of(timing)["first"], data_of(timing)["last"]) == (3, 3)
        source.say("c")
        check(await reply.until("delta"))
        source.finish()
        await reply.rest()


async def test_a_resume_has_them_from_where_it_goes_on(serve):
    served = await serve(model=MODEL)
    stream_id = await served.start(chunk_tokens=3)
    await served.until_ended(stream_id)
    headers = {"Last-Event-ID": f"{stream_id}:4"}
    events = await served.events("GET", RUNS + stream_id, params={"trace": 1}, headers=headers)
    assert check(events)[0].id == f"{stream_id}:5"
    assert data_of(events[1])["first"] == 5


async def test_a_websocket_carries_them(serve):
    served = await serve(model=MODEL)
    stream_id = await served.start(chunk_tokens=3)
    talk = await Talk.open(served.url + SOCKET)
    await talk.send("attach", "traced", stream_id=stream_id, trace=True)
    traced = events_of(await talk.until("end"))
    await talk.send("attach", "plain", stream_id=stream_id)
    plain = events_of(await talk.until("end"))
    await talk.send("start", "asked", body={"q": "hi", "trace": 1})
    asked = events_of(await talk.until("end"))
    await talk.close()
    check(traced)
    check(asked)
    assert text_of(traced) == text_of(plain)
    assert not {"timing"} & {event.event for event in plain}


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
async def test_a_long_poll_carries_them(serve, accept):
    served = await serve(model=MODEL)
    stream_id = await served.start(chunk_tokens=3)
    await served.until_ended(stream_id)
    answer = await served.client.get(RUNS + stream_id, params={"once": 1, "trace": 1}, headers={"Accept": accept})
    if accept == "application/json":
        events = [Event(frame["event"], frame["data"], frame["id"]) for frame in answer.json()]
    else:
        events = Parser().feed(answer.content)
    check(events)


async def test_the_times_of_the_writes_alone(serve):
    """A page sends them back. It has no use for the rest: its events are those that all share."""
    served = await serve(model=MODEL)
    stream_id = await served.start(chunk_tokens=3)
    await served.until_ended(stream_id)
    plain = await served.events("GET", RUNS + stream_id)
    talk = await Talk.open(served.url + SOCKET)
    await talk.send("attach", "timed", stream_id=stream_id, trace="write")
    told = events_of(await talk.until("end"))
    await talk.close()
    for events in (told, await served.events("GET", RUNS + stream_id, params={"trace": "write"})):
        timed = [event for event in events if event.event == "timing"]
        assert timed
        assert all(data_of(event).keys() == {"first", "last", "write"} for event in timed)
        assert [event for event in events if event.event not in {"timing", "hello"}] == plain[1:]


async def test_trace_is_a_switch(serve, error_of):
    served = await serve()
    answer = await served.client.get(CHAT, params={"q": "hi", "trace": "perhaps"})
    assert error_of(answer)[:2] == (400, "invalid_request")
    assert '"trace"' in error_of(answer)[2]
    off = await served.events("GET", CHAT, params={"q": "hi", "trace": "0"})
    assert "timing" not in {event.event for event in off}


async def test_the_clock_says_when_it_was_asked_and_when_it_answered(serve):
    served = await serve()
    times = [(await served.client.get("/api/v1/clock")).json() for _ in range(2)]
    order = [times[0]["received"], times[0]["sent"], times[1]["received"], times[1]["sent"]]
    assert order == sorted(order)
    assert order[0] < order[2]
    assert json.dumps(order[0]).isdigit()
