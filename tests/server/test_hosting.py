"""Where the server is, and the one that a kernel starts for itself."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import httpx
import pytest

from sse_widget import StreamClient, hosting
from sse_widget.errors import ConnectError

PATIENCE_S = 20.0
FAST = "synthetic:tokens=5,rate=0"
ORPHAN = """
import sys
from sse_widget.hosting import serve
server = serve(model="synthetic:")
print(server.url, flush=True)
sys.stdin.read()
"""


def health(url):
    return httpx.get(f"{url}/api/v1/stream/health", timeout=PATIENCE_S, trust_env=False)


def until_closed(url):
    """Return once nothing listens there: a connection that is open sees its end."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname, parts.port), PATIENCE_S) as connection:
            assert connection.recv(1) == b""
    except ConnectionError:
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((parts.hostname, parts.port), PATIENCE_S)


@pytest.mark.parametrize(
    ("url", "token", "environment", "found"),
    [
        (None, None, {}, None),
        ("http://a:1/", None, {"SSE_WIDGET_URL": "http://b:2"}, ("http://a:1", "", False, "http://a:1")),
        ("http://a:1", "t", {"SSE_WIDGET_TOKEN": "u"}, ("http://a:1", "t", False, "http://a:1")),
        (None, None, {"SSE_WIDGET_URL": "http://b:2"}, ("http://b:2", "", False, "http://b:2")),
        (
            None,
            None,
            {"SSE_WIDGET_URL": "http://b:2/user/x/sse-widget/", "SSE_WIDGET_TOKEN": "u"},
            ("http://b:2/user/x/sse-widget", "u", True, ""),
        ),
        (
            "http://a:1/sse-widget/",
            None,
            {"SSE_WIDGET_URL": "http://b:2/sse-widget", "SSE_WIDGET_TOKEN": "u"},
            ("http://a:1/sse-widget", "", False, "http://a:1/sse-widget"),
        ),
        ("http://a:1/sse-widget", "t", {}, ("http://a:1/sse-widget", "t", False, "http://a:1/sse-widget")),
        (
            "http://b:2/sse-widget/",
            None,
            {"SSE_WIDGET_URL": "http://b:2/sse-widget", "SSE_WIDGET_TOKEN": "u"},
            ("http://b:2/sse-widget", "u", True, ""),
        ),
    ],
)
def test_a_named_server_is_found(url, token, environment, found):
    address = hosting.find(url, token, environment)
    if found is None:
        assert address is None
    else:
        assert (address.url, address.token, address.in_jupyter, address.browser_url) == found
        assert "'u'" not in repr(address)


def test_serve_starts_a_server_that_wants_its_token():
    with hosting.serve(model=FAST) as server:
        assert server.running
        assert health(server.url).json()["model"] == FAST
        assert urlsplit(server.url).hostname == "127.0.0.1"
        assert len(server.token) >= 32
        assert server.token not in repr(server)
        chat = f"{server.url}/api/v1/stream/chat?q=hi"
        assert httpx.get(chat, trust_env=False).status_code == 401
        assert httpx.get(chat, headers={"Authorization": f"Bearer {server.token}"}, trust_env=False).status_code == 200
    assert not server.running
    until_closed(server.url)
    server.stop()


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:8888", True),
        ("http://127.0.0.1:8889", True),
        ("https://lab.example", True),
        ("https://evil.example", False),
    ],
)
def test_pages_of_this_machine_and_those_named_may_ask(origin, allowed):
    with hosting.serve(model=FAST, allow_origin="https://lab.example") as server:
        headers = {"Origin": origin, "Authorization": f"Bearer {server.token}"}
        answer = httpx.get(f"{server.url}/api/v1/stream/chat?q=hi", headers=headers, trust_env=False)
        assert (answer.headers.get("access-control-allow-origin") == origin) == allowed
        preflight = httpx.options(f"{server.url}/api/v1/stream/chat", headers={"Origin": origin}, trust_env=False)
        assert preflight.is_success == allowed


def test_nothing_of_the_token_stays_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with hosting.serve(model=FAST):
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "says"),
    [({"no_such_flag": 1}, "unrecognized arguments: --no-such-flag=1"), ({"port": 70000}, "from 0 to 65535")],
)
def test_a_server_that_does_not_come_up_says_why(flags, says):
    with pytest.raises(ConnectError, match=says):
        hosting.serve(**flags)


def test_own_is_one_server_and_a_new_one_when_it_has_ended(monkeypatch):
    monkeypatch.setattr(hosting, "_own", None)
    monkeypatch.setattr(hosting, "serve", lambda real=hosting.serve: real(model=FAST))
    first = hosting.own()
    assert hosting.own() is first
    assert first.ended is None
    first.stop()
    assert "asking again starts a new one" in first.ended.message
    second = hosting.own()
    assert second.url != first.url
    assert health(second.url).status_code == 200
    second.stop()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, None])
def test_the_server_ends_with_its_parent_however_that_ends(number):
    parent = subprocess.Popen([sys.executable, "-c", ORPHAN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    url = parent.stdout.readline().strip()
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), PATIENCE_S) as connection:
        if number is None:
            parent.stdin.close()
        else:
            os.kill(parent.pid, number)
        parent.wait(PATIENCE_S)
        assert connection.recv(1) == b""
    until_closed(url)
    parent.stdin.close()
    parent.stdout.close()


@pytest.mark.parametrize(
    ("page", "admitted"),
    [
        ("http://localhost:2718", True),
        ("vscode-webview://0abc1def", True),
        ("https://x1y2-0-colab.googleusercontent.com", True),
        ("https://evil.example", False),
        ("https://x.googleusercontent.com.evil.example", False),
        ("null", False),
    ],
)
def test_pages_of_notebooks_may_ask_a_server_of_the_kernels_own(page, admitted):
    with hosting.serve(model=FAST) as server:
        answer = httpx.get(f"{server.url}/api/v1/stream/health", headers={"Origin": page})
        assert answer.headers.get("access-control-allow-origin") == (page if admitted else None)


def test_the_environment_names_the_way():
    assert hosting.ways({}) == {}
    named = {"SSE_WIDGET_ROUTE": "relay", "SSE_WIDGET_TRANSPORT": "poll"}
    assert hosting.ways(named) == {"route": "relay", "transport": "poll"}
    with pytest.raises(ValueError, match=r"SSE_WIDGET_ROUTE='bus' is none of auto, extension, url, proxy"):
        hosting.ways({"SSE_WIDGET_ROUTE": "bus"})


@pytest.mark.parametrize(("flags", "allowed"), [({}, True), ({"allow_faults": False}, False)])
async def test_a_server_of_our_own_allows_faults_unless_told_otherwise(flags, allowed):
    with hosting.serve(model="synthetic:rate=0", **flags) as server:
        health = await StreamClient(server.url, token=server.token).health()
    assert health["faults"] is allowed
