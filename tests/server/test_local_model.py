"""The model of this machine, for real: answers stream side by side, a stop stops it, its death is survived."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zlib
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

import sse_widget as sw
from rig.serving import CHAT, RUNS, data_of, text_of
from sse_server.sources.local import CONTEXT_TOKENS, LocalSource, bundled_model

STORY = {
    "q": "Write a very long story about the sea, with many chapters.",
    "temperature": 0,
    "seed": 1,
    "max_tokens": 1500,
}
LONG_QUESTION = "Sum this up. " + " ".join(f"word{n} and sea" for n in range(100))
LIMIT_S = 30.0
STOP_LIMIT_MS = 200.0


@pytest.fixture
async def local(serve):
    """Return a server with the local model, its source, and how to read the model's own counter."""
    served = await serve(model="local")
    source = served.server.models.source_of("local")
    await source.start()
    return served, source


async def slots(source):
    """Return llama.cpp's own slots; a slot that works counts its tokens in `n_decoded`."""
    http = source._upstream.upstream.http
    return (await http.get(http.base_url.join("/slots"))).json()


async def counter(source):
    """Return (slots at work, tokens made by them, prompt tokens read by them)."""
    busy = [slot for slot in await slots(source) if slot["is_processing"]]
    made = sum(each["n_decoded"] for slot in busy for each in slot["next_token"])
    return len(busy), made, sum(slot["n_prompt_tokens_processed"] for slot in busy)


async def standstill_ms(source, began):
    """Return when the counter was last seen moving, in ms after `began`; three equal readings prove it stands."""
    equal, last, moved_at = 0, await counter(source), time.monotonic()
    while equal < 3 or last[0]:
        assert time.monotonic() - began < LIMIT_S
        current = await counter(source)
        if current == last:
            equal += 1
        else:
            equal, last, moved_at = 0, current, time.monotonic()
    return 1000 * max(0.0, moved_at - began)


async def test_an_answer_streams(local):
    served, _ = local
    fields = {"q": "What is the capital of France? Answer in one sentence.", "temperature": 0, "max_tokens": 40}
    async with served.reading("POST", CHAT, json=fields) as reply:
        events = await reply.rest()
    text, done = text_of(events), data_of(events[-1])
    assert "Paris" in text
    assert (done["chars"], done["crc32"]) == (len(text), zlib.crc32(text.encode()))
    assert done["reason"] in {"stop", "length"}
    assert data_of(events[-2])["model_used"] == "local"
    assert done["tokens"] > sum(event.event == "delta" for event in events) > 0


async def test_max_tokens_ends_in_length(local):
    served, _ = local
    events = await served.events("POST", CHAT, json={**STORY, "max_tokens": 9, "chunk_tokens": 1})
    assert data_of(events[-1])["reason"] == "length"
    assert data_of(events[-1])["tokens"] <= 9


async def test_an_arabic_question_streams_whole_characters(local):
    served, _ = local
    events = await served.events(
        "POST", CHAT, json={"q": "ما هو البث؟ أجب بالعربية.", "max_tokens": 60, "chunk_tokens": 1}
    )
    assert events[-1].event == "done"
    assert "\ufffd" not in text_of(events)


async def test_two_questions_at_once_both_stream(local):
    served, _ = local
    turns = []

    async def ask(name):
        async with served.reading("POST", CHAT, json={**STORY, "max_tokens": 80, "chunk_tokens": 1}) as reply:
            for event in await reply.until("start"):
                assert event.event in {"hello", "start"}
            while (event := await reply.next()).event != "done":
                turns.append(name)

    await asyncio.gather(ask("a"), ask("b"))
    changes = sum(one != other for one, other in pairwise(turns))
    assert changes > 20, "their deltas alternate"


async def test_a_long_question_does_not_hold_up_another_answer(local):
    served, source = local
    async with served.reading("POST", CHAT, json={**STORY, "chunk_tokens": 1}) as reply:
        await reply.until("delta")
        before = (await counter(source))[1]
        stream_id = await served.start(q=LONG_QUESTION, max_tokens=300)
        between = 0
        while not (info := await served.log.info(stream_id)).text_seq:
            assert not info.ended
            await reply.until("delta")
            between += 1
        assert (await counter(source))[1] > before
        for each in (stream_id, reply.headers["x-stream-id"]):
            await served.client.delete(RUNS + each)
    assert between > 3, "it went on while the other question was read"


