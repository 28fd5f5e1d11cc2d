"""Streams, resumes and WebSockets through the proxies of infra/, and a reader's way out where one of them buffers."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest

from rig import proxies
from rig.curl import curl
from rig.hops import Stub, heard
from rig.lags import first_delta_lags_ms, spread
from rig.nginx import nginx
from rig.serving import CHAT, RUNS, GatedSource, data_of, seqs_of, text_of
from rig.talking import SOCKET, Talk, events_of

WAYS = {
    "nginx, sse.conf in the location": proxies.included,
    "nginx, sse.conf in conf.d": proxies.in_conf_d,
    "nginx, docker-compose.yml": proxies.in_compose,
    "nginx, example.conf": proxies.nginx_example,
    "HAProxy": proxies.haproxy,
    "Caddy": proxies.caddy,
}
WORDS = ("One ", "река ", "مرحبا ", "你好 ", "👩‍👩‍👧 ", "last.")


@pytest.fixture
async def gated_server(serve):
    source = GatedSource()
    served = await serve(sources={"gated": source})
    return served, source


def each_way(test):
    return pytest.mark.parametrize("way", WAYS)(test)


def asking(**fields):
    return (
        "-H",
        "Content-Type: application/json",
        "-d",
        json.dumps({"q": "?", "model": "gated", "chunk_tokens": 1, **fields}),
    )


@each_way
async def test_each_delta_has_passed_before_the_next_one_is_made(way, gated_server, tmp_path):
    served, source = gated_server
    with WAYS[way](served.url, tmp_path) as behind:
        async with curl(behind, CHAT, *asking()) as reader:
            assert [(await reader.next()).event for _ in range(2)] == ["hello", "start"]
            for word in WORDS:
                source.say(word)
                assert data_of(await reader.next())["text"] == word
            source.finish()
            assert [event.event for event in await reader.rest()] == ["metadata", "done"]


@each_way
async def test_a_reader_goes_on_where_it_was_cut(way, gated_server, tmp_path):
    served, source = gated_server
    with WAYS[way](served.url, tmp_path) as behind:
        async with curl(behind, CHAT, *asking()) as reader:
            stream_id = data_of(await reader.next())["stream_id"]
            source.say(*WORDS[:3])
            seen = [await reader.next() for _ in range(3)]
        await served.until_idle()  # the proxy has told the server that the reader is gone
        source.say(*WORDS[3:])
        source.finish()
        async with curl(behind, RUNS + stream_id, "-H", f"Last-Event-ID: {seen[-1].id}") as reader:
            hello, *missing = await reader.rest()
    assert data_of(hello)["after"] == 3
    assert seqs_of([*seen, *missing]) == list(range(1, 10))
    assert text_of([*seen, *missing]) == "".join(WORDS)
    assert source.asked == 1


@each_way
async def test_a_websocket_passes(way, gated_server, tmp_path):
    served, source = gated_server
    with WAYS[way](served.url, tmp_path) as behind:
        talk = await Talk.open(behind.url + SOCKET, authority=behind.authority)
        try:
            await talk.send("start", "a", body={"q": "?", "model": "gated", "chunk_tokens": 1}, key="k")
            await talk.until("start")
            for word in WORDS:
                source.say(word)
                (frame,) = await talk.until("delta")
                assert text_of(events_of([frame])) == word
            source.finish()
            assert (await talk.until("done"))[-1]["event"] == "done"
        finally:
            await talk.close()


@pytest.mark.parametrize("way", [way for way in WAYS if way.startswith("nginx, sse.conf")])
async def test_nginx_compresses_for_nobody_whatever_its_configuration_says(way, serve, tmp_path):
    served = await serve()
    with WAYS[way](served.url, tmp_path) as behind:
        answer = await served.client.post(behind.url + CHAT, json={"q": "?"}, headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert "content-encoding" not in answer.headers


async def test_in_a_location_it_does_not_compress_for_a_reader_without_a_name_either(serve, tmp_path):
    served = await serve()
    with proxies.included(served.url, tmp_path) as behind:
        request = served.client.build_request("POST", behind.url + CHAT, json={"q": "?"})
        request.headers["Accept-Encoding"] = "gzip"
        del request.headers["User-Agent"]
        answer = await served.client.send(request)
    assert answer.status_code == 200
    assert "content-encoding" not in answer.headers


@each_way
async def test_the_server_is_told_whom_it_serves(way, tmp_path):
    async with Stub(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as stub:
        with WAYS[way](stub.url, tmp_path) as behind:
            async with curl(behind, "/who", "-H", "X-Forwarded-For: 203.0.113.9") as reader:
                await reader.rest()
    request = stub.request_of("/who")
    # What the reader says itself may stand before it: only the last address is the proxy's own word.
    assert request["x-forwarded-for"].rpartition(",")[2].strip() == "127.0.0.1"
    assert request["x-forwarded-proto"] == behind.url.partition(":")[0]
    assert request["host"] == behind.url.partition("//")[2]


async def test_nginx_asks_no_second_server_when_the_first_breaks_off(tmp_path):
    async with Stub(b"") as first, Stub(b"") as second:
        servers = "".join(f"server {stub.url.removeprefix('http://')};" for stub in (first, second))
        pool = f"  upstream pool {{ {servers} }}"
        with nginx(tmp_path, proxies.healthy("http://pool"), http=pool) as url:
            status = await heard(f"{url}{CHAT}?q=hi")
    assert status == 502
    assert len(first.requests) + len(second.requests) == 1


DOCTOR_LIMIT_S = 90.0
"""Before a hop that buffers it waits for what never comes; it says 75 s at most itself."""


def doctor(url):
    command = [sys.executable, "-m", "sse_widget", "doctor", url, "--idle-s", "0"]
    return subprocess.run(command, capture_output=True, timeout=DOCTOR_LIMIT_S, check=False, encoding="utf-8")


def test_the_doctor_finds_nothing_behind_sse_conf(server_process, tmp_path):
    server = server_process("--model=synthetic:")
    with proxies.in_conf_d(server.url, tmp_path) as behind:
        report = doctor(behind.url)
    assert report.returncode == 0, report.stdout
    assert "No fault." in report.stdout


def test_the_doctor_names_what_a_wrong_configuration_does(server_process, tmp_path):
    server = server_process("--model=synthetic:")
    with nginx(tmp_path, proxies.buffering(server.url)) as url:
        report = doctor(url)
    print(report.stdout)
    assert report.returncode == 1
    assert "Culprit: Buffering, at nginx/" in report.stdout


def test_how_late_the_first_delta_is_behind_nginx(server_process, tmp_path):
    server = server_process("--model=synthetic:")
    with proxies.included(server.url, tmp_path) as behind:
        lags = asyncio.run(first_delta_lags_ms(behind.url, streams=200, at_once=10))
    print(f"\nfirst delta after the server's write, behind nginx: {spread(lags)}; tests/benchmarks has the threshold")
    assert len(lags) == 200
    assert min(lags) > 0


NAME = "stream.example"


@pytest.mark.parametrize(("token", "status"), [("the-token", 200), ("", 403)])
async def test_under_a_public_name_a_loopback_server_wants_a_token(token, status, serve, tmp_path):
    secret = tmp_path / "token"
    secret.write_text("the-token", "utf-8")
    served = await serve(token_file=str(secret))
    headers = {"Host": NAME, **({"Authorization": f"Bearer {token}"} if token else {})}
    with proxies.included(served.url, tmp_path) as behind:
        answer = await served.client.post(behind.url + CHAT, json={"q": "?"}, headers=headers)
    assert answer.status_code == status
