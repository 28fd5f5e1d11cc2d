"""How many may read at once, and how readers are sent away when the server ends."""

from __future__ import annotations

import asyncio
import re

import pytest

from rig.serving import CHAT, RUNS, data_of
from rig.talking import SOCKET, Talk
from sse_server.app import SPREAD_MS
from sse_server.delivery import RETRY_MS
from sse_server.log.base import StreamMeta
from sse_widget.protocol.sse import Event

CAPS = {"max_connections": (503, "overloaded"), "max_streams": (429, "rate_limited")}


@pytest.mark.parametrize("cap", CAPS)
async def test_one_more_than_the_cap_is_refused_until_one_leaves(serve, gated, error_of, cap):
    source = gated()
    served = await serve(sources={"gated": source}, rate_limit="off", **{cap: 2})
    asked = {"q": "hi", "model": "gated"}
    async with served.reading("POST", CHAT, json=asked) as first:
        await first.until("start")
        stream_id = first.headers["x-stream-id"]
        async with served.reading("GET", RUNS + stream_id) as second:
            await second.until("start")
            for method, path, options in [("GET", RUNS + stream_id, {}), ("POST", CHAT, {"json": asked})]:
                refused = await served.client.request(method, path, **options)
                assert error_of(refused)[:2] == CAPS[cap]
                assert refused.headers["retry-after"] == "5"
                assert f"--{cap.replace('_', '-')}" in error_of(refused)[2]
                assert " 2 " in error_of(refused)[2]
            assert served.server.services.runs.started == 1, "a run that its asker cannot read is not begun"
        await served.until(lambda: served.server.services.counters.connections == 1)
        async with served.reading("GET", RUNS + stream_id) as third:
            await third.until("start")
            source.finish()
            assert (await third.rest())[-1].event == "done"
    await served.until_idle()
    assert not served.server.services.caps._open


@pytest.mark.parametrize("stream", [True, False])
async def test_the_front_for_openais_clients_has_the_same_caps(serve, gated, stream):
    served = await serve(sources={"gated": gated()}, max_streams=1)
    async with served.reading("POST", CHAT, json={"q": "hi", "model": "gated"}) as first:
        await first.until("start")
        asked = {"model": "gated", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
        refused = await served.client.post("/v1/chat/completions", json=asked)
        assert refused.status_code == 429
        assert served.server.services.runs.started == 1
    await served.until_idle()


async def test_one_principal_leaves_room_for_others(serve, gated, error_of):
    source = gated()
    tokens = "alice token-of-alice\nbob token-of-bob"
    served = await serve(sources={"gated": source}, rate_limit="off", tokens=tokens, max_runs=3)
    alice, bob = (
        {"Authorization": f"Bearer token-of-{name}", "Accept": "application/json"} for name in ("alice", "bob")
    )

    async def ask(headers):
        return await served.client.post(CHAT, json={"q": "hi", "model": "gated"}, headers=headers)

    runs = [(await ask(alice)).json()["stream_id"] for _ in range(2)]
    refused = await ask(alice)
    assert error_of(refused)[:2] == (429, "rate_limited")
    assert refused.headers["retry-after"] == "5"
    assert " 2 " in error_of(refused)[2]
    assert (await ask(bob)).status_code == 201
    assert error_of(await ask(bob))[:2] == (503, "overloaded")
    await served.client.delete(RUNS + runs[0], headers=alice)
    await served.until_ended(runs[0])
    await served.until(lambda: served.server.services.runs.running == 2)
    assert (await ask(alice)).status_code == 201


async def test_one_principal_alone_has_all_there_is(serve, gated):
    served = await serve(sources={"gated": gated()}, rate_limit="off", tokens="secret", max_runs=2)
    headers = {"Authorization": "Bearer secret", "Accept": "application/json"}
    for _ in range(2):
        asked = await served.client.post(CHAT, json={"q": "hi", "model": "gated"}, headers=headers)
        assert asked.status_code == 201


async def test_sockets_have_a_cap(serve):
    served = await serve(max_connections=1)
    talk = await Talk.open(served.url + SOCKET)
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    refused = await served.client.get(SOCKET, headers={**upgrade, "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="})
    assert refused.status_code == 503
    await talk.close()


async def test_a_ticket_counts_as_the_one_whose_stream_it_is(serve, gated, error_of, tmp_path):
    token_file = tmp_path / "token"
    token_file.write_text("secret", "utf-8")
    served = await serve(sources={"gated": gated()}, token_file=str(token_file), max_streams=1)
    bearer = {"Authorization": "Bearer secret"}
    asked = {"json": {"q": "hi", "model": "gated"}, "headers": {**bearer, "Accept": "application/json"}}
    made = (await served.client.post(CHAT, **asked)).json()
    async with served.reading("GET", RUNS + made["stream_id"], headers=bearer) as first:
        await first.until("start")
        refused = await served.client.get(RUNS + made["stream_id"], params={"ticket": made["ticket"]})
        assert error_of(refused)[:2] == (429, "rate_limited")


async def test_readers_of_what_goes_on_elsewhere_come_again_at_different_times(serve):
    served = await serve()
    here = await served.log.info(await served.start())
    stream_id, _ = await served.log.create(StreamMeta(here.meta.owner, "model", ""), "")
    await served.log.append(stream_id, [Event("start", "{}")])
    wires = [await served.wire() for _ in range(20)]
    for wire in wires:
        await wire.ask("GET", RUNS + stream_id, Connection="close")
        await wire.read_until(b"event: start\n")
    closing = asyncio.create_task(served.server.close())
    said = [await wire.rest() for wire in wires]
    await closing
    for wire in wires:
        await wire.cut()
    waits_ms = [int(re.findall(rb"\nretry: (\d+)\n\n", body)[-1]) for body in said]
    assert all(body.endswith(b"\r\n0\r\n\r\n") for body in said), "an end as HTTP has it, without a terminal event"
    assert all(RETRY_MS <= wait_ms < RETRY_MS + SPREAD_MS for wait_ms in waits_ms)
    assert len(set(waits_ms)) > 10
    assert max(waits_ms) - min(waits_ms) > SPREAD_MS / 4


async def test_readers_of_what_ends_here_are_told_its_end_and_no_wait(serve, gated):
    served = await serve(sources={"gated": gated()})
    async with served.reading("POST", CHAT, json={"q": "hi", "model": "gated"}) as reply:
        await reply.until("start")
        await served.server.close()
        assert data_of((await reply.rest())[-1])["code"] == "shutdown"
        assert reply._parser.retry_ms == RETRY_MS
