"""Reading on: every row of the resume table, and no question is ever generated twice."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from rig.serving import CHAT, RUNS, seqs_of, text_of
from sse_server.guards.auth import Principal
from sse_server.log.memory import MemoryLog
from sse_server.sources.base import Token
from sse_server.sources.synthetic import SyntheticParams, words
from sse_widget.protocol.sse import Parser

UNKNOWN = "0" * 32
WORDS = list(words(SyntheticParams(tokens=9, lang="mixed", seed=5)))
TEXT = "".join(WORDS)


class CountingSource:
    """Says the same words at once, and counts how often it is asked."""

    def __init__(self):
        self.asked = 0

    async def tokens(self, _request):
        self.asked += 1
        for word in WORDS:
            yield Token(word)
        yield Token("", "stop")

    async def close(self):
        pass


def names_principals(served, monkeypatch):
    """Let the Authorization header name the principal, as Jupyter's identity providers do."""
    monkeypatch.setattr(
        served.server.services.gate, "principal", lambda authorization, _ticket: Principal(authorization or "owner")
    )


async def finished(served, **fields):
    stream_id = await served.start(chunk_tokens=1, **fields)
    await served.until_ended(stream_id)
    return stream_id, (await served.log.info(stream_id)).last


def resumes(stream_id, seq):
    """All ways to ask for what follows an event."""
    last_event_id = {"Last-Event-ID": f"{stream_id}:{seq}"}
    return [
        {"url": RUNS + stream_id, "headers": last_event_id},
        {"url": RUNS + stream_id, "params": {"after": seq}},
        {"url": CHAT, "headers": last_event_id},
        {"url": CHAT, "params": {"q": "anything", "key": "any"}, "headers": last_event_id},
    ]


async def test_after_every_event_exactly_the_rest_follows(serve):
    source = CountingSource()
    served = await serve(sources={"counting": source})
    stream_id, last = await finished(served, model="counting")
    for seq in range(last):
        for request in resumes(stream_id, seq):
            events = await served.events("GET", **request)
            assert events[0].event == "hello"
            assert events[0].id == f"{stream_id}:{seq}"
            hello = json.loads(events[0].data)
            assert (hello["after"], hello["resumed"], hello["gap"]) == (seq, True, False)
            assert seqs_of(events) == list(range(seq + 1, last + 1))
    assert source.asked == 1


@pytest.mark.parametrize("beyond", [0, 1, 1000, 2**53 - 1000])
async def test_after_the_end_there_is_no_content(serve, beyond):
    served = await serve()
    stream_id, last = await finished(served)
    for request in resumes(stream_id, last + beyond):
        answer = await served.client.get(**request)
        assert (answer.status_code, answer.content) == (204, b"")


async def test_a_live_stream_is_read_on_from_its_last_event(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    stream_id = await served.start(model="gated", chunk_tokens=1)
    await served.until_seq(stream_id, 1)
    for turn in range(4):
        async with served.reading("GET", **resumes(stream_id, turn + 1)[turn]) as reply:
            assert json.loads((await reply.next()).data)["after"] == turn + 1
            source.say(f"word{turn} ")
            assert json.loads((await reply.next()).data) == {"text": f"word{turn} "}
    assert source.asked == 1


async def test_beyond_the_end_of_a_live_stream_is_refused(serve, gated, error_of):
    served = await serve(sources={"gated": gated()})
    stream_id = await served.start(model="gated")
    await served.until_seq(stream_id, 1)
    for request in resumes(stream_id, 2):
        assert error_of(await served.client.get(**request))[:2] == (400, "invalid_request")


@pytest.mark.parametrize(
    "bad",
    [
        "7",
        "x:1",
        ":1",
        f"{UNKNOWN}:",
        f"{UNKNOWN}:-1",
        f"{UNKNOWN}:01",
        f"{UNKNOWN}:1.0",
        f"{UNKNOWN}:1 2",
        f"{UNKNOWN}:1:2",
        f"{UNKNOWN}:99999999999999999",
        f"{UNKNOWN.replace('0', 'F')}:1",
        f"{UNKNOWN}0:1",
        "null",
        "undefined",
        f"{UNKNOWN}:\u00b2",
    ],
)
async def test_a_malformed_id_is_refused(serve, error_of, bad):
    served = await serve()
    headers = {"Last-Event-ID": bad.encode("latin-1")}
    for path in (CHAT, CHAT + "?q=hi", RUNS + UNKNOWN):
        assert error_of(await served.client.get(path, headers=headers))[:2] == (400, "invalid_request")


async def test_an_id_of_another_stream_is_refused(serve, error_of):
    served = await serve()
    one, _ = await finished(served)
    two, _ = await finished(served)
    answer = await served.client.get(RUNS + one, headers={"Last-Event-ID": f"{two}:1"})
    assert error_of(answer)[:2] == (400, "invalid_request")


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "1e400", "", "nan", "99999999999999999999", "1_0"])
async def test_an_after_that_is_no_number_is_refused(serve, error_of, after):
    served = await serve()
    stream_id, _ = await finished(served)
    assert error_of(await served.client.get(RUNS + stream_id, params={"after": after}))[:2] == (400, "invalid_request")


