"""Three server processes on one Redis: whatever is killed, readers get each event once, and an honest end."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from contextlib import asynccontextmanager

import httpx
import pytest

from rig.fleet import Fleet, Reader
from rig.redis import redis_server
from rig.serving import CHAT, PATIENCE_S, RUNS
from sse_widget.protocol.checksum import Checksum

SEED = 20261123
NODES = 3
MODEL = "synthetic:tokens=180,rate=18,lang=mixed,jitter=0.5"
SHORT = "synthetic:tokens=60,rate=20,lang=mixed,jitter=0.5"
KILLS = 6
FLAGS = ("--model", MODEL, "--max-runs", "300", "--rate-limit", "off")


@asynccontextmanager
async def fleet_on(folder, server, *flags):
    fleet = Fleet(folder, NODES, "--log", server.url, *FLAGS, *flags)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S, limits=limits) as client:
            yield fleet, client
    finally:
        fleet.end()


def check_text(reader, ending):
    """Compare what was read with what the model says: all of it after `done`, a beginning of it after anything else."""
    if ending.code == "done":
        assert reader.text == reader.expected
        checksum = Checksum()
        checksum.add(reader.text)
        assert f'"crc32":{checksum.crc32}' in reader.events[-1].data
    else:
        assert reader.expected.startswith(reader.text)


class Progress:
    """Counts the events of all readers, for whoever waits for so many."""

    def __init__(self):
        self.count = 0
        self._changed = asyncio.Condition()
        self._marks = []

    def told(self, _event):
        self.count += 1
        while self._marks and self._marks[0][0] <= self.count:
            self._marks.pop(0)[1].set()

    async def reach(self, count):
        mark = asyncio.Event()
        self._marks = sorted([*self._marks, (count, mark)], key=lambda each: each[0])
        async with asyncio.timeout(2 * PATIENCE_S):
            await mark.wait()


async def ask_until(over, readers, reader_of, told):
    """Ask one question after the other, and one last when it is over."""
    while True:
        last = over.is_set()
        readers.append(reader_of(len(readers)))
        reader = readers[-1]
        reader.ending = await reader.read(told)
        if last:
            return


async def test_nodes_are_killed_and_started_again_while_200_streams_go_on(tmp_path):
    pick = random.Random(SEED)
    readers = []
    over = asyncio.Event()
    progress = Progress()
    with redis_server(tmp_path) as server:
        async with fleet_on(tmp_path, server) as (fleet, client):

            def reader_of(number):
                return Reader(client, fleet, number, SHORT, random.Random(number))

            load = [asyncio.create_task(ask_until(over, readers, reader_of, progress.told)) for _ in range(200)]
            for _ in range(KILLS):
                await progress.reach(progress.count + pick.randrange(1500, 4000))
                await fleet.replace(pick.randrange(NODES))
            over.set()
            await asyncio.gather(*load)
    codes = Counter(reader.ending.code for reader in readers)
    print(f"\n{codes}, {len(fleet.killed)} kills, {sum(reader.connections for reader in readers)} connections")
    assert set(codes) == {"done", "producer_lost"}
    lost = [reader for reader in readers if reader.ending.code == "producer_lost"]
    for reader in readers:
        check_text(reader, reader.ending)
        assert not reader.ending.refused
    for reader in lost:
        assert fleet.killed.keys() & set(reader.asked), "no run is ended whose node lives"
    waits = [reader.ended_s - fleet.killed_after(reader.began_s, reader.asked) for reader in lost]
    print(f"producer_lost came {min(waits):.1f} to {max(waits):.1f} s after the kill of its node")


async def new_answer(client, fleet, number):
    """Ask each node once more, and check the answer."""
    for index, node in enumerate(fleet.nodes):
        one = type(fleet).__new__(type(fleet))
        one.nodes = [node]
        reader = Reader(client, one, number + index, "synthetic:tokens=12,rate=0", random.Random(number))
        ending = await reader.read()
        assert ending.code == "done"
        check_text(reader, ending)


async def refused(client, node):
    """Ask until the node says that it cannot reach the log; return how it says so."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        answers = [
            await client.post(node.url + CHAT, json={"q": "hi"}),
            await client.get(node.url + RUNS + "0" * 32),
        ]
        if all(answer.status_code == 503 for answer in answers):
            return answers
    raise AssertionError(answers)


@pytest.mark.parametrize("keeps", [True, False], ids=["with its data", "without its data"])
async def test_redis_is_killed_and_started_again(tmp_path, keeps):
    streams = 60
    with redis_server(tmp_path, keeps=keeps) as server:
        async with fleet_on(tmp_path, server) as (fleet, client):
            pids = [node.pid for node in fleet.nodes]
            progress = Progress()
            readers = [Reader(client, fleet, number, MODEL, random.Random(number)) for number in range(streams)]
            reading = [asyncio.create_task(reader.read(progress.told)) for reader in readers]
            await progress.reach(streams * 15)
            await asyncio.to_thread(server.end, signal.SIGKILL)
            for node in fleet.nodes:
                for answer in await refused(client, node):
                    assert int(answer.headers["retry-after"]) > 0
                    assert b"log_unavailable" in answer.content
            await asyncio.to_thread(server.start)
            endings = await asyncio.gather(*reading)
            await new_answer(client, fleet, 1000)
            assert [node.pid for node in fleet.nodes] == pids
            assert [node.process.poll() for node in fleet.nodes] == [None] * NODES
            logs = fleet.logs
    codes = Counter(ending.code for ending in endings)
    print(f"\n{codes}, refusals {Counter(code for reader in readers for code in reader.refusals)}")
    for reader, ending in zip(readers, endings, strict=True):
        check_text(reader, ending)
    assert set(codes) == ({"done"} if keeps else {"not_found"})
    assert logs.count("the log cannot be reached") >= NODES
    assert "the log is reached again" in logs
    assert "Traceback" not in logs
