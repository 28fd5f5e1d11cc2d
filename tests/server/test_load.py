"""Load on real servers: ours, llama.cpp's, one that streams as OpenAI does; and what is said where there is none."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from contextlib import contextmanager, suppress

import pytest

import sse_widget as sw
from rig.llama import llama
from rig.providers import TEXT, WORDS, Provider, chat_completions
from rig.serving import PATIENCE_S
from sse_server.errors import ServerError
from sse_widget.__main__ import main
from sse_widget.errors import ConnectError, IdleTimeout, WrongContentType
from sse_widget.load.command import EXIT_FAILED, EXIT_OK, EXIT_UNREACHED, EXIT_USAGE

MODEL = "synthetic:tokens=30,rate=300,lang=mixed,seed=3"


async def bench(url, **settings):
    return await asyncio.to_thread(sw.bench, url, **settings)


@pytest.fixture
def command(capsys):
    """Return a function that runs the command and returns its status, its output, and what it said beside it."""

    async def run(*arguments):
        status = await asyncio.to_thread(main, ["bench", *arguments])
        return status, *capsys.readouterr()

    return run


async def test_twenty_streams_at_once_each_whole_and_nothing_is_left_open(serve):
    served = await serve()
    report = await bench(served.url, requests=60, concurrency=20, model=MODEL, chunk_tokens=1, warmup=5)
    summary = report.summary
    assert (summary.done, summary.failed, summary.peak_open, summary.reconnects) == (60, 0, 20, 0)
    expected = await served.events("POST", "/api/v1/stream/chat", json={"q": "x", "model": MODEL, "chunk_tokens": 1})
    deltas = [event for event in expected if event.event == "delta"]
    assert {sample.metrics.deltas for sample in report.samples} == {len(deltas)}
    assert {sample.metrics.tokens for sample in report.samples} == {30}
    assert len({sample.metrics.chars for sample in report.samples}) == 1
    assert len(report.gaps_ms) == 60 * (len(deltas) - 1)
    assert all(sample.metrics.tpot_ms == sample.metrics.tpot_vllm_ms for sample in report.samples)
    await served.until_idle()
    health = (await served.client.get("/api/v1/stream/health")).json()
    assert (health["connections"], health["runs"]) == (0, 0)
    assert health["runs_started"] == 60 + 5 + 1 + 1


async def test_open_arrivals_fall_on_a_real_server(serve):
    served = await serve()
    report = await bench(served.url, requests=30, rate=60.0, model=MODEL, slo={"ttft_ms": 60_000.0})
    assert report.plan.concurrency == 1000
    assert (report.summary.done, report.summary.good) == (30, 30)
    planned = [sample.planned_s for sample in report.samples]
    assert None not in planned
    assert all(sample.late_ms >= 0 for sample in report.samples)
    assert {"ttft_due_ms", "total_due_ms", "late_ms"} <= set(report.summary.spreads)


async def test_a_load_ends_when_whoever_is_told_fails(serve):
    served = await serve()

    def broken(progress):
        if not progress.warming and served.server.services.counters.connections == 2:
            raise RuntimeError("who was told has gone")

    endless = "synthetic:tokens=100000,rate=20"
    with pytest.raises(RuntimeError, match="has gone"):
        await bench(served.url, requests=50, concurrency=2, model=endless, tell=broken)
    await served.until_idle()


async def test_what_fails_is_counted_by_its_code(serve, gated):
    class Failing:
        """Answers, fails, says nothing for longer than it may, in turn."""

        def __init__(self):
            self.asked = -1  # the first question only looks

        async def tokens(self, request):
            self.asked += 1
            turn, source = self.asked % 3, gated()
            source.say("one ")
            if turn == 1:
                source.fail(ServerError("upstream_error", detail="on fire"))
            elif turn == 0:
                source.finish()
            async for token in source.tokens(request):
                yield token

        async def close(self):
            pass

    served = await serve(sources={"failing": Failing()})
    report = await bench(served.url, requests=9, concurrency=9, model="failing", timeout_s=4.0)
    summary = report.summary
    assert (summary.done, summary.errors) == (3, {"upstream_error": 3, "timeout": 3})
    assert {sample.state for sample in report.samples} == {"done", "error", "interrupted"}
    assert "on fire" in next(sample.message for sample in report.samples if sample.code == "upstream_error")
    await served.until_idle()
    # What was left has been stopped, not forgotten.
    assert (await served.client.get("/api/v1/stream/health")).json()["runs"] == 0


async def test_a_server_that_takes_no_more_is_counted_as_that(serve):
    served = await serve(max_runs=2)
    report = await bench(served.url, requests=8, concurrency=4, model=MODEL)
    summary = report.summary
    assert set(summary.errors) == {"overloaded"}
    assert summary.done >= 2
    assert summary.done + summary.errors["overloaded"] == 8


async def test_a_cut_is_resumed_and_counted(serve, server_proxy_that_cuts):
    served = await serve(model="synthetic:tokens=60,rate=200")
    async with server_proxy_that_cuts(served.port) as url:
        report = await bench(url, requests=3, concurrency=3, chunk_tokens=1)
    assert (report.summary.done, report.summary.failed) == (3, 0)
    assert report.summary.reconnects >= 3
    assert {sample.metrics.tokens for sample in report.samples} == {60}


@pytest.fixture
def server_proxy_that_cuts():
    """Yield a proxy of a port that cuts every connection after its first 3,000 bytes of answer, the first one not."""

    class Proxy:
        def __init__(self, port):
            self.port, self.tasks = port, set()

        async def __aenter__(self):
            self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
            return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

        async def __aexit__(self, *_):
            self.server.close()
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)

        async def serve(self, reader, writer):
            self.tasks.add(asyncio.current_task())
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.port)
            up = asyncio.create_task(self.copy(reader, there_writer, None))
            try:
                with suppress(ConnectionError, asyncio.CancelledError):
                    await self.copy(there_reader, writer, 3000)
            finally:
                up.cancel()
                there_writer.close()
                writer.close()

        async def copy(self, reader, writer, most):
            passed = 0
            while data := await reader.read(512):
                writer.write(data)
                await writer.drain()
                passed += len(data)
                if most is not None and passed > most:
                    return

    return Proxy


async def test_a_real_server_with_openais_routes_streams_under_load():
    with llama() as server:
        settings = {"q": "Name a colour.", "token": server.key, "max_tokens": 6, "temperature": 0}
        report = await bench(f"{server.url}/v1", requests=4, concurrency=2, **settings)
        with pytest.raises(ConnectError, match="--key-env") as caught:
            await bench(f"{server.url}/v1", token="wrong")
    assert (report.summary.done, report.summary.peak_open) == (4, 2)
    assert {sample.metrics.tokens for sample in report.samples} <= set(range(1, 7))
    assert caught.value.code == "unauthorized"


@contextmanager
def provider_of(words=WORDS, make=chat_completions):
    provider = Provider()
    provider.words, provider.routes = words, {"/chat/completions": make}
    try:
        yield provider
    finally:
        provider.close()


async def test_openais_chunks_are_read_and_the_usage_counts():
    with provider_of() as provider:
        report = await bench(f"{provider.url}/v1", requests=12, concurrency=4, q="Hm?", max_tokens=9)
    assert report.summary.done == 12
    assert report.subject.kind == "openai"
    assert report.subject.url == f"{provider.url}/v1/chat/completions"
    assert {sample.metrics.tokens for sample in report.samples} == {len(WORDS)}
    assert {sample.metrics.chars for sample in report.samples} == {len(TEXT)}


async def test_an_answer_without_an_end_is_truncated():
    def broken(words, _finish=""):
        yield from list(chat_completions(words))[:4]

    with provider_of(make=broken) as provider:
        report = await bench(f"{provider.url}/v1", requests=2, concurrency=1)
    assert report.summary.errors == {"upstream_truncated": 2}


async def test_a_stream_without_known_text_is_no_answer():
    def odd(words, _finish=""):
        yield "tick", {"n": 1}
        yield "tock", {"n": 2}

    with provider_of(make=odd) as provider, pytest.raises(ConnectError, match="no text") as caught:
        await bench(f"{provider.url}/v1")
    assert caught.value.code == "no_text"


@contextmanager
def web_page():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<h1>Log in</h1>")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(PATIENCE_S)


async def test_what_is_no_sse_server_is_named_and_how_to_mend_it():
    with web_page() as url, pytest.raises(WrongContentType, match=r"text/html.*a login.*127\.0\.0\.1:8765"):
        await bench(url)


async def test_silence_ends_with_the_time_limit(serve, gated):
    served = await serve(sources={"silent": gated()})
    with pytest.raises(IdleTimeout, match="--timeout-s"):
        await bench(served.url, model="silent", timeout_s=0.2)
    await served.until_idle()


async def test_the_command_says_what_is_wrong(serve, tmp_path, command, monkeypatch):
    monkeypatch.setenv("WRONG", "wrong-s3cret")
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    served = await serve(token_file=str(token))
    missing = str(tmp_path / "no" / "run.json")
    for arguments, status, says in (
        ([served.url], EXIT_UNREACHED, "--token-file"),
        ([served.url, "--key-env", "WRONG"], EXIT_UNREACHED, "--key-env"),
        ([served.url, "--token-file", str(token), "--model", "nope"], EXIT_UNREACHED, "--model"),
        ([f"{served.url}/else", "--token-file", str(token)], EXIT_UNREACHED, "ends in /v1"),
        (["http://127.0.0.1:1"], EXIT_UNREACHED, "is the server running"),
        (["127.0.0.1:8765"], EXIT_USAGE, "http://"),
        ([served.url, "--rate", "0"], EXIT_USAGE, "above 0"),
        ([served.url, "-c", "0"], EXIT_USAGE, "concurrency"),
        ([served.url, "-c", "0", "--rate", "2"], EXIT_USAGE, "concurrency"),
        ([served.url, "--slo", "ttft=3"], EXIT_USAGE, "ttft_ms"),
        ([served.url, "--param", "x"], EXIT_USAGE, "NAME=VALUE"),
        ([served.url, "--key-env", "NOT_SET"], EXIT_USAGE, "NOT_SET"),
        ([served.url, "--json", missing], EXIT_USAGE, missing),
        ([served.url, "--html", "page.txt"], EXIT_USAGE, ".html"),
        ([served.url, "--questions", missing], EXIT_USAGE, missing),
    ):
        left, said, told = await command(*arguments)
        assert (left, said) == (status, ""), told
        assert says in told
        assert "Traceback" not in told
        assert "s3cret" not in told


async def test_the_command_measures_prints_and_writes(serve, tmp_path, command):
    token, questions = tmp_path / "token", tmp_path / "questions.txt"
    token.write_text("s3cret\n")
    served = await serve(token_file=str(token))
    questions.write_text("What?\nما البث؟\n", "utf-8")
    files = [tmp_path / "run.json", tmp_path / "run.html"]
    asked = [served.url, "--token-file", str(token), "--model", MODEL, "--questions", str(questions), "--quiet"]
    asked += ["-n", "6", "-c", "3", "--param", "chunk_tokens=2", "--slo", "ttft_ms=60000"]
    status, said, told = await command(*asked, "--json", str(files[0]), "--html", str(files[1]))
    assert (status, told) == (EXIT_OK, "")
    assert "6 of 6 requests done" in said
    assert "TTFT ms" in said
    written = json.loads(files[0].read_text("utf-8"))
    assert written["subject"]["questions"] == ["What?", "ما البث؟"]
    assert written["subject"]["params"] == {"chunk_tokens": 2}
    assert written["summary"]["good"] == 6
    assert len(written["samples"]) == 6
    for file in files:
        assert "s3cret" not in file.read_text("utf-8")
    strict, _, _ = await command(*asked, "--strict", "--slo", "ttft_ms=0.000001")
    assert strict == EXIT_FAILED
