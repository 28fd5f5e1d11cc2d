"""The extension in a real Jupyter Server: Jupyter's credentials, its XSRF check, and a token for kernels alone."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
import uuid
from pathlib import Path

import httpx
import pytest
from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider, User
from tornado.httpclient import HTTPClientError
from tornado.websocket import websocket_connect

from rig.process import Program, until_gone
from rig.talking import Talk, events_of
from sse_server.jupyter import OWNER, _owner
from sse_widget.protocol.sse import Parser

BASE = "/user/researcher"
CHAT = f"{BASE}/sse-widget/api/v1/stream/chat"
RUNS = f"{BASE}/sse-widget/api/v1/stream/runs/"
CLOCK = f"{BASE}/sse-widget/api/v1/clock"
SOCKET = f"{BASE}/sse-widget/api/v1/stream/ws"
HEALTH = f"{BASE}/sse-widget/api/v1/stream/health"
MODEL = "synthetic:tokens=12,rate=0"
LIMIT_S = 60.0
KERNEL_CODE = "import os, json; print(json.dumps([os.environ['SSE_WIDGET_URL'], os.environ['SSE_WIDGET_TOKEN']]))"


class Jupyter:
    """A Jupyter Server process and what it logs."""

    def __init__(self, folder, **environment):
        self.token = secrets.token_hex(16)
        command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"]
        command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.base_url={BASE}/"]
        command += [f"--ServerApp.root_dir={folder}", "--ServerApp.log_level=DEBUG"]
        own = {
            "JUPYTER_TOKEN": self.token,
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "IPYTHONDIR": str(folder / "ipython"),
            "SSE_SERVER_MODEL": MODEL,
        }
        self._program = Program(
            command, folder / "jupyter.log", limit_s=LIMIT_S, env={**os.environ, **own, **environment}, cwd=folder
        )
        self.pid = self._program.process.pid
        self.end = self._program.end
        self.url = self.until_logged(rf"http://127\.0\.0\.1:\d+(?={BASE}/\?token)")[0]

    def logged(self):
        return self._program.said

    def until_logged(self, pattern):
        return self._program.wait_for(pattern)

    def client(self, **options):
        return httpx.AsyncClient(base_url=self.url, timeout=LIMIT_S, trust_env=False, **options)


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    started = Jupyter(tmp_path_factory.mktemp("jupyter"))
    yield started
    started.end()


def with_token(jupyter):
    return {"Authorization": f"token {jupyter.token}"}


async def kernel_says(jupyter, code):
    """Start a kernel over REST, run code in it over its websocket, and return what it printed."""
    async with jupyter.client(headers=with_token(jupyter)) as client:
        kernel = (await client.post(f"{BASE}/api/kernels", json={"name": "python3"})).json()["id"]
        url = f"{jupyter.url.replace('http', 'ws')}{BASE}/api/kernels/{kernel}/channels?token={jupyter.token}"
        socket = await websocket_connect(url, max_message_size=1 << 24)
        message_id = uuid.uuid4().hex
        header = {"msg_id": message_id, "msg_type": "execute_request", "username": "", "session": uuid.uuid4().hex}
        header |= {"version": "5.3", "date": "2026-01-01T00:00:00Z"}
        content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}}
        content |= {"allow_stdin": False, "stop_on_error": True}
        request = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        await socket.write_message(json.dumps({**request, "channel": "shell", "buffers": []}))
        said = ""
        while True:
            message = json.loads(await socket.read_message())
            if message["parent_header"].get("msg_id") != message_id:
                continue
            assert message["msg_type"] != "error", message["content"]
            if message["msg_type"] == "stream":
                said += message["content"]["text"]
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        socket.close()
        await client.delete(f"{BASE}/api/kernels/{kernel}")
    return said


@pytest.fixture(scope="module")
def kernel_address(jupyter):
    """Return the URL and token that kernels find in their environment."""
    return json.loads(asyncio.run(kernel_says(jupyter, KERNEL_CODE)))


async def logged_in(client, jupyter):
    """Give the client the cookies of a browser that opened JupyterLab; return the value of its XSRF cookie."""
    await client.get(f"{BASE}/api/status", params={"token": jupyter.token})
    await client.get(f"{BASE}/lab")
    return client.cookies["_xsrf"]


async def test_without_credentials_nothing_is_open(jupyter, error_of):
    async with jupyter.client() as client:
        for method, path, options in [
            ("GET", CHAT, {"params": {"q": "hi"}}),
            ("POST", CHAT, {"json": {"q": "hi"}}),
            ("GET", RUNS + "0" * 32, {}),
            ("DELETE", RUNS + "0" * 32, {}),
            ("PATCH", RUNS + "0" * 32, {"json": {"delay_ms": 1}}),
            ("GET", f"{RUNS}{'0' * 32}/spans", {}),
            ("POST", f"{RUNS}{'0' * 32}/spans", {"json": {"reader": "reader-1"}}),
            ("GET", CLOCK, {}),
            ("GET", HEALTH, {}),
        ]:
            for headers in ({}, {"Authorization": "token wrong"}, {"Authorization": "Bearer wrong"}):
                answer = await client.request(method, path, headers=headers, **options)
                assert error_of(answer)[:2] == (401, "unauthorized"), (method, path)
        arabic = await client.get(CHAT, params={"q": "hi"}, headers={"Accept-Language": "ar"})
        assert "رمز" in error_of(arabic)[2]


async def test_jupyters_token_opens_every_route(jupyter):
    async with jupyter.client(headers=with_token(jupyter)) as client:
        answer = await client.post(CHAT, json={"q": "hi"})
        events = Parser().feed(answer.content)
        assert [event.event for event in events][:2] == ["hello", "start"]
        assert events[-1].event == "done"
        stream_id = answer.headers["x-stream-id"]
        assert (await client.get(RUNS + stream_id)).status_code == 200
        assert (await client.delete(RUNS + stream_id)).status_code == 202
        assert (await client.get(f"{RUNS}{stream_id}/spans")).json() == {"readers": []}
        assert (await client.get(CLOCK)).json().keys() == {"received", "sent"}
        assert (await client.get(HEALTH)).json()["model"] == MODEL
        created = await client.post(CHAT, json={"q": "hi"}, headers={"Accept": "application/json"})
        assert created.json()["url"] == RUNS + created.json()["stream_id"]
    async with jupyter.client() as client:
        by_query = await client.get(CHAT, params={"q": "hi", "token": jupyter.token})
        assert Parser().feed(by_query.content)[-1].event == "done"


async def test_the_stream_has_its_headers_and_is_not_compressed(jupyter):
    async with jupyter.client(headers=with_token(jupyter)) as client:
        answer = await client.get(CHAT, params={"q": "hi"}, headers={"Accept-Encoding": "gzip, deflate, br"})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache, no-transform"
    assert answer.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in answer.headers


async def test_bad_input_is_refused_as_by_the_standalone_server(jupyter, error_of):
    async with jupyter.client(headers=with_token(jupyter)) as client:
        assert error_of(await client.post(CHAT, content=b"{"))[:2] == (400, "invalid_request")
        assert error_of(await client.post(CHAT, json={"q": "x" * 10_001}))[:2] == (413, "question_too_long")
        assert error_of(await client.get(CHAT, params={"q": ""}))[:2] == (400, "question_required")
        assert error_of(await client.get(f"{CHAT}?q=%ff"))[:2] == (400, "invalid_request")
        assert error_of(await client.get(RUNS + "0" * 32))[:2] == (404, "not_found")
        assert error_of(await client.put(CHAT))[:2] in {(405, "invalid_request"), (403, "forbidden")}


async def test_a_cookie_reads_and_needs_the_xsrf_header_to_ask(jupyter, error_of):
    async with jupyter.client() as client:
        xsrf = await logged_in(client, jupyter)
        page = {"Origin": jupyter.url, "Referer": f"{jupyter.url}{BASE}/lab"}
        refused = await client.post(CHAT, json={"q": "hi"}, headers=page)
        assert error_of(refused)[:2] == (403, "forbidden")
        wrong = await client.post(CHAT, json={"q": "hi"}, headers={**page, "X-XSRFToken": "wrong"})
        assert error_of(wrong)[:2] == (403, "forbidden")
        good = await client.post(CHAT, json={"q": "hi"}, headers={**page, "X-XSRFToken": xsrf})
        assert Parser().feed(good.content)[-1].event == "done"
        stream_id = good.headers["x-stream-id"]
        assert (await client.get(RUNS + stream_id, headers=page)).status_code == 200
        for method, path, options, status in (
            ("DELETE", "", {}, 202),
            ("PATCH", "", {"json": {"delay_ms": 1}}, 202),
            ("POST", "/spans", {"json": {"reader": "reader-1"}}, 204),
        ):
            target = f"{RUNS}{stream_id}{path}"
            assert (await client.request(method, target, headers=page, **options)).status_code == 403
            headers = {**page, "X-XSRFToken": xsrf}
            assert (await client.request(method, target, headers=headers, **options)).status_code == status
        said = (await client.get(f"{RUNS}{stream_id}/spans", headers=page)).json()
        assert [reader["reader"] for reader in said["readers"]] == ["reader-1"]


async def test_a_foreign_page_with_the_users_cookie_is_refused(jupyter, error_of):
    async with jupyter.client() as client:
        xsrf = await logged_in(client, jupyter)
        foreign = {"Origin": "https://evil.example", "X-XSRFToken": xsrf}
        assert (await client.post(CHAT, json={"q": "hi"}, headers=foreign)).status_code in {403, 404}
        assert error_of(await client.get(CHAT, params={"q": "hi"}, headers=foreign))[:2] == (403, "forbidden")
        for site in ("cross-site", "same-site"):
            image = await client.get(CHAT, params={"q": "hi"}, headers={"Sec-Fetch-Site": site})
            assert error_of(image)[:2] == (403, "forbidden")
        assert (
            await client.get(CHAT, params={"q": "hi"}, headers={"Sec-Fetch-Site": "same-origin"})
        ).status_code == 200


async def test_a_foreign_host_is_refused(jupyter):
    async with jupyter.client(headers={"Host": "evil.example"}) as client:
        for headers in ({}, with_token(jupyter)):
            assert (await client.get(CHAT, params={"q": "hi"}, headers=headers)).status_code == 403


async def test_kernels_find_the_address_and_a_token_in_their_environment(jupyter, kernel_address, error_of):
    url, token = kernel_address
    assert url == f"{jupyter.url}{BASE}/sse-widget"
    assert token != jupyter.token
    async with httpx.AsyncClient(trust_env=False, timeout=LIMIT_S) as client:
        bearer = {"Authorization": f"Bearer {token}"}
        answer = await client.post(f"{url}/api/v1/stream/chat", json={"q": "hi"}, headers=bearer)
        assert Parser().feed(answer.content)[-1].event == "done"
        run = f"{url}/api/v1/stream/runs/{answer.headers['x-stream-id']}"
        assert (await client.get(run, headers=bearer)).status_code == 200
        assert (await client.patch(run, json={"delay_ms": 1}, headers=bearer)).status_code == 202
        assert (await client.delete(run, headers=bearer)).status_code == 202
        odd = await client.get(run, headers={"Authorization": b"Bearer \xff\xfe"})
        assert error_of(odd)[:2] == (401, "unauthorized")


async def test_a_kernel_pushes_text_that_the_page_reads(jupyter, kernel_address, error_of):
    url, token = kernel_address
    runs = f"{url}/api/v1/stream/runs"
    async with httpx.AsyncClient(trust_env=False, timeout=LIMIT_S) as client:
        bearer = {"Authorization": f"Bearer {token}"}
        created = (await client.post(runs, json={"model": "mine"}, headers=bearer)).json()
        tokens = f"{runs}/{created['stream_id']}/tokens"
        assert error_of(await client.post(tokens, json={"seq": 1}))[0] in {401, 403}
        batch = {"seq": 1, "tokens": ["one ", "two"], "end": "stop"}
        assert (await client.post(tokens, json=batch, headers=bearer)).json()["next"] == 2
    async with jupyter.client(headers=with_token(jupyter)) as client:
        events = Parser().feed((await client.get(created["url"])).content)
    assert "".join(json.loads(event.data)["text"] for event in events if event.event == "delta") == "one two"


async def test_the_kernels_token_opens_nothing_else(jupyter, kernel_address):
    _, token = kernel_address
    async with jupyter.client() as client:
        for path in (
            "/api/contents",
            "/api/kernels",
            "/api/sessions",
            "/api/me",
            "/api/status",
            "/lab",
            "/files/x",
        ):
            for shown in (
                {"headers": {"Authorization": f"Bearer {token}"}},
                {"headers": {"Authorization": f"token {token}"}},
                {"params": {"token": token}},
            ):
                answer = await client.get(BASE + path, **shown)
                assert answer.status_code in {302, 401, 403}, path
        posted = await client.post(f"{BASE}/api/kernels", json={}, headers={"Authorization": f"Bearer {token}"})
        assert posted.status_code == 403
        assert (await client.get(CHAT, params={"q": "hi", "token": token})).status_code == 401


async def test_a_run_of_the_kernel_is_read_stopped_and_tuned_by_the_page(jupyter, kernel_address):
    url, token = kernel_address
    async with jupyter.client() as page, httpx.AsyncClient(trust_env=False, timeout=LIMIT_S) as kernel:
        created = await kernel.post(
            f"{url}/api/v1/stream/chat",
            json={"q": "hi", "model": "synthetic:tokens=100000,rate=5"},
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
        )
        stream_id = created.json()["stream_id"]
        headers = {"X-XSRFToken": await logged_in(page, jupyter), "Referer": f"{jupyter.url}{BASE}/lab"}
        async with page.stream("GET", RUNS + stream_id) as answer:
            chunks, parser, events = answer.aiter_bytes(), Parser(), []
            while not any(event.event == "delta" for event in events):
                events += parser.feed(await anext(chunks))
            tuned = await page.patch(RUNS + stream_id, json={"chunk_tokens": 1}, headers=headers)
            stopped = await page.delete(RUNS + stream_id, headers=headers)
            assert (tuned.status_code, stopped.status_code) == (202, 202)
            async for chunk in chunks:
                events += parser.feed(chunk)
        assert json.loads(events[-1].data)["reason"] == "stopped"


def page_headers(client, jupyter):
    """What a browser sends with a WebSocket: its cookies and its origin."""
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    return {"Cookie": cookies, "Origin": jupyter.url}


async def test_a_websocket_by_the_users_cookie(jupyter):
    async with jupyter.client() as client:
        await logged_in(client, jupyter)
        talk = await Talk.open(jupyter.url + SOCKET, **page_headers(client, jupyter))
        await talk.send("start", "a", body={"q": "hi"}, key="over-a-socket")
        events = events_of(await talk.until("end"))
        assert events[-1].event == "done"
        stream_id = events[0].id.partition(":")[0]
        assert (await client.get(RUNS + stream_id)).status_code == 200, "it is the run of the same principal"
        await talk.close()


async def test_a_websocket_by_jupyters_token_and_by_the_kernels(jupyter, kernel_address):
    for address, headers in (
        (f"{jupyter.url}{SOCKET}?token={jupyter.token}", {}),
        (jupyter.url + SOCKET, with_token(jupyter)),
        (jupyter.url + SOCKET, {"Authorization": f"Bearer {kernel_address[1]}"}),
    ):
        talk = await Talk.open(address, **headers)
        assert (await talk.ask("start", "a", body={"q": "hi"}))["event"] == "hello"
        await talk.close()


async def test_a_websocket_without_credentials_or_of_a_foreign_page_is_refused(jupyter):
    async with jupyter.client() as client:
        await logged_in(client, jupyter)
        cookie = page_headers(client, jupyter)
        for headers in ({}, {"Authorization": "token wrong"}, {**cookie, "Origin": "https://evil.example"}):
            with pytest.raises(HTTPClientError) as refused:
                await Talk.open(jupyter.url + SOCKET, **headers)
            assert refused.value.code in {401, 403}


async def test_questions_keys_and_tickets_are_not_logged(jupyter):
    secret = {name: f"S3CRET{name}" for name in ("q", "question", "key", "ticket")}
    async with jupyter.client() as client:
        for headers in ({}, with_token(jupyter)):
            await client.get(CHAT, params={**secret, "chunk_tokens": "3"}, headers=headers)
            await client.get(CHAT, params={**secret, "speed": "3"}, headers=headers)
            await client.get(CHAT + "?q=S3CRET%ff&model=%ff", headers=headers)
            await client.put(CHAT, params=secret, headers=headers)
            await client.get(
                RUNS + "0" * 32, params=secret, headers={**headers, "Referer": f"http://a/?q={secret['q']}"}
            )
    logged = jupyter.until_logged(rf"(?s)(GET {RUNS}0{{32}}.*){{2}}\n").string
    assert CHAT in logged
    assert "S3CRET" not in logged


def test_jupyter_logged_no_traceback(jupyter):
    assert "Traceback" not in jupyter.logged()
    assert "sse_server.jupyter | extension was successfully loaded" in jupyter.logged()


def test_the_model_of_an_extension_ends_with_jupyter(tmp_path):
    started = Jupyter(tmp_path, SSE_SERVER_MODEL="local")
    try:
        answer = httpx.post(
            started.url + CHAT,
            json={"q": "Say hello.", "max_tokens": 5},
            headers=with_token(started),
            timeout=LIMIT_S,
            trust_env=False,
        )
        assert Parser().feed(answer.content)[-1].event == "done"
        tasks = Path(f"/proc/{started.pid}/task").iterdir()
        children = {int(pid) for task in tasks for pid in (task / "children").read_text("utf-8").split()}
        names = {pid: Path(f"/proc/{pid}/cmdline").read_text("utf-8") for pid in children}
        (model_pid,) = [pid for pid, name in names.items() if "llama_child" in name]
    finally:
        started.end(signal.SIGKILL)
    until_gone(model_pid)


def test_principals_are_jupyters_users(monkeypatch):
    class Hub(IdentityProvider):
        pass

    for provider in (IdentityProvider(), PasswordIdentityProvider()):
        assert _owner(provider, User("anonymous-1")) == _owner(provider, User("anonymous-2")) == OWNER
    assert _owner(Hub(), User("ada")) == "user:ada"
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    assert _owner(Hub(), User("ada")) == OWNER, "the kernels of ada's server are hers"
    assert _owner(Hub(), User("bob")) == "user:bob"


async def test_parts_of_the_widget_are_for_those_who_are_signed_in(jupyter):
    part = f"{BASE}/sse-widget/static/part-code.js"
    async with jupyter.client(headers=with_token(jupyter)) as client:
        answer = await client.get(part)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert (await client.get(f"{BASE}/sse-widget/static/part-none.js")).status_code == 404
    async with jupyter.client() as client:
        assert (await client.get(part)).status_code in {401, 403}
