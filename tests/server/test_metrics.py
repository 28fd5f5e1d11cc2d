"""The metrics as Prometheus reads them: what is counted, by which labels, for whom; and whether a server is ready."""

from __future__ import annotations

import asyncio
import re
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rig.serving import CHAT, PATIENCE_S, RUNS
from rig.talking import SOCKET, Talk
from sse_server import metrics
from sse_server.counters import KINDS, Counters, model_kind, reconnect_reason
from sse_server.errors import ServerError
from sse_server.log.base import LogUnavailableError
from sse_server.loop_lag import EVERY_S, LoopLag

METRICS = "/api/v1/stream/metrics"
READY = "/api/v1/stream/ready"
TOKEN = "correct-horse-battery"


async def scraped(served, **headers):
    """Return {(name, label values): value} of a scrape."""
    answer = await served.client.get(METRICS, headers=headers)
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


async def test_the_table_of_metrics_says_what_is_exposed(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    stream_id = await served.start(model="gated")
    source.say("token")
    source.finish()
    await served.until_ended(stream_id)
    answer = await served.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    exposed = {}
    for family in text_string_to_metric_families(answer.text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        exposed[name] = (family.type, {label for one in family.samples for label in one.labels} - {"le"})
    told = {}
    for names, kind, labels in re.findall(r"^\| (`sse_.*?) \| (\w+) \| (.*?) ?\|", metrics.__doc__, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", names):
            told[name] = (kind, set(re.findall(r"\w+", labels)))
    ours = {name: shape for name, shape in exposed.items() if name.startswith("sse_")}
    unseen = {"sse_errors_total", "sse_reconnects_total"}  # nothing went wrong, so their labels do not show
    assert ours.keys() == told.keys()
    assert {name: shape for name, shape in ours.items() if name not in unseen} == {
        name: shape for name, shape in told.items() if name not in unseen
    }
    assert {"process_resident_memory_bytes", "process_cpu_seconds_total", "python_info"} <= exposed.keys()


async def test_openmetrics_for_those_who_ask_for_it(serve):
    served = await serve()
    answer = await served.client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")


async def test_connections_are_counted_by_their_transport_while_they_stream(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    stream_id = await served.start(model="gated")
    await served.until_seq(stream_id, 1)
    talk = await Talk.open(served.url + SOCKET)
    await talk.send("attach", "1", stream_id=stream_id)
    poll = f"{RUNS}{stream_id}?once=1&after=1&heartbeat_s={PATIENCE_S}"
    polling = asyncio.create_task(served.client.get(poll, headers={"Accept": "application/json"}))
    async with served.reading("GET", RUNS + stream_id) as reply:
        await reply.until("start")
        await served.until(lambda: served.server.services.counters.connections == 3)
        during = await scraped(served)
        source.say("one")
        source.finish()
        await reply.rest()
    await polling
    await served.until_idle()
    await talk.close()
    await served.until(lambda: served.server.services.counters.sockets == 0)
    after = await scraped(served)
    for transport in ("sse", "websocket", "poll"):
        assert during["sse_connections", transport] == 1
        assert after["sse_connections", transport] == 0
        assert after["sse_connection_duration_seconds_count", transport] == 1
    assert (during["sse_websockets",], after["sse_websockets",]) == (1, 0)
    assert (during["sse_runs",], after["sse_runs",]) == (1, 0)


async def test_what_was_sent_is_counted_in_events_and_bytes(serve):
    served = await serve()
    answer = await served.client.get(f"{CHAT}?q=hi")
    await served.until_idle()
    seen = await scraped(served)
    assert seen["sse_events_sent_total",] == answer.text.count("\nid: ") - 1  # hello has an id and is not logged
    assert seen["sse_sent_bytes_total",] == len(answer.content)
    size = await served.log.size()
    assert (seen["sse_log_bytes",], seen["sse_log_streams",]) == (size.bytes, 1)
    assert size.bytes > len(answer.content) / 2


async def test_the_time_to_the_first_token_and_of_the_whole_stream(serve):
    served = await serve()
    await served.client.get(f"{CHAT}?q=hi&model=synthetic:tokens=5,rate=0,ttft_ms=60")
    await served.until(lambda: served.server.services.runs.running == 0)
    seen = await scraped(served)
    assert seen["sse_time_to_first_token_seconds_count", "synthetic"] == 1
    assert seen["sse_time_to_first_token_seconds_sum", "synthetic"] >= 0.06
    assert seen["sse_time_to_first_token_seconds_bucket", "synthetic", "0.05"] == 0
    assert seen["sse_time_to_first_token_seconds_bucket", "synthetic", "+Inf"] == 1
    assert seen["sse_stream_duration_seconds_sum", "stop"] >= seen["sse_time_to_first_token_seconds_sum", "synthetic"]


async def test_errors_are_counted_by_code_and_by_where_they_were_said(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    await served.client.get(CHAT)
    await served.client.get(f"{RUNS}{'0' * 32}")
    await served.client.get(f"{RUNS}{'1' * 32}")
    source.fail(ServerError("upstream_truncated"))
    await served.client.get(f"{CHAT}?q=hi&model=gated")
    talk = await Talk.open(served.url + SOCKET)
    await talk.send("start", "1", body={})
    await talk.until("error")
    await talk.close()
    seen = await scraped(served)
    assert seen["sse_errors_total", "question_required", "request"] == 2
    assert seen["sse_errors_total", "not_found", "request"] == 2
    assert seen["sse_errors_total", "upstream_truncated", "stream"] == 1
    assert seen["sse_stream_duration_seconds_count", "error"] == 1


async def test_reconnects_are_counted_by_the_reason_that_the_client_gives(serve):
    served = await serve()
    stream_id = await served.start()
    await served.until_ended(stream_id)
    for header in ("connection=2; reason=cut", "connection=3; reason=cut", "connection=4", "connection=5; reason=huh"):
        await served.client.get(RUNS + stream_id, headers={"X-SSE-Reconnect": header})
    talk = await Talk.open(served.url + SOCKET)
    await talk.send("attach", "1", stream_id=stream_id, reason="held_back", connection=2)
    await talk.until("end")
    await talk.close()
    seen = await scraped(served)
    reasons = {name[1]: value for name, value in seen.items() if name[0] == "sse_reconnects_total"}
    assert reasons == {"cut": 2, "other": 1, "held_back": 1}


@pytest.mark.parametrize(
    ("said", "label"),
    [("network", "network"), ("http_503", "http_5xx"), ("http_429", "http_4xx"), ("http_999", "other"), ("x", "other")],
)
def test_a_reason_is_a_known_word_or_other(said, label):
    assert reconnect_reason(said) == label


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("synthetic:tokens=5", "synthetic"),
        ("openai:gpt-x", "openai"),
        ("local", "local"),
        ("my.gguf", "local"),
        ("mine", "other"),
        ("patient-7:", "other"),
    ],
)
def test_a_model_is_a_known_kind_or_other(model, kind):
    assert model_kind(model) == kind


async def test_nothing_that_a_client_says_makes_a_new_series(serve):
    served = await serve()
    before = set(await scraped(served))
    for number in range(20):
        await served.client.get(
            f"{CHAT}?q=hi&model=m{number}", headers={"X-SSE-Reconnect": f"connection=2; reason=r{number}"}
        )
        await served.client.get(f"/api/v1/stream/nothing{number}?conversation_id=c{number}")
    new = set(await scraped(served)) - before
    assert new == {
        ("sse_errors_total", "invalid_request", "request"),
        ("sse_errors_total", "not_found", "request"),
        ("sse_reconnects_total", "other"),
    }
    assert "other" in KINDS


async def test_each_server_of_a_process_counts_for_itself(serve):
    one, other = await serve(), await serve()
    await one.client.get(f"{CHAT}?q=hi")
    assert (await scraped(one))["sse_runs_started_total", "synthetic"] == 1
    assert (await scraped(other))["sse_runs_started_total", "synthetic"] == 0


async def test_metrics_need_the_token_and_no_ticket_opens_them(serve, tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN)
    served = await serve(token_file=str(path))
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    created = await served.client.post(CHAT, json={"q": "hi"}, headers={"Accept": "application/json", **bearer})
    ticket = created.json()["ticket"]
    for url in (METRICS, "/metrics"):
        assert (await served.client.get(url)).status_code == 401
        assert (await served.client.get(url, headers={"Authorization": "Bearer wrong"})).status_code == 401
        assert (await served.client.get(f"{url}?ticket={ticket}")).status_code == 403
        assert (await served.client.get(url, headers=bearer)).status_code == 200
    assert (await served.client.get(READY)).status_code == 200


async def test_ready_until_the_server_drains(serve):
    served = await serve()
    answer = await served.client.get(READY)
    assert (answer.status_code, answer.json()["status"], answer.json()["problems"]) == (200, "ready", [])
    await served.server.services.runs.close()
    answer = await served.client.get(READY, headers={"Accept-Language": "ar"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    (problem,) = answer.json()["problems"]
    assert problem["code"] == "shutdown"
    assert "الخادم" in problem["message"]
    assert (await scraped(served))["sse_ready",] == 0


@pytest.mark.parametrize("failure", [OSError("gone"), ValueError("corrupt")], ids=["unreachable", "unreadable"])
async def test_not_ready_while_the_log_does_not_answer(serve, monkeypatch, failure):
    served = await serve()

    async def broken(_stream_id):
        raise failure

    monkeypatch.setattr(served.log, "info", broken)
    answer = await served.client.get(READY)
    assert answer.status_code == 503
    (problem,) = answer.json()["problems"]
    assert problem["code"] == "log_unavailable"
    assert answer.json()["log"] == "memory"
    seen = await scraped(served)
    assert seen["sse_ready",] == 0
    assert ("sse_log_bytes",) not in seen
    monkeypatch.undo()
    assert (await served.client.get(READY)).status_code == 200


async def test_a_scrape_outlives_a_log_that_goes_away_while_it_is_asked(serve, monkeypatch):
    served = await serve()

    async def broken():
        raise LogUnavailableError("gone")

    monkeypatch.setattr(served.log, "size", broken)
    seen = await scraped(served)
    assert seen["sse_ready",] == 1
    assert ("sse_log_bytes",) not in seen


async def test_the_lag_of_the_event_loop_is_what_blocked_it():
    counters = Counters()
    lag = LoopLag(counters.loop_lag_s)
    lag.start()
    time.sleep(EVERY_S + 0.2)  # noqa: ASYNC251 - this is what blocks the loop
    async with asyncio.timeout(PATIENCE_S):
        while not sum(counters.loop_lag_s.counts):  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0)
    lag.stop()
    assert counters.loop_lag_s.sum >= 0.2


async def test_the_dashboard_says_that_it_needs_the_token(serve, tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN)
    served = await serve(token_file=str(path))
    answer = await served.client.get("/admin/dashboard")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "dashboard.js" in answer.text
    answer = await served.client.get("/admin/dashboard", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    foreign = await served.client.get("/admin/dashboard", headers={"Host": "evil.example"})
    assert foreign.status_code == 403
    assert (await (await serve()).client.get("/admin/dashboard")).status_code == 200