@pytest.mark.parametrize("stream_id", [UNKNOWN, "x", "%20", "%F0%9F%94%A7", "..", "a" * 5000])
async def test_an_unknown_stream_is_not_found(serve, error_of, stream_id):
    served = await serve()
    for method in ("GET", "DELETE", "PATCH"):
        wire = await served.wire()
        body = b'{"delay_ms": 5}' if method == "PATCH" else b""
        await wire.ask(method, RUNS + stream_id, body)
        assert (await wire.head())[0] == 404
        await wire.cut()
    if len(stream_id) == 32:
        answer = await served.client.get(CHAT + "?q=hi", headers={"Last-Event-ID": f"{stream_id}:1"})
        assert error_of(answer)[:2] == (404, "not_found")


async def test_another_principals_stream_is_not_found(serve, error_of, monkeypatch):
    served = await serve()
    stream_id, last = await finished(served)
    names_principals(served, monkeypatch)
    stranger = {"Authorization": "stranger"}
    for request in resumes(stream_id, 1):
        request["headers"] = {**request.get("headers", {}), **stranger}
        assert error_of(await served.client.get(**request))[:2] == (404, "not_found")
    assert error_of(await served.client.delete(RUNS + stream_id, headers=stranger))[:2] == (404, "not_found")
    patch = await served.client.patch(RUNS + stream_id, headers=stranger, json={"delay_ms": 1})
    assert error_of(patch)[:2] == (404, "not_found")
    assert len(await served.events("GET", RUNS + stream_id)) == last + 1


async def test_an_expired_stream_is_gone_then_unknown(serve, error_of, monkeypatch):
    now = [0.0]
    source = CountingSource()
    served = await serve(expire_s=100.0, sources={"counting": source})
    served.log._clock = lambda: now[0]
    monkeypatch.setattr("sse_server.log.memory.REMEMBERED", 2)
    answer = await served.client.post(CHAT, json={"q": "hi", "model": "counting", "key": "k"})
    stream_id = answer.headers["x-stream-id"]
    now[0] = 99.9
    await served.server.services.runs.sweep()
    assert (await served.client.get(RUNS + stream_id)).status_code == 200
    now[0] = 100.0
    await served.server.services.runs.sweep()
    for request in resumes(stream_id, 1):
        assert error_of(await served.client.get(**request))[:2] == (410, "expired")
    again = await served.client.post(CHAT, json={"q": "hi", "model": "counting", "key": "k"})
    assert error_of(again)[:2] == (410, "expired")
    assert source.asked == 1
    for _ in range(2):
        await finished(served)
        now[0] += 100.0
        await served.server.services.runs.sweep()
    assert error_of(await served.client.get(RUNS + stream_id))[:2] == (404, "not_found")


