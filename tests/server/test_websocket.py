"""Many streams on one socket: what SSE says, its refusals, its heartbeat, and nothing that breaks the server."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from contextlib import asynccontextmanager

import pytest
from tornado.httpclient import HTTPClientError

from rig.serving import CHAT, RUNS, seqs_of, text_of
from rig.talking import SOCKET, Talk, events_of, refusal_of
from sse_server.handlers.websocket import MAX_MESSAGE_BYTES, MAX_STREAMS, MAX_UNPROVEN_BYTES
from sse_widget.protocol.sse import Parser

UNKNOWN = "0" * 32
TOKEN = "correct-horse"
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": base64.b64encode(b"0123456789abcdef").decode(),
}


@asynccontextmanager
async def talking(served, **headers):
    talk = await Talk.open(served.url + SOCKET, **headers)
    yield talk
    await talk.close()
    await served.until(lambda: not served.server.services.sockets)
    await served.until_idle()


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN, "utf-8")
    return str(path)


async def test_a_socket_says_what_sse_says(serve):
    served = await serve()
    async with talking(served) as talk:
        await talk.send("start", "a", body={"q": "hi", "model": "synthetic:tokens=60,rate=0,lang=mixed"})
        frames = await talk.until("end")
    assert frames[-1] == {"ref": "a", "event": "end", "status": 200}
    assert {frame["ref"] for frame in frames} == {"a"}
    events = events_of(frames)
    stream_id = frames[0]["stream"]
    by_sse = await served.events("GET", RUNS + stream_id)
    assert events[1:] == by_sse[1:]
    hello, again = json.loads(events[0].data), json.loads(by_sse[0].data)
    assert (hello.pop("resumed"), again.pop("resumed")) == (False, False)
    assert (hello | {"ts": 0}, events[0].id) == (again | {"ts": 0}, f"{stream_id}:0")


async def test_a_batch_is_one_message(serve):
    served = await serve()
    stream_id = await served.start(chunk_tokens=1)
    await served.until_ended(stream_id)
    async with talking(served) as talk:
        await talk.send("attach", "a", stream_id=stream_id)
        hello, batch, end = [json.loads(await talk.socket.read_message()) for _ in range(3)]
    assert (hello["event"], end["event"]) == ("hello", "end")
    assert [frame["id"] for frame in batch] == [f"{stream_id}:{seq}" for seq in range(1, len(batch) + 1)]


async def test_many_streams_on_one_socket(serve, gated):
    sources = {f"m{number}": gated() for number in range(20)}
    served = await serve(sources=sources)
    async with talking(served) as talk:
        for name in sources:
            await talk.send("start", name, body={"q": "hi", "model": name, "chunk_tokens": 1})
        frames = []
        for _ in sources:
            frames += await talk.until("start")
        for turn in range(5):
            for name, source in sources.items():
                source.say(f"{name}-{turn} ")
        for source in sources.values():
            source.finish()
        for _ in sources:
            frames += await talk.until("end")
    for name in sources:
        events = events_of([frame for frame in frames if frame["ref"] == name])
        assert text_of(events) == "".join(f"{name}-{turn} " for turn in range(5))
        assert seqs_of(events) == list(range(1, 9))
    assert served.server.services.runs.started == 20


async def test_the_same_key_is_the_same_run_on_every_transport(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    question = {"q": "hi", "model": "gated"}
    async with (
        talking(served) as talk,
        served.reading("POST", CHAT, json=question, headers={"Idempotency-Key": "k1"}) as reply,
    ):
        await reply.until("start")
        await talk.send("start", "a", body=question, key="k1")
        await talk.send("start", "b", body={**question, "key": "k1"})
        created = await served.client.post(
            CHAT, json=question, headers={"Idempotency-Key": "k1", "Accept": "application/json"}
        )
        source.say("only once")
        source.finish()
        frames = [*await talk.until("end"), *await talk.until("end")]
        by_sse = await reply.rest()
    assert {frame["stream"] for frame in frames if "stream" in frame} == {created.json()["stream_id"]}
    for ref in ("a", "b"):
        events = events_of([frame for frame in frames if frame["ref"] == ref])
        assert json.loads(events[0].data)["resumed"] is True
        assert text_of(events) == text_of(by_sse) == "only once"
    assert source.asked == 1


async def test_where_to_go_on_from(serve):
    served = await serve()
    stream_id = await served.start(chunk_tokens=1, model="synthetic:tokens=9,rate=0")
    await served.until_ended(stream_id)
    last = (await served.log.info(stream_id)).last
    async with talking(served) as talk:
        for after in (0, 1, last - 1):
            await talk.send("attach", "a", stream_id=stream_id, after=after)
            events = events_of(await talk.until("end"))
            hello = json.loads(events[0].data)
            assert (hello["after"], hello["resumed"], hello["gap"]) == (after, True, False)
            assert seqs_of(events) == list(range(after + 1, last + 1))
        for after in (last, last + 5):
            assert await talk.ask("attach", "a", stream_id=stream_id, after=after) == {
                "ref": "a",
                "event": "end",
                "status": 204,
            }
        await talk.send("attach", "a", stream_id=stream_id, snapshot=True)
        snapshot = events_of(await talk.until("end"))
        assert [event.event for event in snapshot] == ["hello", "delta", "metadata", "done"]
        assert text_of(snapshot) == (await served.log.info(stream_id)).text


async def test_a_trimmed_stream_says_that_there_is_a_gap(serve, monkeypatch):
    served = await serve()
    stream_id = await served.start()
    await served.until_ended(stream_id)
    info = await served.log.info(stream_id)

    async def trimmed(_stream_id):
        return type(info)(**{name: getattr(info, name) for name in info.__struct_fields__} | {"first": 3})

    monkeypatch.setattr(served.log, "info", trimmed)
    async with talking(served) as talk:
        await talk.send("attach", "a", stream_id=stream_id, after=1)
        hello, end = await talk.until("end")
    assert json.loads(hello["data"])["gap"] is True
    assert end["status"] == 200


async def test_a_heartbeat_for_each_stream(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    async with talking(served) as talk:
        await talk.send("start", "fast", body={"q": "hi", "model": "gated"}, heartbeat_s=0.05)
        frames = await talk.until("start")
        await talk.send("attach", "slow", stream_id=frames[0]["stream"], heartbeat_s=300)
        frames += await talk.until("start", "slow")
        for _ in range(3):
            frames += await talk.until("ping")
        source.finish()
        frames += await talk.until("end")
        frames += await talk.until("end")
    assert {frame["ref"] for frame in frames if frame["event"] == "ping"} == {"fast"}
    beats = {frame["ref"]: json.loads(frame["data"])["heartbeat_s"] for frame in frames if frame["event"] == "hello"}
    assert beats == {"fast": 0.05, "slow": 300}


async def test_stop_tune_leave_ping(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    async with talking(served) as talk:
        pong = await talk.ask("ping", "p")
        assert pong["event"] == "ok"
        assert json.loads(pong["data"])["node"] == served.server.services.node
        await talk.send("start", "a", body={"q": "hi", "model": "gated", "chunk_tokens": 100, "chunk_ms": 60_000})
        stream_id = (await talk.until("start"))[0]["stream"]
        await talk.send("attach", "b", stream_id=stream_id)
        await talk.until("start", "b")
        source.say("one ", "two ")
        tuned = await talk.ask("tune", "t", stream_id=stream_id, changes={"chunk_tokens": 1})
        assert json.loads(tuned["data"]) == {
            "stream_id": stream_id,
            "status": "tuned",
            "changes": {"chunk_tokens": 1},
        }
        source.say("three ")
        await talk.until("delta", "a")
        await talk.send("leave", "a")
        assert (await talk.until("end", "a"))[-1]["status"] == 200
        assert await talk.ask("leave", "never was") == {"ref": "never was", "event": "end", "status": 200}
        stopped = await talk.ask("stop", "s", stream_id=stream_id)
        assert json.loads(stopped["data"]) == {"stream_id": stream_id, "status": "stopping"}
        done = (await talk.until("done"))[-1]
        assert (done["ref"], json.loads(done["data"])["reason"]) == ("b", "stopped")
        await talk.until("end", "b")
        for op, fields in (("stop", {}), ("tune", {"changes": {"delay_ms": 5}})):
            late = await talk.ask(op, "late", stream_id=stream_id, **fields)
            assert json.loads(late["data"])["status"] == "ended"
    async with asyncio.timeout(5):
        await source.closed.wait()


@pytest.mark.parametrize(
    ("op", "fields", "refused"),
    [
        ("start", {"body": {}}, (400, "question_required")),
        ("start", {"body": {"q": "x" * 10_001}}, (413, "question_too_long")),
        ("start", {"body": {"q": "hi", "speed": 3}}, (400, "invalid_request")),
        ("start", {"body": {"q": "hi", "model": "gpt"}}, (400, "invalid_request")),
        ("start", {"body": {"q": "hi"}, "key": "a b"}, (400, "invalid_request")),
        ("start", {"body": {"q": "hi"}, "key": 7}, (400, "invalid_request")),
        ("start", {"body": {"q": "hi"}, "heartbeat_s": 0}, (400, "invalid_request")),
        ("start", {"body": []}, (400, "invalid_request")),
        ("attach", {"stream_id": UNKNOWN}, (404, "not_found")),
        ("attach", {"stream_id": "x"}, (404, "not_found")),
        ("attach", {"stream_id": 7}, (400, "invalid_request")),
        ("attach", {"stream_id": "LIVE", "after": 99}, (400, "invalid_request")),
        ("attach", {"stream_id": "LIVE", "after": -1}, (400, "invalid_request")),
        ("attach", {"stream_id": "LIVE", "snapshot": "perhaps"}, (400, "invalid_request")),
        ("stop", {"stream_id": UNKNOWN}, (404, "not_found")),
        ("tune", {"stream_id": UNKNOWN, "changes": {"chunk_tokens": 1}}, (404, "not_found")),
        ("tune", {"stream_id": "LIVE", "changes": {"chunk_tokens": 0}}, (400, "invalid_request")),
        ("tune", {"stream_id": "LIVE", "changes": {"model": "x"}}, (400, "invalid_request")),
        ("dance", {}, (400, "invalid_request")),
        ("ping", {"speed": 3}, (400, "invalid_request")),
    ],
)
async def test_a_refusal_has_the_status_that_it_has_over_http(serve, gated, op, fields, refused):
    served = await serve(sources={"gated": gated()})
    live = await served.start(model="gated")
    given = {name: live if value == "LIVE" else value for name, value in fields.items()}
    async with talking(served) as talk:
        frame = await talk.ask(op, "r", lang="ar", **given)
        assert refusal_of(frame) == refused
        if op not in {"dance", "ping"}:
            assert any("\u0621" <= letter <= "\u064a" for letter in json.loads(frame["data"])["message"])
        assert (await talk.ask("ping", "p"))["event"] == "ok"
    assert served.server.services.runs.started == 1


async def test_an_expired_stream_is_told_from_an_unknown_one(serve):
    served = await serve()
    stream_id = await served.start()
    await served.until_ended(stream_id)
    served.log._expire_s = 0.0
    await served.server.services.runs.sweep()
    async with talking(served) as talk:
        assert refusal_of(await talk.ask("attach", "a", stream_id=stream_id)) == (410, "expired")


async def test_a_full_server_says_when_to_come_again(serve, gated):
    served = await serve(sources={"gated": gated()}, max_runs=1)
    await served.start(model="gated")
    async with talking(served) as talk:
        refused = await talk.ask("start", "a", body={"q": "hi"})
        assert refusal_of(refused) == (503, "overloaded")
        assert refused["retry_after_s"] > 0


BAD = {
    "no JSON": "{",
    "no object": "[1]",
    "nothing": "",
    "a number": "7",
    "no ref": '{"op": "ping"}',
    "an empty ref": '{"op": "ping", "ref": ""}',
    "a ref that is a number": '{"op": "ping", "ref": 7}',
    "a long ref": json.dumps({"op": "ping", "ref": "r" * 65}),
    "no op": '{"ref": "r"}',
    "half a pair": '{"op": "start", "ref": "r", "body": {"q": "\\ud800"}}',
    "deep": '{"op": "start", "ref": "r", "body": ' + '{"a":' * 5000 + "1" + "}" * 5001,
    "binary": b'{"op": "ping", "ref": "r"}',
    "long": json.dumps({"op": "start", "ref": "r", "body": {"q": "x" * (1 << 20)}}),
}


@pytest.mark.parametrize("message", BAD.values(), ids=BAD.keys())
async def test_a_frame_that_cannot_be_read_is_said_and_breaks_nothing(serve, message):
    served = await serve()
    async with talking(served) as talk:
        await talk.say(message)
        frame = await talk.next()
        assert refusal_of(frame) == (400, "invalid_request")
        assert (await talk.ask("ping", "p"))["event"] == "ok"
    assert served.server.services.runs.started == 0


async def test_a_message_without_end_ends_its_socket_only(serve):
    served = await serve()
    async with talking(served) as other:
        wire = await upgraded(served)
        await wire.send(b"\x81\xff" + struct.pack("!Q", MAX_MESSAGE_BYTES + 1))
        assert (await wire.rest())[2:4] == struct.pack("!H", 1009)
        await wire.cut()
        assert (await other.ask("ping", "p"))["event"] == "ok"


async def test_who_has_proven_nothing_may_say_little(serve, token_file):
    served = await serve(token_file=token_file)
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    long = json.dumps({"op": "ping", "ref": "p", "lang": "x" * MAX_UNPROVEN_BYTES})
    asked = {"q": "hi", "model": "synthetic:tokens=2,rate=0"}
    made = (await served.client.post(CHAT, json=asked, headers={**bearer, "Accept": "application/json"})).json()
    ticket = {"stream_id": made["stream_id"], "ticket": made["ticket"]}
    async with talking(served) as nobody:
        await nobody.say(long)
        assert await nobody.closed() == 1009
    async with talking(served, **bearer) as proven:
        await proven.say(long)
        assert (await proven.next())["event"] == "ok"
    async with talking(served) as later:
        assert refusal_of(await later.ask("attach", "a", stream_id="0" * 32, ticket="wrong")) == (401, "unauthorized")
        await later.ask("attach", "a", **ticket)
        await later.until("end")
        await later.say(long)
        assert (await later.next())["event"] == "ok"


async def test_who_has_proven_nothing_does_not_stay(serve, token_file, monkeypatch):
    monkeypatch.setattr("sse_server.handlers.websocket.UNPROVEN_S", 0.2)
    served = await serve(token_file=token_file)
    async with talking(served, Authorization=f"Bearer {TOKEN}") as proven:
        nobody = await Talk.open(served.url + SOCKET)
        assert await nobody.closed() == 1001
        await nobody.close()
        assert (await proven.ask("ping", "p"))["event"] == "ok"


async def test_a_ref_is_taken_while_its_stream_lasts(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    async with talking(served) as talk:
        await talk.send("start", "a", body={"q": "hi", "model": "gated"})
        await talk.until("start")
        await talk.send("start", "a", body={"q": "hi", "model": "gated"})
        assert (await talk.next())["ref"] == "", "the stream under this ref goes on"
        source.finish()
        await talk.until("end")
    assert source.asked == 1


async def test_a_socket_carries_so_many_streams(serve, gated):
    served = await serve(sources={"gated": gated()})
    stream_id = await served.start(model="gated")
    async with talking(served) as talk:
        for number in range(MAX_STREAMS):
            await talk.send("attach", f"r{number}", stream_id=stream_id)
        refused = await talk.ask("attach", "more", stream_id=stream_id)
        assert refusal_of(refused) == (503, "overloaded")
        await talk.send("leave", "r0")
        await talk.until("end", "r0")
        assert (await talk.ask("attach", "more", stream_id=stream_id))["event"] == "hello"


async def test_tickets_open_their_stream_and_no_other(serve, gated, token_file):
    served = await serve(sources={"gated": gated()}, token_file=token_file)
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    asked = {"json": {"q": "hi", "model": "gated"}, "headers": {**bearer, "Accept": "application/json"}}
    mine, other = [(await served.client.post(CHAT, **asked)).json() for _ in range(2)]
    read_only = served.server.services.tickets.issue(mine["stream_id"], frozenset({"read"}))
    async with talking(served) as talk:
        assert refusal_of(await talk.ask("start", "a", body={"q": "hi"})) == (401, "unauthorized")
        assert refusal_of(await talk.ask("attach", "a", stream_id=mine["stream_id"])) == (401, "unauthorized")
        wrong = await talk.ask("attach", "a", stream_id=mine["stream_id"], ticket=mine["ticket"] + "x")
        assert refusal_of(wrong) == (401, "unauthorized")
        for ref, run in (("a", mine), ("b", other)):
            assert (await talk.ask("attach", ref, stream_id=run["stream_id"], ticket=run["ticket"]))["event"] == "hello"
        crossed = await talk.ask("attach", "c", stream_id=mine["stream_id"], ticket=other["ticket"])
        assert refusal_of(crossed) == (404, "not_found")
        assert refusal_of(await talk.ask("start", "c", body={"q": "hi"}, ticket=mine["ticket"])) == (403, "forbidden")
        refused = await talk.ask("stop", "s", stream_id=mine["stream_id"], ticket=read_only)
        assert refusal_of(refused) == (403, "forbidden")
        stopped = await talk.ask("stop", "s", stream_id=mine["stream_id"], ticket=mine["ticket"])
        assert stopped["event"] == "ok"
    async with talking(served, **bearer) as talk:
        assert (await talk.ask("start", "a", body={"q": "hi"}))["event"] == "hello"
        await talk.until("end")


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"Origin": "https://evil.example"}, "", 403),
        ({"Origin": "null"}, "", 403),
        ({"Host": "evil.example"}, "", 403),
        ({"Authorization": "Bearer wrong"}, "", 401),
        ({}, "?ticket=wrong", 401),
    ],
)
async def test_who_is_not_let_in(serve, token_file, headers, query, status):
    served = await serve(token_file=token_file)
    with pytest.raises(HTTPClientError) as refused:
        await Talk.open(served.url + SOCKET + query, **headers)
    assert refused.value.code == status


async def test_pages_of_the_server_and_of_listed_origins_are_let_in(serve):
    served = await serve(allow_origin=("https://lab.example",))
    for origin in (served.url, "https://lab.example"):
        async with talking(served, Origin=origin) as talk:
            assert (await talk.ask("ping", "p"))["event"] == "ok"


async def test_a_request_that_is_no_websocket_is_told(serve, error_of):
    served = await serve()
    answer = await served.client.get(SOCKET)
    assert error_of(answer)[:2] == (426, "invalid_request")
    assert "Upgrade" in error_of(answer)[2]
    assert (await served.client.post(SOCKET)).status_code == 405
    wire = await served.wire()
    await wire.ask("GET", SOCKET, **{**HANDSHAKE, "Sec_WebSocket_Version": "8"})
    assert (await wire.head())[0] == 426
    await wire.cut()


def masked(text):
    """Return a client's text frame; a mask of zeros leaves its bytes as they are."""
    data = text.encode()
    return struct.pack("!BBH", 0x81, 0xFE, len(data)) + bytes(4) + data


