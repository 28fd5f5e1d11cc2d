"""A real Prometheus with the files of infra/ reads a real server: every graph of the dashboard can be drawn."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from rig.nginx import unused_port
from rig.process import Program, ServerProcess
from rig.proxies import INFRA, changed, program
from rig.serving import CHAT, PATIENCE_S

TOKEN = "prometheus-and-readers"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
QUICK = {"q": "?", "model": "synthetic:tokens=5,rate=0"}


@contextmanager
def prometheus(server, folder):
    """Run it with infra's configuration, but for where the servers and the token are and how often it looks."""
    (folder / "token").write_text(TOKEN, "utf-8")
    moved = {
        "/run/secrets/token": str(folder / "token"),
        "server1:8765, server2:8765": urlsplit(server.url).netloc,
        "scrape_interval: 5s": "scrape_interval: 250ms\n  scrape_timeout: 250ms",
        "evaluation_interval: 15s": "evaluation_interval: 250ms",
    }
    config = folder / "prometheus.yml"
    config.write_text(changed((INFRA / "prometheus" / "prometheus.yml").read_text("utf-8"), moved), "utf-8")
    (folder / "alerts.yml").write_bytes((INFRA / "prometheus" / "alerts.yml").read_bytes())
    port = unused_port()
    flags = [f"--config.file={config}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"]
    running = Program([program("prometheus"), *flags], folder / "prometheus.log")
    try:
        running.wait_for("Server is ready to receive web requests")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=PATIENCE_S, trust_env=False) as client:
            yield client
    finally:
        running.end()


def use(server):
    """Have something to count of each kind: answers, pings, a refusal, a reader that comes again."""
    with httpx.Client(base_url=server.url, headers=HEADERS, timeout=PATIENCE_S, trust_env=False) as client:
        assert client.post(CHAT, json=QUICK).status_code == 200
        slow = {"q": "?", "model": "synthetic:tokens=2,rate=2", "heartbeat_s": 0.1}
        stream = client.post(CHAT, json=slow).headers["X-Stream-Id"]
        again = {"Last-Event-ID": f"{stream}:1", "X-SSE-Reconnect": "2; reason=cut"}
        client.get(f"/api/v1/stream/runs/{stream}", headers=again)
        assert client.post(CHAT, json={**QUICK, "model": "nobody's"}).status_code == 400


def drawn():
    board = json.loads((INFRA / "grafana" / "dashboards" / "sse-server.json").read_text("utf-8"))
    return [
        pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
        for panel in board["panels"]
        for target in panel.get("targets", [])
    ]


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    secret = tmp_path_factory.mktemp("secret") / "token"
    secret.write_text(TOKEN, "utf-8")
    server = ServerProcess(
        tmp_path_factory.mktemp("server"), ("--model=synthetic:", "--rate-limit=off", f"--token-file={secret}")
    )
    try:
        with prometheus(server, tmp_path_factory.mktemp("prometheus")) as client:
            until(client, "up", lambda rows: rows and rows[0]["value"][1] == "1")
            use(server)
            yield client, server
    finally:
        server.end()


def rows_of(client, expression):
    answer = client.get("/query", params={"query": expression}).json()
    assert answer["status"] == "success", answer
    return answer["data"]["result"]


def until(client, expression, holds):
    """Return the rows of a query once they are as they should be; Prometheus tells nobody, so it is asked again."""
    ends = time.monotonic() + PATIENCE_S
    while not holds(rows := rows_of(client, expression)):
        assert time.monotonic() < ends, (expression, rows)
        time.sleep(0.05)
    return rows


@pytest.mark.parametrize("expression", drawn())
def test_every_graph_has_something_to_draw(expression, asked):
    client, _ = asked
    rows = until(client, expression.replace("$__rate_interval", "1m").replace("$instance", ".*"), bool)
    assert len(rows) <= 20


def test_the_alerts_are_read_and_silent_before_a_server_that_is_well(asked):
    client, _ = asked
    rules = [rule for group in client.get("/rules").json()["data"]["groups"] for rule in group["rules"]]
    assert len(rules) == 6
    assert all(rule.get("lastError", "") == "" for rule in rules)
    assert rows_of(client, "sse_ready == 0 or up == 0") == []
