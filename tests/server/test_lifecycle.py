"""How runs, connections and the process begin and end: nobody waits for ever, nothing outlives its reason."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rig.serving import CHAT, RUNS, data_of
from sse_widget.protocol.sse import Parser

LIMIT_S = 20.0


async def test_pings_keep_a_silent_stream_alive(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source}, heartbeat_s=0.05)
    async with served.reading("POST", CHAT, json={"q": "hi", "model": "gated"}) as reply:
        assert [event.event for event in await reply.until("ping")] == ["hello", "start", "ping"]
        ping = await reply.next()
        assert (ping.event, ping.data) == ("ping", '"🔧"')
        source.say("text.")
        assert (await reply.until("delta"))[-1].event == "delta"
        source.finish()
        events = await reply.rest()
    assert events[-1].event == "done"
    assert served.server.services.counters.pings >= 2


async def test_a_reader_may_ask_for_its_own_heartbeat(serve, gated):
    served = await serve(sources={"gated": gated()})
    async with served.reading("GET", CHAT, params={"q": "hi", "model": "gated", "heartbeat_s": 0.05}) as reply:
        events = await reply.until("ping")
        assert data_of(events[0])["heartbeat_s"] == 0.05


async def test_a_client_that_leaves_does_not_stop_the_run(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    async with served.reading("POST", CHAT, json={"q": "hi", "model": "gated", "chunk_tokens": 1}) as reply:
        await reply.until("start")
        stream_id = reply.headers["x-stream-id"]
    await served.until_idle()
    source.say("nobody ", "listens ")
    source.finish()
    await served.until_ended(stream_id)
    events = await served.events("GET", RUNS + stream_id)
    assert [event.event for event in events] == ["hello", "start", "delta", "delta", "metadata", "done"]
    assert data_of(events[-1])["reason"] == "stop"


async def test_leaving_is_noticed_without_a_write(serve, gated):
    served = await serve(sources={"gated": gated()}, heartbeat_s=300.0)
    wires = [await served.wire() for _ in range(20)]
    for wire in wires:
        await wire.ask("GET", CHAT + "?q=hi&model=gated")
        await wire.read_until(b"event: start\n")
    assert served.server.services.counters.connections == 20
    for number, wire in enumerate(wires):
        if number % 2:
            wire.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await wire.cut()
    await served.until_idle()
    assert served.server.services.runs.running == 20


async def stuck_reader(served, stream_id):
    """Open a connection that asks and then takes no byte."""
    wire = await served.wire()
    wire.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.writer.transport.pause_reading()
    await wire.ask("GET", RUNS + stream_id)
    return wire


async def test_a_reader_that_takes_nothing_is_dropped_and_another_goes_on(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source}, send_timeout_s=0.3)
    stream_id = await served.start(model="gated", chunk_tokens=1)
    stuck = await stuck_reader(served, stream_id)
    async with served.reading("GET", RUNS + stream_id) as reply:
        await reply.until("start")
        await served.until(lambda: served.server.services.counters.connections == 2)
        text = "x" * 100_000
        while served.server.services.counters.connections == 2:
            source.say(text)
            assert data_of(await reply.next()) == {"text": text}
        source.finish()
        assert (await reply.rest())[-1].event == "done"
    await stuck.cut()
    await served.until_idle()


async def test_stuck_readers_of_a_long_answer_cost_little_memory(serve, tracked_memory):
    served = await serve(model="synthetic:tokens=100000,rate=0", send_timeout_s=30.0)
    stream_id = await served.start(chunk_tokens=1)
    await served.until_ended(stream_id)
    whole = sum(map(len, served.log._streams[stream_id].frames))
    assert whole > 5 << 20
    with tracked_memory() as grown:
        wires = [await stuck_reader(served, stream_id) for _ in range(20)]
        await served.until(lambda: served.server.services.counters.connections == 20)
        for _ in range(50):
            await asyncio.sleep(0)
    assert grown.peak_bytes < 20 * (2 << 20) < 20 * whole, "each reader holds a batch, never the stream"
    for wire in wires:
        await wire.cut()
    await served.until_idle()


async def test_an_unread_run_is_ended(serve, gated):
    source = gated()
    now = [0.0]
    served = await serve(sources={"gated": source}, unread_limit_s=300.0)
    served.log._clock = lambda: now[0]
    stream_id = await served.start(model="gated", chunk_tokens=1)
    source.say("unread ")
    await served.until_seq(stream_id, 2)
    now[0] = 299.0
    await served.server.services.runs.sweep()
    assert not source.closed.is_set()
    now[0] = 300.0
    await served.server.services.runs.sweep()
    await served.until_ended(stream_id)
    assert source.closed.is_set()
    error = (await served.events("GET", RUNS + stream_id))[-1]
    assert error.id == f"{stream_id}:3"
    assert (data_of(error)["code"], data_of(error)["retryable"]) == ("unread_limit", False)
    assert "300" in data_of(error)["message"]


async def test_a_run_with_a_reader_is_not_ended(serve, gated):
    source = gated()
    now = [0.0]
    served = await serve(sources={"gated": source}, unread_limit_s=300.0)
    served.log._clock = lambda: now[0]
    async with served.reading("POST", CHAT, json={"q": "hi", "model": "gated"}) as reply:
        await reply.until("start")
        now[0] = 1e6
        await served.server.services.runs.sweep()
        source.say("still here.")
        await reply.until("delta")
        source.finish()
        assert (await reply.rest())[-1].event == "done"


async def test_the_sweeper_works_by_itself(serve, gated, monkeypatch):
    monkeypatch.setattr("sse_server.runs.SWEEP_S", 0.01)
    served = await serve(sources={"gated": gated()}, unread_limit_s=0.02, expire_s=0.01)
    stream_id = await served.start(model="gated")
    await served.until(lambda: stream_id not in served.log._streams)
    assert (await served.client.get(RUNS + stream_id)).status_code == 410


@pytest.mark.parametrize("reading", [True, False])
async def test_delete_stops_the_model(serve, gated, reading):
    source = gated()
    served = await serve(sources={"gated": source})
    stream_id = await served.start(model="gated", chunk_tokens=5, chunk_ms=60_000)
    source.say("half ", "a ")
    await asyncio.sleep(0)
    async with served.reading("GET", RUNS + stream_id) as reply:
        if reading:
            await reply.until("start")
        answer = await served.client.delete(RUNS + stream_id)
        assert (answer.status_code, answer.json()) == (202, {"stream_id": stream_id, "status": "stopping"})
        await source.closed.wait()
        events = await reply.rest()
    assert [event.event for event in events][-3:] == ["delta", "metadata", "done"]
    assert data_of(events[-3]) == {"text": "half a "}
    assert data_of(events[-1])["reason"] == "stopped"
    again = await served.client.delete(RUNS + stream_id)
    assert (again.status_code, again.json()["status"]) == (202, "ended")
    assert served.server.services.runs.running == 0


async def test_patch_tunes_a_running_answer(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    fields = {"q": "hi", "model": "gated", "chunk_tokens": 3, "chunk_ms": 60_000, "flush_on_punctuation": False}
    async with served.reading("POST", CHAT, json=fields) as reply:
        stream_id = reply.headers["x-stream-id"]
        await reply.until("start")
        source.say("a. ", "b. ", "c. ")
        assert data_of(await reply.next())["text"] == "a. b. c. "
        source.say("d. ")
        answer = await served.client.patch(RUNS + stream_id, json={"chunk_tokens": 1})
        assert answer.status_code == 202
        assert answer.json()["changes"] == {"chunk_tokens": 1}
        assert data_of(await reply.next())["text"] == "d. "
        source.say("e. ")
        assert data_of(await reply.next())["text"] == "e. "
        source.finish()
        await reply.rest()
    late = await served.client.patch(RUNS + stream_id, json={"chunk_tokens": 1})
    assert (late.status_code, late.json()["status"]) == (202, "ended")


async def test_more_runs_than_the_limit_are_refused_until_one_ends(serve, gated, error_of):
    source = gated()
    served = await serve(sources={"gated": source}, max_runs=3)
    ids = [await served.start(model="gated") for _ in range(3)]
    for accept in ("text/event-stream", "application/json"):
        answer = await served.client.post(CHAT, json={"q": "hi"}, headers={"Accept": accept})
        assert error_of(answer)[:2] == (503, "overloaded")
        assert answer.headers["retry-after"] == "5"
    await served.client.delete(RUNS + ids[0])
    await served.until_ended(ids[0])
    assert (await served.client.post(CHAT, json={"q": "hi"})).status_code == 200
    assert len(served.log._streams) == 4, "a refused run leaves nothing behind"


async def test_a_storm_of_questions_leaves_nothing_behind(serve):
    served = await serve(model="synthetic:tokens=30,rate=0", max_runs=16)
    answers = await asyncio.gather(*[served.client.post(CHAT, json={"q": str(n)}) for n in range(150)])
    assert {answer.status_code for answer in answers} <= {200, 503}
    for answer in answers:
        assert Parser().feed(answer.content)[-1].event in {"done", "error"}
    assert served.server.services.runs.running == 0
    assert served.server.services.counters.connections == 0
    assert all(not stream.waiters and not stream.readers for stream in served.log._streams.values())


async def test_closing_ends_runs_and_tells_their_readers(serve, gated, error_of):
    source = gated()
    served = await serve(sources={"gated": source})
    async with served.reading("POST", CHAT, json={"q": "hi", "model": "gated"}) as reply:
        await reply.until("start")
        closing = asyncio.create_task(served.server.close())
        events = await reply.rest()
        await closing
    assert data_of(events[-1])["code"] == "shutdown"
    assert data_of(events[-1])["retryable"] is True
    assert source.closed.is_set()
    refused = await served.client.post(CHAT, json={"q": "hi"})
    assert error_of(refused)[:2] == (503, "shutdown")
    assert "retry-after" in refused.headers


def read_to_end(url, said, **fields):
    """Run curl, tell when it has the first delta, and return its process."""
    process = subprocess.Popen(
        ["curl", "-sN", "--max-time", "30", "-d", json.dumps({"q": "hi", **fields}), url + CHAT], stdout=subprocess.PIPE
    )
    for line in process.stdout:
        said.append(line)
        if line.startswith(b"event: delta"):
            return process
    raise AssertionError(b"".join(said))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_running_streams_with_their_terminal_event(server_process, number):
    server = server_process("--model", "synthetic:tokens=100000,rate=100")
    said = []
    readers = [read_to_end(server.url, said) for _ in range(3)]
    assert server.end(number) == 0
    for reader in readers:
        rest = reader.communicate(timeout=LIMIT_S)[0]
        assert reader.returncode == 0, "the body was ended as HTTP says"
        events = Parser().feed(rest[rest.index(b"event: ") :])
        assert events[-1].event == "error"
        assert data_of(events[-1])["code"] == "shutdown"
        assert events[-1].id
    assert "Traceback" not in server.log_file.read_text("utf-8")


def test_a_signal_right_after_the_start_ends_cleanly(server_process):
    for model in ("synthetic:", "local"):
        assert server_process("--model", model).end() == 0


def test_a_reader_that_takes_nothing_does_not_hold_up_the_end(server_process):
    server = server_process("--model", "synthetic:tokens=100000,rate=0")
    with socket.create_connection(("127.0.0.1", server.port)) as stuck:
        stuck.sendall(f"GET {CHAT}?q=hi&chunk_tokens=1 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert stuck.recv(1)
        assert server.end() == 0


def test_the_server_ends_with_its_standard_input(server_process):
    server = server_process("--model", "synthetic:rate=10", "--exit-with-stdin", stdin=subprocess.PIPE)
    said = []
    reader = read_to_end(server.url, said)
    server.process.stdin.write("some input\n")
    server.process.stdin.flush()
    server.process.stdin.close()
    assert server.process.wait(LIMIT_S) == 0
    assert b'"shutdown"' in reader.communicate(timeout=LIMIT_S)[0]


def test_standard_input_that_cannot_be_watched_is_refused():
    done = subprocess.run(
        [sys.executable, "-m", "sse_server", "--port", "0", "--exit-with-stdin", "--model", "synthetic:"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 2
    assert "--exit-with-stdin needs a pipe" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_backlog_takes_a_crowd(server_process):
    server = server_process("--model", "synthetic:")
    listing = subprocess.run(
        ["ss", "-Hltn", f"sport = :{server.port}"], capture_output=True, text=True, check=True, timeout=LIMIT_S
    ).stdout
    system_limit = int(Path("/proc/sys/net/core/somaxconn").read_text("utf-8"))
    assert int(listing.split()[2]) == min(4096, system_limit)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        crowd = [socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_S) for _ in range(500)]
    finally:
        os.kill(server.pid, signal.SIGCONT)
    for member in crowd:
        member.sendall(b"GET /api/v1/stream/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    for member in crowd:
        with member:
            assert member.recv(100).startswith(b"HTTP/1.1 200")


def test_the_ready_file_holds_the_url_and_the_port_is_taken(server_process):
    server = server_process("--model", "synthetic:")
    assert server.said == f"sse-server listens on {server.url} (model: synthetic:)\n"
    assert server.url == f"http://127.0.0.1:{server.port}"
    assert [path.name for path in server.ready_file.parent.iterdir() if "ready" in path.name] == ["ready"]
    second = subprocess.run(
        [sys.executable, "-m", "sse_server", "--port", str(server.port), "--model", "synthetic:"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert second.returncode == 2
    assert "cannot listen" in second.stderr
    assert "Traceback" not in second.stderr
