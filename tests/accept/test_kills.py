"""Processes that are killed in every way: no model is left behind, no reader is left without an end."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from rig.process import until_gone
from rig.serving import CHAT
from sse_widget.protocol.sse import Parser

STORY = {"q": "Write a very long story about the sea.", "max_tokens": 1500, "chunk_tokens": 1, "temperature": 0}
LIMIT_S = 30.0
ROUNDS = 12


def children_of(pid):
    return {
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text("utf-8").split()
    }


def until_all_gone(pids, limit_s=LIMIT_S):
    """Return the seconds until all these processes have ended."""
    began = time.monotonic()
    for pid in pids:
        until_gone(pid, limit_s)
    return time.monotonic() - began


def until_child(pid):
    """Return the children of a process once it has one; nothing announces that but its folder in /proc."""
    began = time.monotonic()
    while not (found := children_of(pid)):
        assert time.monotonic() - began < LIMIT_S
        time.sleep(0.005)
    return found


class Answer:
    """An answer that is being read."""

    def __init__(self, client, **fields):
        self._response = client.stream("POST", CHAT, json={**STORY, **fields})
        self._chunks = self._response.__enter__().iter_raw()
        self._parser = Parser()
        self.events = []

    def until(self, name):
        while not any(event.event == name for event in self.events):
            self.events += self._parser.feed(next(self._chunks))

    def until_count(self, count):
        while len(self.events) < count:
            self.events += self._parser.feed(next(self._chunks))

    def rest(self):
        try:
            for chunk in self._chunks:
                self.events += self._parser.feed(chunk)
            cut = False
        except httpx.RemoteProtocolError:
            cut = True
        self._response.__exit__(None, None, None)
        return cut


@pytest.fixture
def ask(server_process):
    """Return a factory of (server, client, answer that streams, the server's children)."""
    clients = []

    def start(*flags, **options):
        server = server_process("--model", "local", *flags, **options)
        clients.append(httpx.Client(base_url=server.url, timeout=LIMIT_S, trust_env=False))
        answer = Answer(clients[-1])
        answer.until("delta")
        pids = children_of(server.pid)
        assert len(pids) == 1
        return server, clients[-1], answer, pids

    yield start
    for client in clients:
        client.close()


def test_kill_9_of_the_server_takes_the_model_with_it(ask):
    server, _, answer, pids = ask()
    server.end(signal.SIGKILL)
    print(f"kill -9: the model was gone after {1000 * until_all_gone(pids):.0f} ms")
    assert answer.rest(), "without a terminal event the body must not look whole"
    assert answer.events[-1].event == "delta"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_answer_and_the_model(ask, number):
    server, _, answer, pids = ask()
    began = time.monotonic()
    assert server.end(number) == 0
    print(f"{number.name}: the server ended after {1000 * (time.monotonic() - began):.0f} ms")
    until_all_gone(pids, 1.0)
    assert not answer.rest()
    assert answer.events[-1].event == "error"
    assert json.loads(answer.events[-1].data)["code"] == "shutdown"


def test_ctrl_c_reaches_the_whole_group_and_the_answer_still_ends_as_a_shutdown(ask):
    server, _, answer, pids = ask(start_new_session=True)
    os.killpg(server.pid, signal.SIGINT)
    assert server.process.wait(LIMIT_S) == 0
    until_all_gone(pids, 1.0)
    assert not answer.rest()
    assert json.loads(answer.events[-1].data)["code"] == "shutdown"


def test_the_end_of_standard_input_ends_the_model(ask):
    server, _, answer, pids = ask("--exit-with-stdin", stdin=subprocess.PIPE)
    server.process.stdin.close()
    assert server.process.wait(LIMIT_S) == 0
    until_all_gone(pids, 1.0)
    assert not answer.rest()


def test_a_parent_that_is_killed_takes_the_server_and_the_model_with_it(tmp_path):
    ready = tmp_path / "ready"
    script = (
        "import subprocess, sys\n"
        "server = subprocess.Popen([sys.executable, '-m', 'sse_server', '--port', '0', '--exit-with-stdin',\n"
        f"    '--ready-file', {str(ready)!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "print(server.stdout.readline(), server.pid, flush=True)\n"
        "server.wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        server_pid = int(parent.stdout.readline().split()[-1])
        with httpx.Client(base_url=ready.read_text("utf-8"), timeout=LIMIT_S, trust_env=False) as client:
            answer = Answer(client)
            answer.until("delta")
            pids = {server_pid, *children_of(server_pid)}
            assert len(pids) == 2
            parent.kill()
            until_all_gone(pids)
            answer.rest()
        assert json.loads(answer.events[-1].data)["code"] == "shutdown"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_ends_while_the_model_loads_leaves_nothing(server_process, number):
    """The child reads its life line only once the model is loaded: it must end then."""
    for _ in range(3):
        server = server_process("--model", "local")
        pids = until_child(server.pid)
        server.end(number)
        until_all_gone(pids)


def test_the_model_is_killed_again_and_again(ask):
    server, client, answer, pids = ask()
    pick = random.Random(7)
    for _ in range(ROUNDS):
        answer.until_count(pick.randrange(40))
        os.kill(pids.pop(), pick.choice([signal.SIGKILL, signal.SIGABRT, signal.SIGTERM]))
        assert not answer.rest()
        assert answer.events[-1].event == "error"
        assert json.loads(answer.events[-1].data)["code"] in {"upstream_error", "upstream_truncated"}
        answer = Answer(client)
        answer.until("delta")
        pids = children_of(server.pid)
        assert len(pids) == 1
    client.delete(f"/api/v1/stream/runs/{answer.events[0].id.partition(':')[0]}")
    assert not answer.rest()
    health = client.get("/api/v1/stream/health").json()
    assert (health["runs"], health["connections"]) == (0, 0)
    assert server.end() == 0


def test_questions_are_asked_and_left_and_stopped_in_a_storm(server_process):
    """Random clients for a while: nothing is left running, no file stays open, memory stays where it was."""
    server = server_process("--model", "synthetic:tokens=400,rate=800", "--heartbeat-s", "1")
    pick = random.Random(11)

    def resident_bytes():
        return int(Path(f"/proc/{server.pid}/statm").read_text("utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def open_files():
        return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))

    with httpx.Client(base_url=server.url, timeout=LIMIT_S, trust_env=False) as client:
        client.post(CHAT, json={"q": "warm"})
        files, before = open_files(), resident_bytes()
        for _ in range(150):
            answer = Answer(client, q="hi", max_tokens=pick.randint(1, 60))
            answer.until("hello")
            deed = pick.choice(["read", "leave", "stop"])
            if deed == "stop":
                client.delete(f"/api/v1/stream/runs/{answer.events[0].id.partition(':')[0]}")
            if deed == "leave":
                answer._response.__exit__(None, None, None)
            else:
                assert not answer.rest()
                assert answer.events[-1].event == "done"
        began = time.monotonic()
        while (health := client.get("/api/v1/stream/health").json())["runs"] or health["connections"]:
            assert time.monotonic() - began < LIMIT_S
            time.sleep(0.05)  # the server tells nobody that the last one has left
        print(f"storm: memory grew by {(resident_bytes() - before) / 1e6:.1f} MB")
        assert resident_bytes() - before < 32e6
        assert open_files() <= files + 2
    assert server.end() == 0
    assert "ERROR" not in server.log_file.read_text("utf-8")
