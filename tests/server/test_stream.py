"""What a stream is on the wire: its events, headers and timing, one token at a time."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import zlib

import pytest

from rig.serving import CHAT, RUNS, text_of
from sse_widget.protocol.sse import Parser


async def curl(*arguments):
    process = await asyncio.create_subprocess_exec(
        "curl", "-sN", "--max-time", "20", *arguments, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out


async def test_a_client_of_http_1_0_sees_the_end_also_when_it_asks_to_stay(serve):
    served = await serve()
    out = await curl("--http1.0", "-H", "Connection: keep-alive", f"{served.url}{CHAT}?q=hi")
    assert Parser().feed(out)[-1].event == "done"


@pytest.mark.parametrize("lang", ["en", "ar", "zh", "emoji", "mixed", "markdown"])
async def test_curl_prints_the_whole_stream(serve, lang):
    served = await serve(model=f"synthetic:tokens=60,rate=0,lang={lang}")
    out = await curl("-D", "-", "--get", "--data-urlencode", "q=ما هو البث؟ 👩‍👩‍👧", served.url + CHAT)
    head, _, body = out.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert status == "HTTP/1.1 200 OK"
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert re.fullmatch("[0-9a-f]{32}", stream_id := headers["x-stream-id"])
    assert "content-encoding" not in headers
    assert body.startswith(b"retry: ")

    events = Parser().feed(body)
    names = [event.event for event in events]
    assert names[:2] == ["hello", "start"]
    assert names[-2:] == ["metadata", "done"]
    assert set(names[2:-2]) == {"delta"}
    assert [event.id for event in events] == [f"{stream_id}:{seq}" for seq in range(len(events))]
    text = text_of(events)
    done = json.loads(events[-1].data)
    assert done == {"reason": "stop", "tokens": 60, "chars": len(text), "crc32": zlib.crc32(text.encode())}
    assert json.loads(events[-2].data).keys() == {"model_used", "tokens_used", "elapsed_seconds"}
    assert "\\u" not in body.decode()


async def test_hello_says_what_a_reader_must_know(serve):
    served = await serve(heartbeat_s=7.0)
    hello = (await served.events("GET", CHAT, params={"q": "hi", "conversation_id": "talk-1"}))[0]
    data = json.loads(hello.data)
    assert abs(data.pop("ts") - __import__("time").time()) < 60
    assert data == {
        "model": "synthetic:tokens=20,rate=0",
        "stream_id": hello.id.removesuffix(":0"),
        "conversation_id": "talk-1",
        "resumed": False,
        "after": 0,
        "gap": False,
        "heartbeat_s": 7.0,
        "node": served.server.services.node,
    }


async def test_each_delta_arrives_before_the_next_token_is_made(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    words = ["one ", "اثنان ", "三", "👩‍👩‍👧‍👦", "five"]
    async with served.reading("POST", CHAT, json={"q": "count", "model": "gated", "chunk_tokens": 1}) as reply:
        await reply.until("start")
        for word in words:
            source.say(word)
            assert json.loads((await reply.next()).data) == {"text": word}
        source.finish()
        assert [event.event for event in await reply.rest()] == ["metadata", "done"]


async def test_head_and_hello_arrive_before_the_first_token(serve, gated):
    served = await serve(sources={"gated": gated()})
    wire = await served.wire()
    await wire.ask("GET", CHAT + "?q=hi&model=gated")
    assert (await wire.head())[0] == 200
    await wire.read_until(b"event: hello\n")
    await wire.read_until(b"event: start\n")
    await wire.cut()


async def test_two_runs_do_not_mix(serve, gated):
    first, second = gated(), gated()
    served = await serve(sources={"a": first, "b": second})
    async with (
        served.reading("GET", CHAT, params={"q": "1", "model": "a", "chunk_tokens": 1}) as one,
        served.reading("GET", CHAT, params={"q": "2", "model": "b", "chunk_tokens": 1}) as two,
    ):
        await one.until("start")
        await two.until("start")
        for turn in range(5):
            second.say(f"b{turn} ")
            assert json.loads((await two.next()).data) == {"text": f"b{turn} "}
            first.say(f"a{turn} ")
            assert json.loads((await one.next()).data) == {"text": f"a{turn} "}
        first.finish()
        second.finish()
        assert (await one.rest())[-1].event == (await two.rest())[-1].event == "done"


async def test_many_readers_of_one_run_see_the_same_bytes(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    stream_id = await served.start(model="gated", chunk_tokens=1)
    wires = [await served.wire() for _ in range(8)]
    for wire in wires:
        await wire.ask("GET", RUNS + stream_id, Connection="close")
        await wire.read_until(b"event: start\n")
    source.say("a", "b", "c")
    source.finish()
    tails = {await wire.rest() for wire in wires}
    assert len(tails) == 1
    assert b"event: done" in tails.pop()
    for wire in wires:
        await wire.cut()
    assert source.asked == 1


async def test_json_answer_names_the_run_and_streams_nothing(serve):
    served = await serve()
    answer = await served.client.post(CHAT, json={"q": "hi"}, headers={"Accept": "application/json"})
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["location"] == body["url"] == RUNS + body["stream_id"]
    assert answer.headers["x-stream-id"] == body["stream_id"]
    events = await served.events("GET", body["url"], headers={"Authorization": f"Ticket {body['ticket']}"})
    assert events[-1].event == "done"


async def test_get_streams_whatever_it_accepts(serve):
    served = await serve()
    for accept in ("text/event-stream", "*/*", "application/json", ""):
        answer = await served.client.get(CHAT, params={"q": "hi"}, headers={"Accept": accept})
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"


async def test_nothing_is_compressed(serve):
    served = await serve()
    answer = await served.client.get(CHAT, params={"q": "hi"}, headers={"Accept-Encoding": "gzip, br, zstd, deflate"})
    assert "content-encoding" not in answer.headers


async def test_http_1_0_is_served_without_chunks(serve):
    served = await serve()
    wire = await served.wire()
    await wire.send(f"GET {CHAT}?q=hi HTTP/1.0\r\n\r\n".encode())
    head, _, body = (await wire.rest()).partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert Parser().feed(body)[-1].event == "done"
    await wire.cut()


async def test_one_connection_serves_one_question_after_the_other(serve):
    served = await serve()
    wire = await served.wire()
    for _ in range(3):
        await wire.ask("GET", CHAT + "?q=hi")
        assert (await wire.head())[0] == 200
        await wire.read_until(b"\r\n0\r\n\r\n")
    await wire.cut()


async def test_a_stream_far_longer_than_a_batch_arrives_whole(serve):
    served = await serve(model="synthetic:tokens=30000,rate=0,lang=mixed")
    stream_id = await served.start(chunk_tokens=1)
    await served.until_ended(stream_id)
    events = await served.events("GET", RUNS + stream_id)
    text = text_of(events)
    done = json.loads(events[-1].data)
    assert [event.id for event in events] == [f"{stream_id}:{seq}" for seq in range(len(events))]
    assert (done["tokens"], done["chars"], done["crc32"]) == (30000, len(text), zlib.crc32(text.encode()))


async def test_the_page_and_its_scripts_are_served(serve):
    served = await serve()
    page = await served.client.get("/")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "text/html" in page.headers["content-type"]
    assert "javascript" in (await served.client.get("/sse.js")).headers["content-type"]
    for path in ("/../app.py", "/..%2f..%2fpyproject.toml", "/%2e%2e/errors.py", "//etc/passwd", "/etc/passwd"):
        assert (await served.client.get(path)).status_code in {403, 404}, path


async def test_health_and_clock(serve):
    served = await serve()
    before = (await served.client.get("/api/v1/stream/health")).json()
    await served.events("GET", CHAT, params={"q": "hi"})
    await served.until_idle()
    after = (await served.client.get("/api/v1/stream/health")).json()
    assert after["status"] == "ok"
    assert after["connections"] == after["runs"] == 0
    assert after["writes"] > before["writes"]
    clock = (await served.client.get("/api/v1/clock")).json()
    assert clock.keys() == {"received", "sent"}
    assert all(isinstance(value, int) for value in clock.values())


async def test_nagle_is_off_so_that_small_events_do_not_wait(serve, gated):
    served = await serve(sources={"gated": gated()})
    wire = await served.wire()
    await wire.ask("GET", CHAT + "?q=hi&model=gated")
    await wire.read_until(b"event: start\n")
    connection = next(iter(served.http._connections))
    assert connection.stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    await wire.cut()