async def upgraded(served):
    wire = await served.wire()
    await wire.ask("GET", SOCKET, **HANDSHAKE)
    assert (await wire.head())[0] == 101
    return wire


async def test_a_reader_that_stays_behind_is_let_go_and_comes_back(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source}, send_timeout_s=0.2)
    stream_id = await served.start(model="gated", chunk_tokens=1)
    piece = "x" * (1 << 20)
    wire = await upgraded(served)
    wire.reader._limit = 1024  # it stops reading from the socket once this much is held
    await wire.send(masked(json.dumps({"op": "attach", "ref": "a", "stream_id": stream_id})))
    await served.until(lambda: served.server.services.counters.connections == 1)
    for _ in range(40):
        source.say(piece)
    await served.until(lambda: not served.server.services.sockets)
    source.finish()
    await served.until_ended(stream_id)
    async with talking(served) as talk:
        await talk.send("attach", "a", stream_id=stream_id)
        assert text_of(events_of(await talk.until("end"))) == piece * 40
    await wire.cut()


async def test_a_torn_handshake_or_frame_breaks_nothing(serve):
    served = await serve()
    for data in (b"\x81", b"\xff\xff\xff\xff", masked("{}")[:5], b"\x83\x80\0\0\0\0", b"\x81\x81\0\0\0\0\xff"):
        wire = await upgraded(served)
        await wire.send(data)
        await wire.cut()
    await served.until(lambda: not served.server.services.sockets)
    async with talking(served) as talk:
        assert (await talk.ask("ping", "p"))["event"] == "ok"