async def test_an_expired_stream_of_another_principal_is_not_found(serve, error_of, monkeypatch):
    served = await serve()
    stream_id, _ = await finished(served)
    served.log._expire_s = 0.0
    await served.server.services.runs.sweep()
    names_principals(served, monkeypatch)
    answer = await served.client.get(RUNS + stream_id, headers={"Authorization": "stranger"})
    assert error_of(answer)[:2] == (404, "not_found")


class TrimmedLog(MemoryLog):
    """A memory log that holds events from the fourth on."""

    async def info(self, stream_id):
        return msgspec.structs.replace(await super().info(stream_id), first=4)


async def test_a_trimmed_stream_says_that_there_is_a_gap(serve):
    served = await serve()
    stream_id, last = await finished(served)
    served.log.__class__ = TrimmedLog
    for seq, gap in ((0, True), (2, True), (3, False)):
        events = await served.events("GET", RUNS + stream_id, params={"after": seq})
        assert json.loads(events[0].data)["gap"] is gap
        assert seqs_of(events) == ([] if gap else list(range(4, last + 1)))


async def test_a_snapshot_reaches_over_what_was_trimmed_and_is_a_gap_where_its_text_is_not_kept(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source}, max_log_bytes=20_000)
    stream_id = await served.start(model="gated", chunk_tokens=1)
    said = [f"{n} " for n in range(150)]
    source.say(*said)
    await served.until_seq(stream_id, 151)
    assert (await served.log.info(stream_id)).first > 1
    async with served.reading("GET", RUNS + stream_id, params={"snapshot": 1}) as reply:
        hello, delta = await reply.next(), await reply.next()
        assert json.loads(hello.data)["gap"] is False
        assert (json.loads(delta.data)["text"], delta.id) == ("".join(said), f"{stream_id}:151")
    source.say(*["x" * 200 + " "] * 100)
    await served.until_seq(stream_id, 251)
    events = await served.events("GET", RUNS + stream_id, params={"snapshot": 1})
    assert [event.event for event in events] == ["hello"]
    assert json.loads(events[0].data)["gap"] is True
    source.finish()
    await served.until_seq(stream_id, 253)


async def test_the_header_goes_before_after_and_after_before_snapshot(serve):
    served = await serve()
    stream_id, last = await finished(served)
    params = {"after": 3, "snapshot": 1}
    events = await served.events(
        "GET", RUNS + stream_id, params=params, headers={"Last-Event-ID": f"{stream_id}:{last - 1}"}
    )
    assert seqs_of(events) == [last]
    assert seqs_of(await served.events("GET", RUNS + stream_id, params=params))[0] == 4


