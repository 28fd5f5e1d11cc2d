"""Several workers on one port and one Redis: whoever is asked, the answer is the same."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import httpx
import pytest

from rig.fleet import workers_of
from rig.process import until_gone
from rig.redis import redis_server
from rig.serving import CHAT, PATIENCE_S, RUNS
from sse_server.config import ConfigError, read_config
from sse_widget.protocol.sse import Parser

SLOW = "synthetic:tokens=100000,rate=50"


@pytest.mark.parametrize("count", ["0", "-1", "1000"])
def test_how_many_workers_there_may_be(count):
    with pytest.raises(ConfigError, match="from 1 to 256"):
        read_config(["--workers", count, "--log", "redis://127.0.0.1/0"], {})


def test_workers_that_share_no_log_are_refused():
    with pytest.raises(ConfigError, match=r"redis://.*sqlite:"):
        read_config(["--workers", "2"], {})
    assert read_config(["--workers", "2", "--log", "redis://127.0.0.1/0"], {}).workers == 2


def test_what_one_worker_refuses_ends_the_server_at_once(tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("a name with too many words", "utf-8")
    with redis_server(tmp_path) as redis:
        flags = ("--workers", "2", "--log", redis.url, "--token-file", str(tokens), "--port", "0")
        command = [sys.executable, "-m", "sse_server", "--model", SLOW, *flags]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert ended.returncode == 2
    assert "sse-server: the token file" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "listens on" not in ended.stdout


@pytest.mark.parametrize(("model", "warned"), [("a-model.gguf", True), (SLOW, False)])
def test_workers_that_each_load_the_model_say_so(tmp_path, server_process, model, warned):
    server = server_process("--model", model, "--workers", "2", "--log", f"sqlite:{tmp_path / 'log'}")
    said = server.log_file.read_text("utf-8")
    assert said.count("each of the 2 workers runs a-model.gguf by itself") == warned
    assert ("--openai-url" in said) == warned


def ask(server, method, path, **options):
    """Ask over a connection of its own, which any worker may get."""
    with httpx.Client(base_url=server.url, trust_env=False, timeout=PATIENCE_S) as client:
        return client.request(method, path, **options)


def test_workers_share_port_runs_commands_and_tickets(tmp_path, server_process):
    token = tmp_path / "token"
    token.write_text("one-random-token", "utf-8")
    with redis_server(tmp_path) as redis:
        flags = ("--log", redis.url, "--workers", "2", "--token-file", str(token), "--rate-limit", "off")
        server = server_process("--model", SLOW, *flags)
        nodes = {ask(server, "GET", "/api/v1/stream/health").json()["node"] for _ in range(64)}
        assert len(nodes) == 2
        headers = {"Authorization": "Bearer one-random-token", "Accept": "application/json"}
        made = ask(server, "POST", CHAT, json={"q": "hi"}, headers=headers).json()
        ticket = {"Authorization": f"Ticket {made['ticket']}"}
        read_at = set()
        for _ in range(16):
            answer = ask(server, "GET", RUNS + made["stream_id"] + "?once=1", headers=ticket)
            assert answer.status_code == 200
            read_at.add(json.loads(Parser().feed(answer.content)[0].data)["node"])
        assert read_at == nodes, "both workers read the run, and take the ticket"
        for _ in range(8):
            assert ask(server, "PATCH", RUNS + made["stream_id"], json={"chunk_tokens": 9}, headers=ticket).is_success
        assert ask(server, "DELETE", RUNS + made["stream_id"], headers=ticket).status_code == 202
        events = Parser().feed(ask(server, "GET", RUNS + made["stream_id"], headers=ticket).content)
        assert json.loads(events[-1].data)["reason"] == "stopped"
        pids = workers_of(server.pid)
        assert len(pids) == 2
        assert server.end(signal.SIGTERM) == 0
        for pid in pids:
            until_gone(pid)
