"""Who is let in: hosts, origins, preflights, tokens and tickets, on every route."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys

import httpx
import pytest

from rig.serving import CHAT, PATIENCE_S, RUNS
from sse_server.guards.tickets import LIFETIME_S

CLOCK = "/api/v1/clock"
TOKEN = "correct-horse"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - it is refused, or never listened on
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n", "utf-8")
    return str(path)


def requests_of(stream_id):
    """One request of each kind."""
    return [
        ("GET", CHAT, {"params": {"q": "hi"}}),
        ("POST", CHAT, {"json": {"q": "hi"}}),
        ("GET", RUNS + stream_id, {}),
        ("PATCH", RUNS + stream_id, {"json": {"delay_ms": 1}}),
        ("DELETE", RUNS + stream_id, {}),
        ("POST", RUNS.rstrip("/"), {"json": {}}),
        ("POST", f"{RUNS}{stream_id}/tokens", {"json": {"seq": 1}}),
        ("POST", f"{RUNS}{stream_id}/spans", {"json": {"reader": "reader-1"}}),
        ("GET", f"{RUNS}{stream_id}/spans", {}),
        ("GET", CLOCK, {}),
    ]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", EVERYWHERE, "[::ffff:1.2.3.4]"]
)
async def test_a_foreign_host_is_refused_on_every_route(serve, error_of, host):
    served = await serve()
    stream_id = await served.start()
    for method, path, options in requests_of(stream_id):
        answer = await served.client.request(method, path, headers={"Host": host}, **options)
        assert error_of(answer)[:2] == (403, "forbidden")
        assert "Host" in error_of(answer)[2]
    assert (await served.client.get("/api/v1/stream/health", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("forged", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
async def test_a_token_that_nobody_asked_for_opens_no_door(serve, error_of, forged):
    served = await serve()
    for scheme in ("Bearer", "Ticket"):
        headers = {**forged, "Authorization": f"{scheme} x"}
        answer = await served.client.get(CHAT, params={"q": "hi"}, headers=headers)
        assert error_of(answer)[0] in {401, 403}
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("host", ["localhost", "localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}"])
async def test_names_of_this_machine_are_hosts(serve, host):
    served = await serve()
    answer = await served.client.get(CHAT, params={"q": "hi"}, headers={"Host": host.format(port=served.port)})
    assert answer.status_code == 200


async def test_a_server_for_others_checks_tokens_not_hosts(serve, token_file):
    served = await serve(host=EVERYWHERE, token_file=token_file)
    answer = await served.client.get(CHAT, params={"q": "hi"}, headers={"Host": "lab.example", **BEARER})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1", "file://", "x y"]
)
async def test_a_foreign_page_is_refused_on_every_route(serve, error_of, origin):
    served = await serve()
    stream_id = await served.start()
    for method, path, options in requests_of(stream_id):
        answer = await served.client.request(method, path, headers={"Origin": origin}, **options)
        assert error_of(answer)[:2] == (403, "forbidden")
        assert "access-control-allow-origin" not in answer.headers
    preflight = await served.client.options(CHAT, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 403
    assert "access-control-allow-origin" not in preflight.headers


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_an_image_or_link_of_a_foreign_page_starts_nothing(serve, gated, error_of, site):
    """Such requests carry no Origin."""
    source = gated()
    served = await serve(sources={"gated": source})
    answer = await served.client.get(
        CHAT, params={"q": "hi", "model": "gated"}, headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
    )
    assert error_of(answer)[:2] == (403, "forbidden")
    assert source.asked == 0


@pytest.mark.parametrize("site", ["same-origin", "none"])
async def test_the_servers_own_page_and_the_address_bar_may_ask(serve, site):
    served = await serve()
    assert (await served.client.get(CHAT, params={"q": "hi"}, headers={"Sec-Fetch-Site": site})).status_code == 200
    own = {"Origin": served.url, "Sec-Fetch-Site": site}
    answer = await served.client.post(CHAT, json={"q": "hi"}, headers=own)
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


async def test_a_listed_origin_may_ask_and_sees_what_it_needs(serve):
    page = "http://localhost:3000"
    served = await serve(allow_origin=("http://localhost:*", "https://lab.example"))
    preflight = await served.client.options(
        CHAT,
        headers={
            "Origin": page,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,idempotency-key,last-event-id,authorization",
        },
    )
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == page
    allowed = preflight.headers["access-control-allow-headers"].lower().split(", ")
    assert {"content-type", "idempotency-key", "last-event-id", "authorization"} <= set(allowed)
    assert {"GET", "POST", "DELETE", "PATCH"} <= set(preflight.headers["access-control-allow-methods"].split(", "))
    assert "access-control-allow-credentials" not in preflight.headers

    for request in ({"json": {"q": "hi"}}, {"json": {"q": ""}}):
        answer = await served.client.post(CHAT, headers={"Origin": page, "Sec-Fetch-Site": "cross-site"}, **request)
        assert answer.headers["access-control-allow-origin"] == page
        exposed = answer.headers["access-control-expose-headers"]
        assert "X-Stream-Id" in exposed
        assert "Retry-After" in exposed
        assert "Origin" in answer.headers["vary"]
    run = RUNS + answer.headers.get("x-stream-id", "0" * 32)
    for path in (run, f"{run}/spans", "/api/v1/clock"):
        assert (await served.client.options(path, headers={"Origin": page})).status_code == 204


async def test_without_a_token_nothing_is_open_but_health_and_the_page(serve, error_of, token_file):
    served = await serve(token_file=token_file)
    created = await served.client.post(CHAT, json={"q": "hi"}, headers={**BEARER, "Accept": "application/json"})
    stream_id = created.json()["stream_id"]
    bad = [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": TOKEN}]
    for headers in bad:
        for method, path, options in requests_of(stream_id):
            answer = await served.client.request(method, path, headers=headers, **options)
            assert error_of(answer)[:2] == (401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
            assert TOKEN not in answer.text
    assert (await served.client.get("/api/v1/stream/health")).status_code == 200
    assert TOKEN not in (await served.client.get("/api/v1/stream/health")).text
    for method, path, options in requests_of(stream_id):
        answer = await served.client.request(method, path, headers=BEARER, **options)
        # 409: it was let in, and told that the text of this run is a model's
        assert answer.status_code in {200, 201, 202, 204, 409}


async def test_odd_tokens_are_refused_and_harm_nothing(serve, error_of, token_file):
    served = await serve(token_file=token_file)
    for value in (b"Bearer \xff\xfe", "Bearer سر".encode(), b"Bearer " + b"x" * 50_000, b"Bearer", b"\x80"):
        answer = await served.client.get(CHAT, params={"q": "hi"}, headers={"Authorization": value})
        assert error_of(answer)[:2] == (401, "unauthorized")
    assert (await served.client.get(CHAT, params={"q": "hi", "token": TOKEN})).status_code == 401


async def ticket_of(served):
    answer = await served.client.post(CHAT, json={"q": "hi"}, headers={**BEARER, "Accept": "application/json"})
    return answer.json()["stream_id"], answer.json()["ticket"]


def shows(ticket):
    """Both ways to show a ticket."""
    return [{"params": {"ticket": ticket}}, {"headers": {"Authorization": f"Ticket {ticket}"}}]


async def test_a_ticket_reads_tunes_and_stops_its_stream_and_does_no_more(serve, error_of, token_file):
    served = await serve(token_file=token_file)
    stream_id, ticket = await ticket_of(served)
    other, _ = await ticket_of(served)
    for shown in shows(ticket):
        assert (await served.client.get(RUNS + stream_id, **shown)).status_code == 200
        assert (await served.client.patch(RUNS + stream_id, json={"delay_ms": 1}, **shown)).status_code == 202
        assert (await served.client.delete(RUNS + stream_id, **shown)).status_code == 202
        headers = {**shown.get("headers", {}), "Last-Event-ID": f"{stream_id}:1"}
        assert (await served.client.get(CHAT, params=shown.get("params"), headers=headers)).status_code == 200
        assert error_of(await served.client.get(RUNS + other, **shown))[:2] == (404, "not_found")
        assert error_of(await served.client.delete(RUNS + other, **shown))[:2] == (404, "not_found")
        headers["Last-Event-ID"] = f"{other}:1"
        answer = await served.client.get(CHAT, params=shown.get("params"), headers=headers)
        assert error_of(answer)[:2] == (404, "not_found")
        assert error_of(await served.client.post(CHAT, json={"q": "hi"}, **shown))[:2] == (403, "forbidden")


async def test_a_ticket_holds_only_the_rights_that_it_names(serve, error_of, token_file):
    served = await serve(token_file=token_file)
    stream_id, _ = await ticket_of(served)
    ticket = served.server.services.tickets.issue(stream_id, frozenset({"read"}))
    for shown in shows(ticket):
        assert (await served.client.get(RUNS + stream_id, **shown)).status_code == 200
        for refused in (
            await served.client.delete(RUNS + stream_id, **shown),
            await served.client.patch(RUNS + stream_id, json={"delay_ms": 1}, **shown),
        ):
            assert error_of(refused)[:2] == (403, "forbidden")


@pytest.mark.parametrize("secured", [True, False])
async def test_bad_tickets_are_refused(serve, error_of, token_file, secured):
    served = await serve(token_file=token_file if secured else "")
    stream_id, ticket = await ticket_of(served)
    body, _, mac = ticket.rpartition(".")
    for bad in (
        "a.b",
        ".",
        "...",
        "x" * 9000,
        ticket[:-1],
        f"{body}.{mac[::-1]}",
        f"{ticket} ",
        "\xff",
        "تذكرة",
        "a.b.c.d",
    ):
        if bad.strip() == ticket:
            continue
        answer = await served.client.get(RUNS + stream_id, params={"ticket": bad})
        assert error_of(answer)[:2] == (401, "unauthorized")
        answer = await served.client.get(RUNS + stream_id, headers={"Authorization": f"Ticket {bad}".encode()})
        assert error_of(answer)[:2] == (401, "unauthorized")
    answer = await served.client.get(f"{RUNS}{stream_id}?ticket=%ff%fe")
    assert error_of(answer)[:2] == (401, "unauthorized")
    assert (await served.client.get(RUNS + stream_id, params={"ticket": ticket})).status_code == 200


async def test_a_ticket_is_over_when_its_time_is(serve, error_of, token_file):
    served = await serve(token_file=token_file)
    now = [1e9]
    served.server.services.tickets._wall = lambda: now[0]
    stream_id, ticket = await ticket_of(served)
    now[0] += LIFETIME_S - 1
    assert (await served.client.get(RUNS + stream_id, params={"ticket": ticket})).status_code == 200
    now[0] += 1
    assert error_of(await served.client.get(RUNS + stream_id, params={"ticket": ticket}))[:2] == (401, "unauthorized")


async def test_a_ticket_of_an_earlier_server_opens_nothing(serve, error_of, token_file):
    first = await serve(token_file=token_file)
    stream_id, ticket = await ticket_of(first)
    second = await serve(token_file=token_file)
    answer = await second.client.get(RUNS + stream_id, params={"ticket": ticket})
    assert error_of(answer)[:2] == (401, "unauthorized")


async def test_who_shows_a_ticket_may_come_through_a_proxy(serve, error_of, token_file):
    """jupyter-server-proxy passes on the browser's Host and Origin, which are those of Jupyter."""
    served = await serve(token_file=token_file)
    stream_id, ticket = await ticket_of(served)
    proxied = {"Host": "hub.example", "Origin": "https://hub.example", "Sec-Fetch-Site": "same-origin"}
    for shown in shows(ticket):
        headers = {**shown.get("headers", {}), **proxied}
        for method, options in (("GET", {}), ("PATCH", {"json": {"delay_ms": 1}}), ("DELETE", {})):
            answer = await served.client.request(
                method, RUNS + stream_id, params=shown.get("params"), headers=headers, **options
            )
            assert answer.status_code in {200, 202}
            assert "access-control-allow-origin" not in answer.headers, "another page may not read it"
    for wrong in ({}, {"params": {"ticket": f"{ticket}x"}}):
        answer = await served.client.get(RUNS + stream_id, headers=proxied, **wrong)
        assert error_of(answer)[0] in {401, 403}
    assert error_of(await served.client.post(CHAT, json={"q": "hi"}, headers=proxied))[:2] == (403, "forbidden")


