"""What a server process writes about what it does: one JSON object a line, and no question, query or secret in it."""

from __future__ import annotations

import json
import re

import httpx

from rig.serving import CHAT, RUNS

TOKEN = "correct-horse-battery"
QUESTION = "my-private-question"


def test_each_line_of_a_server_is_an_event_without_a_secret(server_process, tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN)
    server = server_process(
        "--model=synthetic:rate=0,tokens=5", f"--token-file={path}", "--log-format=json", "--heartbeat-s=5"
    )
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        created = client.post(CHAT, json={"q": QUESTION}, headers={"Accept": "application/json", **bearer}).json()
        client.get(RUNS + created["stream_id"], params={"ticket": created["ticket"]})
        client.get(CHAT, params={"q": QUESTION}, headers=bearer)
        client.get(CHAT, params={"q": QUESTION}, headers={"Authorization": "Bearer wrong-token"})
        client.get(f"/api/v1/{QUESTION}?q={QUESTION}")
        client.get(f"/{QUESTION}?q={QUESTION}")
    server.end()
    text = server.log_file.read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    for secret in (QUESTION, TOKEN, "wrong-token", created["ticket"], "owner"):
        assert secret not in text
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert line["level"] in {"info", "warning"}
    ended = [line for line in lines if line["event"] == "run ended"]
    assert ended[0]["stream_id"] == created["stream_id"]
    assert {line["ending"] for line in ended} == {"stop"}
    assert all(line["duration_ms"] >= line["first_token_ms"] >= 0 for line in ended)
    requests = [line for line in lines if line["event"] == "request"]
    said = [(line["method"], line["route"], line["status"], line.get("code")) for line in requests]
    assert said[:5] == [
        ("POST", CHAT, 201, None),
        ("GET", f"{RUNS}{{id}}", 200, None),
        ("GET", CHAT, 200, None),
        ("GET", CHAT, 401, "unauthorized"),
        ("GET", "MissingHandler", 404, "not_found"),
    ]
    assert requests[0]["stream_id"] == requests[1]["stream_id"] == created["stream_id"]
    (alias,) = {line["principal"] for line in [*ended, requests[0], requests[2]]}
    assert re.fullmatch(r"[0-9a-f]{12}", alias)
    assert "principal" not in requests[1]  # a ticket's bearer has no name
    assert "principal" not in requests[3]