async def test_stop_stands_the_models_counter_still(local):
    served, source = local
    times_ms = []
    for _ in range(5):
        async with served.reading("POST", CHAT, json={**STORY, "chunk_tokens": 1}) as reply:
            await reply.until("delta")
            assert (await counter(source))[0] == 1
            answer = await served.client.delete(RUNS + reply.headers["x-stream-id"])
            began = time.monotonic()
            assert answer.status_code == 202
            times_ms.append(await standstill_ms(source, began))
            events = await reply.rest()
        assert data_of(events[-1])["reason"] == "stopped"
    print(f"stop: the counter stood still after {', '.join(f'{each:.0f}' for each in times_ms)} ms")
    assert max(times_ms) < STOP_LIMIT_MS


async def test_stop_while_the_question_is_read_stops_the_model(local):
    served, source = local
    stream_id = await served.start(q=LONG_QUESTION, max_tokens=300)
    while not (await counter(source))[2]:
        pass
    await served.client.delete(RUNS + stream_id)
    began = time.monotonic()
    waited_ms = await standstill_ms(source, began)
    print(f"stop while the question is read: {waited_ms:.0f} ms")
    events = await served.events("GET", RUNS + stream_id)
    assert data_of(events[-1]) == {"reason": "stopped", "tokens": 0, "chars": 0, "crc32": 0}


async def test_an_unread_run_stops_the_model(local):
    served, source = local
    now = [0.0]
    served.log._clock = lambda: now[0]
    stream_id = await served.start(**STORY)
    while not (await counter(source))[1]:
        pass
    now[0] = 1e6
    await served.server.services.runs.sweep()
    await served.until_ended(stream_id)
    assert await standstill_ms(source, time.monotonic()) < LIMIT_S * 1000
    assert (await counter(source))[0] == 0


async def test_the_death_of_the_child_ends_the_answer_and_the_next_one_has_a_new_child(local):
    served, source = local
    pids = {source.child_pid}
    for _ in range(2):
        async with served.reading("POST", CHAT, json={**STORY, "chunk_tokens": 1}) as reply:
            await reply.until("delta")
            os.kill(source.child_pid, signal.SIGKILL)
            events = await reply.rest()
        assert events[-1].event == "error"
        assert data_of(events[-1])["code"] in {"upstream_truncated", "upstream_error"}
        assert data_of(events[-1])["retryable"] is True
        assert events[-1].id
        again = await served.events("POST", CHAT, json={"q": "Say hello.", "max_tokens": 5})
        assert again[-1].event == "done", again[-1].data
        pids.add(source.child_pid)
    assert len(pids) == 3


def block_until_refused(port):
    """Return once nobody listens; the loop stands still meanwhile, so that nothing in it can notice."""
    with suppress(ConnectionRefusedError):
        while True:
            with suppress(ConnectionResetError):
                socket.create_connection(("127.0.0.1", port), LIMIT_S).close()


def of_process(pid, name):
    """Return what the system tells of a process."""
    return Path(f"/proc/{pid}/{name}").read_text("utf-8")


async def test_a_death_that_nobody_noticed_yet_costs_no_question(local):
    served, source = local
    pid, child = source.child_pid, source._child
    os.kill(pid, signal.SIGKILL)
    port = source._upstream.upstream.http.base_url.port
    block_until_refused(port)
    assert child.returncode is None
    fields = {"q": "Say hello.", "max_tokens": 3}
    answers = await asyncio.gather(*[served.events("POST", CHAT, json=fields) for _ in range(4)])
    assert [events[-1].event for events in answers] == ["done"] * 4, [events[-1].data for events in answers]
    assert source.child_pid not in {None, pid}


async def test_stop_while_the_model_loads_and_ask_again(serve):
    served = await serve(model="local")
    stream_id = await served.start(q="hi", max_tokens=3)
    await served.client.delete(RUNS + stream_id)
    events = await served.events("GET", RUNS + stream_id)
    assert data_of(events[-1])["reason"] == "stopped"
    again = await served.events("POST", CHAT, json={"q": "hi", "max_tokens": 3})
    assert again[-1].event == "done"


async def test_a_question_beyond_the_context_is_an_error_that_says_so(local):
    served, _ = local
    events = await served.events("POST", CHAT, json={"q": "سؤال؟ " * 1600})
    assert data_of(events[-1])["code"] == "upstream_error"
    assert "context" in data_of(events[-1])["message"]
    assert str(CONTEXT_TOKENS) in data_of(events[-1])["message"]
    assert "{" not in data_of(events[-1])["message"]


