"""Which models a server offers: providers that are set up, packages that bring some, and a list of those allowed."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import suppress

import pytest

from rig import providers
from rig.plugged import plug
from rig.serving import CHAT, PATIENCE_S, RUNS, data_of, text_of
from rig.upstream import OK, Upstream, refusal, said, stream
from sse_server.config import Config, ConfigError, read_config
from sse_server.errors import ServerError
from sse_server.sources.base import ChatMessage, ChatRequest
from sse_server.sources.models import Models
from sse_server.sources.providers import base_url
from sse_server.sources.shelf import Shelf
from sse_server.sources.synthetic import SyntheticSource

KEY = "sk-of-the-test-0123456789"
SYNTHETIC = "synthetic:tokens=3,rate=0"
REQUEST = ChatRequest((ChatMessage("user", "hi"),), "any")
STREAMS = {"openai": providers.chat_completions, "anthropic": providers.messages}
VARIABLES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def models(tmp_path, environment=(), **settings):
    return Models(Config(**{"model": SYNTHETIC, **settings}), Shelf("", tmp_path), dict(environment))


def refused(offered, model):
    with pytest.raises(ServerError) as raised:
        offered.source_of(model)
    return raised.value


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_a_provider_is_offered_only_with_a_key_or_an_address(tmp_path, kind):
    bare = models(tmp_path)
    error = refused(bare, f"{kind}:some")
    assert (error.status, error.code) == (400, "invalid_request")
    assert f"{kind}:…" not in error.message
    key = tmp_path / "key"
    key.write_text(f"{KEY}\n", "utf-8")
    for offered in (
        models(tmp_path, {VARIABLES[kind]: KEY}),
        models(tmp_path, **{f"{kind}_url": "http://127.0.0.1:1/v1"}),
        models(tmp_path, **{f"{kind}_key_file": str(key)}),
    ):
        assert offered.source_of(f"{kind}:some/model:1") is offered.source_of(f"{kind}:some/model:1")
        assert f"{kind}:…" in refused(offered, f"{kind}:").message
        refused(offered, f"{kind}:{'x' * 201}")


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_a_default_without_a_key_is_refused_with_the_names_of_the_settings(tmp_path, kind):
    with pytest.raises(ConfigError) as raised:
        models(tmp_path, model=f"{kind}:some")
    for name in (VARIABLES[kind], f"--{kind}-key-file", f"--{kind}-url"):
        assert name in str(raised.value)


@pytest.mark.parametrize("content", [b"sk with blanks 1234", b"sk-1\nsk-2", "sk-é".encode(), b"\xff\xfe", b" \n"])
def test_a_key_that_is_none_is_refused_and_not_repeated(tmp_path, content):
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        models(tmp_path, openai_key_file=str(file))
    assert str(file) in str(raised.value)
    assert "sk" not in str(raised.value).replace(str(file), "")
    with pytest.raises(ConfigError, match="cannot read the key file"):
        models(tmp_path, openai_key_file=str(tmp_path / "missing"))


def test_the_providers_own_variables_count_after_the_servers_settings(tmp_path):
    theirs = {"OPENAI_BASE_URL": "http://theirs/v1", "ANTHROPIC_BASE_URL": "http://theirs"}
    config = read_config([], theirs)
    assert (config.openai_url, config.anthropic_url) == ("http://theirs/v1", "http://theirs")
    assert read_config(["--openai-url", "http://ours/v1"], theirs).openai_url == "http://ours/v1"
    assert read_config([], {**theirs, "SSE_SERVER_OPENAI_URL": "http://ours/v1"}).openai_url == "http://ours/v1"
    file = tmp_path / "server.toml"
    file.write_text('openai_url = "http://ours/v1"\n', "utf-8")
    assert read_config(["--config", str(file)], theirs).openai_url == "http://ours/v1"


@pytest.mark.parametrize(
    ("kind", "url", "want"),
    [
        ("openai", "http://127.0.0.1:8080", "http://127.0.0.1:8080/v1"),
        ("openai", "http://127.0.0.1:11434/v1/", "http://127.0.0.1:11434/v1"),
        ("openai", "https://host/v1beta/openai", "https://host/v1beta/openai"),
        ("anthropic", "https://api.anthropic.com/", "https://api.anthropic.com"),
        ("anthropic", "https://host/anthropic/v1", "https://host/anthropic"),
    ],
)
def test_where_the_paths_begin(kind, url, want):
    assert base_url(kind, url) == want


def test_only_models_of_the_list_may_be_asked(tmp_path):
    environment = {"OPENAI_API_KEY": KEY}
    offered = models(tmp_path, environment, allow_model=("openai:gpt-*", "local", "replay:[ab]"))
    for model in ("openai:gpt-5", "local", SYNTHETIC):
        offered.source_of(model)
    for model in ("openai:o3", "synthetic:tokens=4,rate=0", "OPENAI:gpt-5", "replay:a", "anthropic:x"):
        error = refused(offered, model)
        assert (error.status, error.code) == (400, "invalid_request")
        assert "openai:gpt-*" in error.message
    assert offered.names() == [SYNTHETIC, "local"]


def test_the_model_of_seeded_text_has_its_caps(tmp_path):
    offered = models(tmp_path, max_synthetic_tokens=100, max_synthetic_s=10.0)
    for fits in ("tokens=100,rate=10", "tokens=100,rate=0", "tokens=10,rate=0,stall_every=5,stall_ms=5000"):
        assert isinstance(offered.source_of(f"synthetic:{fits}"), SyntheticSource)
    for too_much, named in (
        ("tokens=101,rate=0", "tokens"),
        ("tokens=100,rate=9", "rate"),
        ("tokens=1,rate=0,ttft_ms=10001", "rate"),
        ("tokens=10,rate=0,stall_every=1,stall_ms=5000", "rate"),
    ):
        error = refused(offered, f"synthetic:{too_much}")
        assert (error.status, error.code) == (400, "invalid_request")
        assert f"synthetic:{named}" in error.message
        assert f"synthetic:{named}" in error.say("ar")


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_a_run_of_a_provider_has_its_text_and_its_usage(serve, kind):
    async with Upstream(said(OK, stream(STREAMS[kind](providers.WORDS)))) as upstream:
        served = await serve(**{f"{kind}_url": upstream.url})
        events = await served.events("POST", CHAT, json={"q": "hi", "model": f"{kind}:named"})
        await served.server.models.close()
    assert text_of(events) == providers.TEXT
    metadata, done = map(data_of, events[-2:])
    assert (metadata["tokens_used"], metadata["prompt_tokens"]) == (len(providers.WORDS), 1)
    assert (done["reason"], done["tokens"]) == ("stop", len(providers.WORDS))
    assert upstream.body["model"] == "named"


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
@pytest.mark.parametrize("how", ["stop", "silence before the first byte", "shutdown"])
async def test_the_end_of_a_run_closes_the_request_to_its_provider(serve, kind, how):
    begin = list(STREAMS[kind](providers.WORDS))[:8]
    pieces = () if how.startswith("silence") else (OK, stream(begin))
    async with Upstream(said(*pieces, hold=True)) as upstream:
        served = await serve(**{f"{kind}_url": upstream.url})
        stream_id = await served.start(model=f"{kind}:named")
        await upstream.asked.wait()
        if pieces:
            await served.until_seq(stream_id, 2)
        assert not upstream.left.is_set()
        if how == "shutdown":
            await served.server.close()
        else:
            await served.client.delete(RUNS + stream_id)
        async with asyncio.timeout(PATIENCE_S):
            await upstream.left.wait()
        await served.until_ended(stream_id)
        events = await served.events("GET", RUNS + stream_id)
        await served.server.models.close()
    end = data_of(events[-1])
    assert end.get("code", end.get("reason")) == ("shutdown" if how == "shutdown" else "stopped")


async def test_a_providers_retry_after_reaches_the_reader(serve):
    async with Upstream(refusal("429 Slow down", b"", "Retry-After: 3600")) as upstream:
        served = await serve(openai_url=upstream.url)
        for lang in ("en", "ar"):
            events = await served.events(
                "POST", CHAT, json={"q": "hi", "model": "openai:x"}, headers={"Accept-Language": lang}
            )
            end = data_of(events[-1])
            assert events[-1].event == "error"
            assert events[-1].id
            assert (end["code"], end["type"], end["retryable"]) == ("upstream_rate_limited", "upstream", True)
            assert end["retry_after_s"] == 3600
            assert "3600" in end["message"]
        await served.server.models.close()


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "400 Bad", "500 Oh"])
async def test_a_key_stands_in_no_error_and_no_log(serve, monkeypatch, caplog, status):
    caplog.set_level(logging.DEBUG, "sse_server")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    async with Upstream(refusal(status, {"error": {"message": f"{KEY} was sent"}})) as upstream:
        served = await serve(openai_url=upstream.url, upstream_retries=0)
        events = await served.events("POST", CHAT, json={"q": "hi", "model": "openai:x"})
        await served.server.models.close()
    assert f"bearer {KEY}" in upstream.head
    assert events[-1].event == "error"
    assert KEY not in events[-1].data + caplog.text + repr(served.server.services.config)


async def test_proxies_of_the_environment_are_asked_for_real_providers_and_never_for_loopback(serve, monkeypatch):
    answer = said(OK, stream(providers.chat_completions(["a"])))
    async with Upstream(answer) as proxy, Upstream(answer) as near:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        for url in ("http://provider.invalid/v1", near.url):
            served = await serve(openai_url=url)
            events = await served.events("POST", CHAT, json={"q": "hi", "model": "openai:x"})
            assert text_of(events) == "a", url
            await served.server.models.close()
        assert (len(proxy.requests), len(near.requests)) == (1, 1)
        assert proxy.head.startswith("post http://provider.invalid/v1/chat/completions ")


async def test_packages_bring_models_and_a_broken_one_stops_no_other(serve, tmp_path, monkeypatch, caplog):
    plug(tmp_path, monkeypatch)
    served = await serve()
    assert "plugged_for_tests" not in sys.modules
    for model in ("echo", "echo:with more"):
        events = await served.events("POST", CHAT, json={"q": "hi there", "model": model})
        assert text_of(events) == f"{model} heard: hi there "
    for name, says in (("failing", "no licence"), ("wrong", "has no tokens()"), ("absent", "plugged_for_tests_absent")):
        answer = await served.client.post(CHAT, json={"q": "hi", "model": name}, headers={"Accept": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (502, "upstream_error")
        assert f'"{name}"' in answer.json()["detail"]
        assert says in caplog.text
        assert says not in answer.text
        arabic = await served.client.post(CHAT, json={"q": "hi", "model": name}, headers={"Accept-Language": "ar"})
        assert "الحزمة" in arabic.text
        assert says not in arabic.text
    assert (await served.events("POST", CHAT, json={"q": "hi", "model": SYNTHETIC}))[-1].event == "done"
    assert {"echo", "failing", "wrong", "absent"} <= set(served.server.models.names())
    assert "'local'" in caplog.text
    module = sys.modules.pop("plugged_for_tests")
    await served.server.close()
    assert module.Echo.closed


async def test_a_package_that_cannot_be_closed_is_told_and_the_others_are_closed(tmp_path, monkeypatch, caplog):
    plug(tmp_path, monkeypatch)
    offered = models(tmp_path)
    for name in ("sticky", "echo"):
        offered.source_of(name)
    module = sys.modules.pop("plugged_for_tests")
    await offered.close()
    assert "'sticky' could not be closed" in caplog.text
    assert module.Echo.closed


def test_a_broken_package_as_the_default_is_refused(tmp_path, monkeypatch, caplog):
    plug(tmp_path, monkeypatch)
    with pytest.raises(ServerError, match='"failing"'):
        models(tmp_path, model="failing")
    assert "no licence" in caplog.text
    with suppress(KeyError):
        del sys.modules["plugged_for_tests"]