async def test_a_snapshot_of_a_running_answer_then_its_tail(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    stream_id = await served.start(model="gated", chunk_tokens=1)
    source.say("مرحبا ", "👩‍👩‍👧‍👦 ")
    await served.until_seq(stream_id, 3)
    async with served.reading("GET", RUNS + stream_id, params={"snapshot": 1}) as reply:
        hello, delta = await reply.next(), await reply.next()
        assert json.loads(hello.data)["after"] == 0
        assert (json.loads(delta.data), delta.id) == ({"text": "مرحبا 👩‍👩‍👧‍👦 "}, f"{stream_id}:3")
        source.say("tail")
        source.finish()
        rest = await reply.rest()
    assert seqs_of(rest) == [4, 5, 6]
    assert text_of(rest) == "tail"
    done = json.loads(rest[-1].data)
    assert done["chars"] == len("مرحبا 👩‍👩‍👧‍👦 tail")


async def test_a_snapshot_of_a_finished_answer(serve):
    served = await serve(sources={"counting": CountingSource()})
    stream_id, last = await finished(served, model="counting")
    events = await served.events("GET", RUNS + stream_id, params={"snapshot": "true"})
    assert [event.event for event in events] == ["hello", "delta", "metadata", "done"]
    assert text_of(events) == TEXT
    assert seqs_of(events) == [last - 2, last - 1, last]


async def test_a_snapshot_before_any_text_is_the_stream_from_its_start(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    stream_id = await served.start(model="gated", chunk_tokens=1)
    async with served.reading("GET", RUNS + stream_id, params={"snapshot": 1}) as reply:
        assert [event.event for event in await reply.until("start")] == ["hello", "start"]
        source.finish()
        assert seqs_of(await reply.rest()) == [2, 3]


async def test_long_polling_reads_everything_batch_by_batch(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    stream_id = await served.start(model="gated", chunk_tokens=1)
    await served.until_seq(stream_id, 1)
    after, names, text = 0, [], ""
    for word in ["a ", "b ", None]:
        events = (await served.events("GET", RUNS + stream_id, params={"once": 1, "after": after}))[1:]
        names += [event.event for event in events]
        text += text_of(events)
        after = seqs_of(events)[-1]
        if word:
            source.say(word)
        else:
            source.finish()
    events = await served.events("GET", RUNS + stream_id, params={"once": 1, "after": after})
    names += [event.event for event in events[1:]]
    assert names == ["start", "delta", "delta", "metadata", "done"]
    assert text == "a b "
    assert (await served.client.get(RUNS + stream_id, params={"once": 1, "after": 5})).status_code == 204


async def test_long_polling_ends_with_a_ping_when_nothing_happens(serve, gated):
    served = await serve(sources={"gated": gated()})
    stream_id = await served.start(model="gated")
    await served.until_seq(stream_id, 1)
    events = await served.events("GET", RUNS + stream_id, params={"once": 1, "after": 1, "heartbeat_s": 0.05})
    assert [event.event for event in events] == ["hello", "ping"]


@pytest.mark.parametrize("where", ["header", "query", "body"])
async def test_the_same_key_is_the_same_run(serve, where):
    source = CountingSource()
    served = await serve(sources={"counting": source})
    request = {"json": {"q": "hi", "model": "counting"}, "headers": {}, "params": {}}
    if where == "header":
        request["headers"]["Idempotency-Key"] = "key-1"
    else:
        request["params" if where == "query" else "json"]["key"] = "key-1"
    answers = await asyncio.gather(*[served.client.post(CHAT, **request) for _ in range(10)])
    assert len({answer.headers["x-stream-id"] for answer in answers}) == 1
    assert source.asked == 1
    replies = [Parser().feed(answer.content) for answer in answers]
    assert {text_of(events) for events in replies} == {TEXT}
    assert sorted(json.loads(events[0].data)["resumed"] for events in replies) == [False] + [True] * 9


async def test_keys_of_different_principals_and_different_keys_are_different_runs(serve, monkeypatch):
    source = CountingSource()
    served = await serve(sources={"counting": source})
    names_principals(served, monkeypatch)
    ids = set()
    for who, key in [("ada", "k"), ("bob", "k"), ("ada", "l"), ("ada", "k"), ("bob", "k"), ("ada", ""), ("ada", "")]:
        answer = await served.client.post(
            CHAT, json={"q": "hi", "model": "counting", "key": key}, headers={"Authorization": who}
        )
        ids.add(answer.headers["x-stream-id"])
    assert len(ids) == source.asked == 5


async def test_a_known_key_is_read_on_also_when_the_server_takes_no_more_runs(serve, gated, error_of):
    source = gated()
    served = await serve(sources={"gated": source}, max_runs=1)
    stream_id = await served.start(model="gated", key="k")
    refused = await served.client.post(CHAT, json={"q": "hi", "model": "gated", "key": "new"})
    assert error_of(refused)[:2] == (503, "overloaded")
    async with served.reading("POST", CHAT, json={"q": "hi", "model": "gated", "key": "k"}) as reply:
        assert reply.headers["x-stream-id"] == stream_id
        source.finish()
        await reply.rest()
    later = await served.client.post(CHAT, json={"q": "hi", "key": "new"})
    assert later.status_code == 200


async def test_last_event_id_never_starts_a_run(serve, error_of):
    source = CountingSource()
    served = await serve(sources={"counting": source})
    for method in ("GET", "POST"):
        options = {"params": {"q": "hi", "model": "counting", "key": "fresh"}} if method == "GET" else {}
        options |= {"json": {"q": "hi", "model": "counting", "key": "fresh"}} if method == "POST" else {}
        for seq in (0, 1, 5):
            answer = await served.client.request(method, CHAT, headers={"Last-Event-ID": f"{UNKNOWN}:{seq}"}, **options)
            assert error_of(answer)[:2] == (404, "not_found")
    assert source.asked == 0


def body_of(wire):
    """Undo the chunked encoding of a response that may be cut anywhere."""
    _, mark, rest = wire.partition(b"\r\n\r\n")
    body = b""
    while mark and b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return body


async def cut_at(served, offset, request):
    """Ask over a bare socket and cut after `offset` bytes of the answer; return what a parser made of them."""
    wire = await served.wire()
    await wire.send(request)
    data = await wire.read(offset)
    await wire.cut()
    parser = Parser()
    events = parser.feed(body_of(data))
    return parser.last_event_id, events


def post_with_key(key):
    body = json.dumps({"q": "hi", "model": "counting", "chunk_tokens": 2}).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nIdempotency-Key: {key}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def get_with_key(key):
    target = f"{CHAT}?q=hi&model=counting&chunk_tokens=2&key={key}"
    return f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()


async def whole_answer(served, request):
    wire = await served.wire()
    await wire.send(request)
    data = await wire.rest()
    await wire.cut()
    return data


@pytest.mark.parametrize("way", ["POST, then GET the run", "native EventSource"])
async def test_no_cut_anywhere_asks_twice_or_loses_or_repeats_text(serve, way):
    source = CountingSource()
    served = await serve(sources={"counting": source})
    ask = post_with_key if way.startswith("POST") else get_with_key
    whole = await whole_answer(served, ask("golden"))
    hello_end = whole.index(b"event: start")
    # every byte of the head and of hello, and right after it; then every fifth
    offsets = [*range(hello_end + 2), *range(hello_end + 2, len(whole), 5), len(whole)]
    for offset in offsets:
        asked = source.asked
        key = f"cut-{offset}"
        last_event_id, events = await cut_at(served, offset, ask(key))
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        if not way.startswith("POST"):
            url = f"{CHAT}?q=hi&model=counting&chunk_tokens=2&key={key}"
            answer = await served.client.get(url, headers=headers)
        elif last_event_id:
            answer = await served.client.get(RUNS + last_event_id.partition(":")[0], headers=headers)
        else:
            fields = {"q": "hi", "model": "counting", "chunk_tokens": 2}
            answer = await served.client.post(CHAT, json=fields, headers={"Idempotency-Key": key})
        assert answer.status_code == (204 if events and events[-1].event == "done" else 200)
        events += Parser().feed(answer.content)
        assert text_of(events) == TEXT, offset
        assert seqs_of(events) == list(range(1, seqs_of(events)[-1] + 1)), offset
        assert events[-1].event == "done" or answer.status_code == 204
        assert source.asked == asked + 1, offset


async def test_a_cut_while_the_answer_is_being_made_asks_once(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    url = f"{CHAT}?q=hi&model=gated&chunk_tokens=1&key=live"
    seen = []
    for number, mark in enumerate([b"HTTP/1.1 200", b"event: hel", b":0\n\n", b"event: start\n", b"w2 "]):
        wire = await served.wire()
        await wire.ask("GET", url)
        await wire.read_until(mark)
        await wire.cut()
        await served.until_idle()
        source.say(f"w{number} ")
        await served.until_seq(served.log._keys["owner", "live"], 2 + number)
    source.finish()
    seen = await served.events("GET", url)
    assert text_of(seen) == "w0 w1 w2 w3 w4 "
    assert source.asked == 1


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
async def test_a_question_that_never_arrived_whole_starts_nothing(serve, share):
    source = CountingSource()
    served = await serve(sources={"counting": source})
    request = post_with_key("half")
    wire = await served.wire()
    await wire.send(request[: int(len(request) * share)])
    await wire.cut()
    answer = await served.client.post(CHAT, json={"q": "hi", "model": "counting", "key": "half"})
    assert answer.status_code == 200
    assert source.asked == 1