async def test_cut_at_every_message_nothing_is_lost_and_nothing_comes_twice(serve):
    served = await serve()
    question = {"q": "hi", "model": "synthetic:tokens=40,rate=0,lang=mixed", "chunk_tokens": 1}
    whole = text_of(Parser().feed((await served.client.post(CHAT, json=question)).content))
    for kept in range(44):
        async with talking(served) as talk:
            await talk.send("start", "a", body=question, key=f"key-{kept}")
            frames = [await talk.next() for _ in range(kept + 1)]
        after = int(frames[-1]["id"].rpartition(":")[2])
        async with talking(served) as talk:
            await talk.send("attach", "a", stream_id=frames[0]["stream"], after=after)
            frames += await talk.until("end")
        events = [event for event in events_of(frames) if event.event != "hello"]
        assert text_of(events) == whole
        assert seqs_of(events) == list(range(1, len(events) + 1))
    assert served.server.services.runs.started == 45


async def test_a_server_that_ends_says_so_and_closes(serve, gated):
    served = await serve(sources={"gated": gated()})
    talk = await Talk.open(served.url + SOCKET)
    await talk.send("start", "a", body={"q": "hi", "model": "gated"})
    await talk.until("start")
    served.http.stop()
    await served.server.close()
    frames = await talk.until("end")
    assert json.loads(frames[-2]["data"])["code"] == "shutdown"
    assert await talk.closed() == 1001
    await talk.close()


async def test_health_counts_sockets_and_streams(serve, gated):
    served = await serve(sources={"gated": gated()})
    async with talking(served) as talk:
        await talk.send("start", "a", body={"q": "hi", "model": "gated"})
        await talk.until("start")
        health = (await served.client.get("/api/v1/stream/health")).json()
        assert (health["sockets"], health["connections"]) == (1, 1)
    assert served.server.services.counters.sockets == 0
