"""Workers that are killed: another takes the seat, readers get an honest end, and nobody outlives the parent."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from contextlib import suppress

import httpx
import pytest

from rig.fleet import workers_of
from rig.process import until_gone
from rig.redis import redis_server
from rig.serving import CHAT, PATIENCE_S, RUNS
from sse_widget.protocol.sse import Parser

SLOW = "synthetic:tokens=200,rate=25"


@pytest.fixture
def start(tmp_path, server_process):
    with redis_server(tmp_path) as redis:
        yield lambda **options: server_process(
            "--model",
            SLOW,
            "--log",
            redis.url,
            "--workers",
            "2",
            "--rate-limit",
            "off",
            "--exit-with-stdin",
            stdin=subprocess.PIPE,
            **options,
        )


async def until(holds):
    """Return once something holds that no event tells."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


def created(url):
    answer = httpx.post(url + CHAT, json={"q": "hi"}, headers={"Accept": "application/json"}, trust_env=False)
    assert answer.status_code == 201, answer.text
    return answer.json()["stream_id"]


def ending_of(url, run):
    answer = httpx.get(url + RUNS + run, timeout=2 * PATIENCE_S, trust_env=False)
    return Parser().feed(answer.content)[-1]


async def test_a_worker_that_is_killed_is_replaced_and_its_runs_end_honestly(start):
    server = start()
    before = workers_of(server.pid)
    runs = [created(server.url) for _ in range(12)]
    os.kill(min(before), signal.SIGKILL)
    await until(lambda: len(workers_of(server.pid) - before) == 1)
    runs += [created(server.url) for _ in range(12)]
    endings = [ending_of(server.url, run) for run in runs]
    lost = [event for event in endings if event.event == "error"]
    assert {json.loads(event.data)["code"] for event in lost} == {"producer_lost"}
    assert {event.event for event in endings[:12]} == {"done", "error"}, "each worker had some"
    assert {event.event for event in endings[12:]} == {"done"}
    assert server.end() == 0


async def test_workers_that_always_crash_end_the_server(start):
    server = start()
    killed = set()
    while server.process.poll() is None:
        for pid in workers_of(server.pid) - killed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        await asyncio.sleep(0.01)
    assert server.process.wait() == 1
    assert "giving up" in server.log_file.read_text("utf-8")
    for pid in killed:
        until_gone(pid)


@pytest.mark.parametrize("how", ["kill -9", "standard input", "ctrl-c"])
async def test_no_worker_outlives_the_parent(start, how):
    server = start(start_new_session=True)
    pids = workers_of(server.pid)
    run = created(server.url)
    if how == "kill -9":
        server.process.kill()
    elif how == "standard input":
        server.process.stdin.close()
    else:
        os.killpg(server.pid, signal.SIGINT)
    status = await asyncio.to_thread(server.process.wait, PATIENCE_S)
    assert status == (-signal.SIGKILL if how == "kill -9" else 0)
    for pid in pids:
        until_gone(pid)
    assert "Traceback" not in server.log_file.read_text("utf-8")
    assert run
