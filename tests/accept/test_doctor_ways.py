"""The doctor by its command, on chains, behind TLS, before servers that are not ours, and when it is interrupted."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

import sse_widget as sw
from rig import faults
from rig.nginx import nginx, proxy, unused_port
from rig.serving import PATIENCE_S
from sse_widget import hosting
from sse_widget.diagnosis import Order, examined
from sse_widget.errors import ConnectError

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n"
PLAIN_ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in {"SSE_WIDGET_URL", "SSE_WIDGET_TOKEN", "LANG", "LC_ALL", "LC_MESSAGES"}
}


def command(*arguments, **environment):
    return {
        "args": [sys.executable, "-m", "sse_widget", "doctor", *arguments],
        "env": {**PLAIN_ENVIRONMENT, **environment},
        "encoding": "utf-8",
    }


def ran(*arguments, stdin="", **environment):
    return subprocess.run(
        **command(*arguments, **environment), input=stdin, capture_output=True, timeout=PATIENCE_S, check=False
    )


def until_no_run_is_left(url, headers=None):
    """Return once the server has ended its runs; it is told before the doctor ends, and takes a moment."""
    until_healthy(url, lambda health: health["runs"] == 0, headers)


def until_healthy(url, wanted, headers=None):
    """Return once the server's own figures are these; it tells nobody of them, so they are asked for again."""
    began = time.monotonic()
    while not wanted(health := httpx.get(f"{url}/api/v1/stream/health", headers=headers, trust_env=False).json()):
        assert time.monotonic() - began < PATIENCE_S, health
        time.sleep(0.05)


@asynccontextmanager
async def answering(reply):
    """Serve every connection by `reply(request, writer)`; yields the base URL."""

    serving = set()

    async def serve(reader, writer):
        serving.add(asyncio.current_task())
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            await reply(head.decode("latin-1"), writer)
            await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*serving)


def faults_of(report):
    return [finding.code for finding in report.faults]