@pytest.fixture
def static(tmp_path, monkeypatch):
    """The folder of the bundles."""
    monkeypatch.setattr("sse_server.app.static_folder", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize(("origin", "listed"), [("https://lab.example", True), ("https://evil.example", False)])
@pytest.mark.parametrize("path", ["/api/v1/stream/health", "/static/part-code.js"])
async def test_what_is_open_may_be_read_by_pages_of_listed_origins(serve, static, token_file, origin, listed, path):  # noqa: PLR0917 - fixtures and columns
    """A page asks for the health to find its way to the server, and for parts of the widget's code."""
    (static / "part-code.js").write_text("export {}", "utf-8")
    served = await serve(allow_origin=("https://lab.example",), token_file=token_file)
    answer = await served.client.get(path, headers={"Origin": origin, "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert answer.headers.get("access-control-allow-origin") == (origin if listed else None)


async def test_only_parts_of_the_widget_are_served_there(serve, static, error_of):
    (static / "part-code.js").write_text("export const π = 3", "utf-8")
    served = await serve()
    answer = await served.client.get("/static/part-code.js")
    assert (answer.text, answer.headers["content-type"]) == ("export const π = 3", "text/javascript; charset=utf-8")
    assert error_of(await served.client.get("/static/part-none.js"))[0] == 404
    for path in ("/static/part-code.css", "/static/part-../config.js", "/static/..%2Fapp.py"):
        assert (await served.client.get(path)).status_code == 404


async def test_stream_ids_cannot_be_guessed(serve):
    served = await serve()
    ids = {await served.start() for _ in range(50)}
    assert len(ids) == 50
    assert all(re.fullmatch("[0-9a-f]{32}", stream_id) for stream_id in ids)
    digits = "".join(ids)
    assert all(digits.count(digit) > 50 for digit in "0123456789abcdef")


def test_only_a_terminal_or_who_asks_is_shown_the_link(server_process, token_file):
    """Anything else that standard output goes to may be a log, as under systemd."""
    flags = ("--model", "synthetic:rate=0", "--token-file", token_file)
    said = server_process(*flags).process.stdout.readline()
    assert "#link=" not in said
    assert "/api/v1/session/link" in said
    assert "#link=" in server_process(*flags, "--print-link").process.stdout.readline()
    terminal, inner = os.openpty()
    command = [sys.executable, "-m", "sse_server", "--port=0", *flags]
    with subprocess.Popen(command, stdout=inner, stderr=subprocess.DEVNULL) as server:
        shown = b""
        while shown.count(b"\n") < 2 and select.select([terminal], [], [], PATIENCE_S)[0]:
            shown += os.read(terminal, 4096)
        server.terminate()
    os.close(inner)
    os.close(terminal)
    assert b"#link=" in shown


def test_a_server_process_with_a_token(server_process, token_file):
    server = server_process("--model", "synthetic:rate=0", "--token-file", token_file)
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        assert client.get(CHAT, params={"q": "hi"}).status_code == 401
        assert client.get(CHAT, params={"q": "hi"}, headers=BEARER).status_code == 200
    assert TOKEN not in server.log_file.read_text("utf-8")
