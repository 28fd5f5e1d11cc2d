"""Servers on one SQLite file, killed in the middle: what a reader saw is still there, and every run has an end."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from collections import Counter
from contextlib import aclosing, suppress

import httpx
import pytest

from rig.serving import CHAT, PATIENCE_S, RUNS, data_of, seqs_of, text_of
from sse_widget.protocol.sse import Parser

KILLS = 50
STREAMS = 20
LOST_LIMIT_S = 10.0
MODEL = "synthetic:tokens=4000,rate=250,lang=mixed,seed={seed}"
FIELDS = {"q": "go on", "chunk_tokens": 1, "chunk_ms": 0}


@pytest.fixture
def start(server_process, tmp_path):
    """Return a factory of servers on one file."""

    def made():
        log = ["--log", f"sqlite:{tmp_path / 'logs' / 'events.db'}", "--max-log-bytes", str(1 << 30)]
        return server_process(*log, "--model", "synthetic:")

    return made


async def read(client, method, url, seen, until=lambda: False, **options):
    """Add the numbered events of a response to `seen` until it ends or enough is there; return its hello."""
    parser, hello = Parser(), None
    with suppress(httpx.RemoteProtocolError, httpx.ReadError, httpx.ConnectError):
        async with client.stream(method, url, **options) as response:
            assert response.status_code == 200
            async with aclosing(response.aiter_raw()) as chunks:
                async for chunk in chunks:
                    for event in parser.feed(chunk):
                        if event.event == "hello":
                            hello = data_of(event)
                        elif event.id:
                            seen.append(event)
                    if until():
                        break
    return hello


def connected(server):
    limits = httpx.Limits(max_connections=200)
    return httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_S, trust_env=False, limits=limits)


async def killed_in_the_middle(server, client, dice):
    """Let 20 streams run, kill the server when some number of events has arrived; return what each reader saw."""
    readers = [[] for _ in range(STREAMS)]
    enough = dice.randrange(STREAMS, 60 * STREAMS)

    def kill_in_time():
        if sum(map(len, readers)) >= enough:
            server.process.kill()
        return False

    async with asyncio.timeout(PATIENCE_S):
        models = [MODEL.format(seed=dice.randrange(1 << 30)) for _ in readers]
        await asyncio.gather(
            *[
                read(client, "POST", CHAT, seen, kill_in_time, json={**FIELDS, "model": model})
                for seen, model in zip(readers, models, strict=True)
            ]
        )
    assert server.end() == -signal.SIGKILL
    return {seen[0].id.partition(":")[0]: seen for seen in readers if seen}


async def resumed(client, stream_id, seen, dice):
    """Check that a server gives what was seen of a stream again, from a place where the reader may have been."""
    after = dice.randrange(len(seen))
    again = []
    headers = {"Last-Event-ID": f"{stream_id}:{after}"}
    wanted = len(seen) - after
    await read(client, "GET", RUNS + stream_id, again, lambda: len(again) >= wanted, headers=headers)
    assert again[:wanted] == seen[after:]


async def ended(client, room, stream_id, seen):
    """Check a stream from its start to its end, which nobody but the reaper has written."""
    events = []
    async with room, asyncio.timeout(PATIENCE_S):
        hello = await read(client, "GET", RUNS + stream_id, events)
    assert not hello["gap"]
    assert events[: len(seen)] == seen
    assert seqs_of(events) == list(range(1, len(events) + 1))
    assert Counter(event.event for event in events if event.event in {"done", "error"}) == {"error": 1}
    assert data_of(events[-1])["code"] == "producer_lost"
    return len(events)


async def test_nothing_that_a_reader_saw_is_lost_by_fifty_kills(start):
    dice = random.Random(5)
    began = time.monotonic()
    everything, last = {}, {}
    for _ in range(KILLS):
        server = start()
        async with connected(server) as client:
            await asyncio.gather(*[resumed(client, stream_id, seen, dice) for stream_id, seen in last.items()])
            last = await killed_in_the_middle(server, client, dice)
        assert not any(event.event in {"done", "error"} for seen in last.values() for event in seen)
        everything |= last
    server, room = start(), asyncio.Semaphore(STREAMS)
    async with connected(server) as client:
        counts = await asyncio.gather(*[ended(client, room, *each) for each in everything.items()])
    seen = sum(map(len, everything.values()))
    print(
        f"{KILLS} kills, {len(everything)} streams, {seen} events seen, {sum(counts)} held,"
        f" {time.monotonic() - began:.0f} s"
    )
    assert len(everything) > KILLS * STREAMS // 2
    assert seen > 100 * KILLS


async def test_two_processes_on_one_file_are_one_server_until_one_is_gone(start):
    one, two = start(), start()
    seen, rest = [], []
    async with connected(one) as first, connected(two) as second, asyncio.timeout(3 * PATIENCE_S):
        asked = {**FIELDS, "model": MODEL.format(seed=1)}
        await read(first, "POST", CHAT, seen, lambda: len(seen) >= 40, json=asked)
        stream_id, _, seq = seen[-1].id.partition(":")
        resuming = asyncio.create_task(
            read(second, "GET", RUNS + stream_id, rest, headers={"Last-Event-ID": seen[-1].id})
        )
        answer = await second.patch(RUNS + stream_id, json={"chunk_tokens": 5, "chunk_ms": 10_000})
        assert answer.status_code == 202
        while not rest or len(data_of(rest[-1]).get("text", "").split()) < 4:  # noqa: ASYNC110 - what the reader sees
            await asyncio.sleep(0)
        assert (await second.delete(RUNS + stream_id)).status_code == 202
        await resuming
        assert seqs_of(rest) == list(range(int(seq) + 1, int(seq) + 1 + len(rest)))
        assert data_of(rest[-1])["reason"] == "stopped"
        assert data_of(rest[-1])["chars"] == len(text_of(seen + rest))

        lost, end = [], []
        await read(first, "POST", CHAT, lost, lambda: len(lost) >= 20, json=asked)
        following = asyncio.create_task(
            read(second, "GET", RUNS + lost[0].id.partition(":")[0], end, headers={"Last-Event-ID": lost[-1].id})
        )
        one.process.kill()
        killed_at = time.monotonic()
        hello = await following
        assert time.monotonic() - killed_at < LOST_LIMIT_S
        assert (hello["resumed"], hello["gap"]) == (True, False)
        assert json.loads(end[-1].data)["code"] == "producer_lost"
        assert seqs_of(lost + end) == list(range(1, len(lost) + len(end) + 1))
    one.end()