def test_the_command_prints_a_report_and_exits_with_0(server_process):
    server = server_process("--model=synthetic:")
    done = ran(server.url, "--idle-s", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No fault." in done.stdout
    assert "\x1b" not in done.stdout
    until_no_run_is_left(server.url)


def test_the_command_speaks_json_and_arabic():
    done = ran(f"http://127.0.0.1:{unused_port()}", "--json", "--lang", "ar")
    said = json.loads(done.stdout)
    assert (done.returncode, said["ok"], said["reached"], said["lang"]) == (3, False, False, "ar")
    assert said["culprit"] == "connection"
    found = {finding["probe"]: finding for finding in said["findings"]}
    assert found["buffering"]["title"] == "الاحتجاز"
    assert found["connection"]["code"] == "connection.refused"


def test_nothing_listening_is_status_3():
    done = ran(f"http://127.0.0.1:{unused_port()}", LANG="ar_EG.UTF-8")
    assert done.returncode == 3
    assert "لا شيء يستمع" in done.stdout
    assert "sse-server --host 127.0.0.1" in done.stdout


@pytest.mark.parametrize("arguments", [["ftp://a.example"], ["http://"], ["--idle-s", "-1"], ["--idle-s", "9999"]])
def test_wrong_usage_is_status_2(arguments):
    done = ran(*arguments)
    assert done.returncode == 2
    assert done.stderr


def test_a_token_is_asked_for_taken_from_a_file_and_never_shown(server_process, tmp_path):
    secret = tmp_path / "token"
    secret.write_text("s3cret-token", "utf-8")
    server = server_process("--model=synthetic:", f"--token-file={secret}")
    without = ran(server.url, "--idle-s", "0")
    assert without.returncode == 1
    assert "it wants a token" in without.stdout
    assert "--token-file" in without.stdout
    given = ran(server.url, "--idle-s", "0", "--token-file", "-", "--json", stdin="s3cret-token\n")
    assert given.returncode == 0, given.stdout
    assert "s3cret" not in given.stdout + given.stderr
    wrong = ran(server.url, "--idle-s", "0", "--token-file", "-", stdin="other")
    assert "does not accept this token" in wrong.stdout
    named = ran("--idle-s", "0", SSE_WIDGET_URL=server.url, SSE_WIDGET_TOKEN="another")
    assert server.url in named.stdout
    assert "does not accept this token" in named.stdout
    until_no_run_is_left(server.url, {"Authorization": "Bearer s3cret-token"})


def test_warnings_fail_when_asked_to(server_process, tmp_path):
    server = server_process("--model=synthetic:")
    with nginx(tmp_path, proxy(server.url, faults.GZIP, "gzip_types text/event-stream;")) as url:
        strict = ran(url, "--idle-s", "0", "--strict")
    assert strict.returncode == 1
    assert "Worth a look: Compression, at nginx/" in strict.stdout


def test_an_interrupt_leaves_a_partial_report_and_no_run(server_process):
    server = server_process("--model=synthetic:")
    process = subprocess.Popen(
        **command(server.url, "--idle-s", "120"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    # All but the silent connection have been closed.
    until_healthy(server.url, lambda now: (now["runs_started"], now["runs"], now["connections"]) == (3, 1, 1))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, err
    assert "Interrupted; this is what was found so far." in out
    assert "20 deltas" in out
    assert "not probed: interrupted" in out
    assert "Traceback" not in err
    until_no_run_is_left(server.url)


def test_a_chain_names_the_hop_that_introduces_a_fault(server_process, tmp_path):
    server = server_process("--model=synthetic:")
    with (
        nginx(tmp_path, proxy(server.url)) as inner,
        nginx(tmp_path, proxy(inner, faults.STRIP)) as middle,
        nginx(tmp_path, proxy(middle, "proxy_hide_header Cache-Control;")) as outer,
    ):
        report = sw.doctor(outer, via=[middle, inner, server.url], idle_s=0)
    (fault,), (warning,) = report.faults, report.warnings
    assert fault.probe == "resume"
    assert f"between {middle} and {inner}" in fault.hop
    assert warning.probe == "headers"
    assert f"between {outer} and {middle}" in warning.hop
    assert [behind.url for behind in report.behind] == [middle, inner, server.url]
    assert [behind.ok for behind in report.behind] == [False, True, True]
    until_no_run_is_left(server.url)


def test_without_a_url_it_examines_a_server_of_its_own_and_stops_it(monkeypatch):
    monkeypatch.delenv(hosting.URL_VARIABLE, raising=False)
    report = sw.doctor(idle_s=0)
    assert report.ok
    findings = {finding.probe: finding for finding in report.findings}
    assert findings["cors"].verdict == "ok"
    assert findings["browser"].verdict == "skipped"
    with pytest.raises(httpx.ConnectError):
        httpx.get(report.url, trust_env=False)


def test_without_a_url_it_examines_the_server_that_a_widget_has_started(monkeypatch):
    monkeypatch.delenv(hosting.URL_VARIABLE, raising=False)
    with hosting.serve(model="synthetic:") as hosted:
        monkeypatch.setattr(hosting, "_own", hosted)
        assert sw.doctor(idle_s=0).url == hosted.url
        assert hosted.running


def test_what_cannot_be_an_address_or_a_token_is_refused_at_once():
    with pytest.raises(ConnectError):
        sw.doctor("http://")
    with pytest.raises(ConnectError):
        sw.doctor("http://127.0.0.1:1", token="two words")


def certificate(folder, *names):
    key, file = folder / "key.pem", folder / "certificate.pem"
    subject = ["-subj", "/O=Test Authority/CN=test", "-addext", f"subjectAltName={','.join(names)}"]
    algorithm = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(
        ["openssl", "req", "-x509", *algorithm, "-keyout", key, "-out", file, "-days", "30", *subject],
        check=True,
        capture_output=True,
    )
    return file, f"    ssl_certificate {file};\n    ssl_certificate_key {key};\n"


def test_tls_is_examined_with_name_days_and_http_2(server_process, tmp_path):
    server = server_process("--model=synthetic:")
    file, lines = certificate(tmp_path, "IP:127.0.0.1")
    with nginx(tmp_path, lines + proxy(server.url), listen=" ssl http2", scheme="https") as url:
        trusted = json.loads(ran(url, "--idle-s", "0", "--json", SSL_CERT_FILE=str(file)).stdout)
        unknown = json.loads(ran(url, "--json").stdout)
        plain = json.loads(ran(url.replace("https:", "http:"), "--json").stdout)
    found = {finding["probe"]: finding for finding in trusted["findings"]}
    assert trusted["ok"], trusted
    assert found["encryption"]["code"] == "encryption.good"
    assert found["encryption"]["figures"]["protocol"] == "h2"
    assert 28 < found["encryption"]["figures"]["days"] < 31
    assert found["connections"]["code"] == "connections.many"
    assert (unknown["culprit"], unknown["reached"]) == ("encryption", False)
    assert {finding["code"] for finding in unknown["findings"]} >= {"encryption.untrusted"}
    assert plain["culprit"] == "upstream"


def test_a_certificate_for_another_name_and_http_where_https_is_meant(server_process, tmp_path):
    server = server_process("--model=synthetic:")
    file, lines = certificate(tmp_path, "DNS:elsewhere.example")
    with nginx(tmp_path, lines + proxy(server.url), listen=" ssl", scheme="https") as url:
        wrong = json.loads(ran(url, "--json", SSL_CERT_FILE=str(file)).stdout)
    assert {finding["code"] for finding in wrong["findings"]} >= {"encryption.wrong_name"}
    with nginx(tmp_path, proxy(server.url)) as url:
        mixed = json.loads(ran(url.replace("http:", "https:"), "--json").stdout)
    assert {finding["code"] for finding in mixed["findings"]} >= {"encryption.none"}


async def test_a_redirect_is_followed_and_told(serve, tmp_path):
    served = await serve()
    with nginx(tmp_path, f"    location / {{ return 308 {served.url}$request_uri; }}") as url:
        report = await examined(Order(url, idle_s=0))
    assert faults_of(report) == []
    assert {finding.code for finding in report.warnings} == {"redirects.some"}


async def test_a_redirect_in_circles_and_a_login_page(tmp_path):
    with nginx(tmp_path, "    location / { return 302 /; }") as url:
        assert faults_of(await examined(Order(url, idle_s=0))) == ["redirects.loop"]
    page = "location = /hub/login { default_type text/html; return 200 hi; }"
    login = f"    location / {{ return 302 /hub/login; }}\n    {page}"
    with nginx(tmp_path, login) as url:
        report = await examined(Order(url, idle_s=0))
    assert faults_of(report) == ["access.login", "content_type.page"]


async def test_any_other_sse_server_is_examined_as_far_as_it_goes():
    async def reply(request, writer):
        if not request.startswith("GET /events "):
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        writer.write(EVENTS)
        for number in range(6):
            writer.write(b"id: %d\ndata: tick\n\n" % number)
            await writer.drain()
            await asyncio.sleep(0.05)  # the pace of the stream that is examined, no wait of the test

    async with answering(reply) as url:
        report = await examined(Order(f"{url}/events", origin="https://lab.example", idle_s=1))
        absent = await examined(Order(f"{url}/nothing", idle_s=1))
    codes = {finding.probe: finding.code for finding in report.findings}
    assert codes["upstream"] == "upstream.foreign"
    assert codes["buffering"] == "buffering.spread"
    assert codes["headers"] == "headers.no_transform"
    assert {codes[probe] for probe in ("heartbeat", "idle", "resume", "websocket")} == {"skipped.foreign"}
    assert faults_of(report) == ["cors.refused"]
    assert faults_of(absent) == ["upstream.missing"]


async def test_a_server_with_openais_routes_is_asked_once_by_post():
    asked = []

    async def reply(request, writer):
        asked.append(request.partition(" HTTP")[0])
        if asked[-1] == "GET /v1/models":
            body = b'{"object": "list", "data": [{"id": "tiny"}]}'
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            writer.write(head % len(body) + body)
        elif asked[-1] == "POST /v1/chat/completions":
            writer.write(EVENTS + b'data: {"choices": []}\n\n' * 6 + b"data: [DONE]\n\n")
        else:
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with answering(reply) as url:
        report = await examined(Order(f"{url}/v1"))
    assert report.ok
    assert asked.count("POST /v1/chat/completions") == 1
    assert {finding.code for finding in report.findings} >= {"upstream.foreign", "content_type.good"}


@pytest.mark.parametrize(
    ("said", "code"),
    [(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "upstream.garbled"), (b"", "upstream.cut")],
    ids=["no HTTP", "nothing"],
)
async def test_what_is_no_http_server(said, code):
    async def reply(_, writer):
        writer.write(said)

    async with answering(reply) as url:
        report = await examined(Order(url))
    assert faults_of(report) == [code]
    assert report.exit_code == 3


async def test_two_servers_that_know_nothing_of_each_other(serve, tmp_path):
    one, other = await serve(), await serve()
    apart = proxy(one.url) + "\n" + proxy(other.url, path="/api/v1/stream/runs/")
    with nginx(tmp_path, apart) as url:
        report = await examined(Order(url, idle_s=0))
    assert faults_of(report) == ["upstream.scattered"]
    assert report.exit_code == 1


async def test_a_full_server_says_so_in_its_words(serve):
    served = await serve(max_runs=1)
    await served.start(model="synthetic:tokens=5,rate=0.1")
    report = await examined(Order(served.url, idle_s=0))
    assert faults_of(report) == ["upstream.busy"]
    assert "The server is busy with 1 runs" in report.culprit.evidence