async def test_the_child_is_closed_with_its_source():
    source = LocalSource()
    await source.start()
    child = source._child
    await source.close()
    assert child.returncode == 0
    assert source.child_pid is None
    await source.close()


async def test_the_child_asks_for_its_key_and_listens_on_loopback(local):
    _, source = local
    upstream = source._upstream.upstream.http
    assert upstream.base_url.host == "127.0.0.1"
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}):
        for path in ("/slots", "/props", "/v1/chat/completions"):
            url = upstream.base_url.join(path)
            answer = await upstream.request("POST" if "chat" in path else "GET", url, headers=headers, json={})
            assert answer.status_code == 401
    key = upstream.headers["authorization"].removeprefix("Bearer ")
    assert key not in of_process(source.child_pid, "cmdline")
    assert key not in of_process(source.child_pid, "environ")


async def test_a_recording_of_its_openai_route_holds_no_key_and_plays_back_byte_for_byte(serve, tmp_path):
    served = await serve(model="local", cassettes=str(tmp_path))
    upstream = (await served.server.models.source_of("local").start()).upstream.http
    key = upstream.headers["authorization"].removeprefix("Bearer ")
    path = tmp_path / "llama.ssecast"
    cassette = await asyncio.to_thread(
        sw.record,
        str(upstream.base_url.copy_with(path="/v1/", query=f"api_key={key}".encode())),
        path,
        q="What is the capital of France? Answer in one sentence.",
        token=key,
        headers={"X-Api-Key": key},
        temperature=0,
        max_tokens=40,
    )
    assert key.encode() not in path.read_bytes() + cassette.data
    assert cassette.header.url == f"{upstream.base_url.copy_with(path='/v1/chat/completions')}"
    assert "Paris" in cassette.text
    assert (cassette.end.end, cassette.events()[-1].data) == ("ended", "[DONE]")
    played = await served.client.get("/api/v1/stream/cassettes/llama", params={"speed": 100})
    assert played.content == cassette.data
    events = await served.events("POST", CHAT, json={"q": "hi", "model": "replay:llama,speed=100"})
    assert text_of(events) == cassette.text


@pytest.mark.parametrize("kind", ["missing", "broken", "empty", "a folder"])
async def test_a_model_file_that_is_none_is_a_clear_error(serve, tmp_path, kind):
    path = tmp_path / "my-model.gguf"
    if kind == "broken":
        path.write_bytes(b"GGUF" + bytes(1000))
    elif kind == "empty":
        path.touch()
    elif kind == "a folder":
        path.mkdir()
    served = await serve(model=str(path))
    for lang in ("en", "ar"):
        events = await served.events("POST", CHAT, json={"q": "hi"}, headers={"Accept-Language": lang})
        error = data_of(events[-1])
        assert (events[-1].event, error["code"], error["type"]) == ("error", "upstream_error", "upstream")
        assert str(tmp_path) not in error["message"]
    good = await served.events("POST", CHAT, json={"q": "hi", "model": "synthetic:tokens=3,rate=0"})
    assert good[-1].event == "done"


async def test_a_model_file_goes_by_its_name(serve, tmp_path):
    path = tmp_path / "my-model.gguf"
    path.symlink_to(bundled_model())
    served = await serve(model=str(path))
    for fields in ({}, {"model": "my-model.gguf"}):
        events = await served.events("POST", CHAT, json={"q": "hi", "max_tokens": 3, **fields})
        assert events[-1].event == "done", events[-1].data
        assert data_of(events[0])["model"] == data_of(events[-2])["model_used"] == "my-model.gguf"
    assert len(served.server.models._sources) == 1
    health = await served.client.get("/api/v1/stream/health")
    assert str(tmp_path) not in health.text
    refused = await served.client.post(CHAT, json={"q": "hi", "model": str(path)})
    assert refused.status_code == 400


def test_a_child_whose_parent_dies_while_it_loads_ends() -> None:
    """Nobody is left to hear its URL: the broken pipe must end it, not leave it waiting for its own threads."""
    settings = {"model": str(bundled_model()), "api_key": "k", "slots": 1, "context": 256, "batch": 16, "threads": 1}
    child = subprocess.Popen(
        [sys.executable, "-m", "sse_server.sources.llama_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        child.stdin.write(json.dumps(settings).encode() + b"\n")
        child.stdin.close()
        child.stdout.close()
        child.wait(LIMIT_S)
    finally:
        child.kill()
        child.wait()
