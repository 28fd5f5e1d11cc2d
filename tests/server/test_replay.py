"""Recorded answers as models, and recordings played as they were."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys

import httpx
import pytest

import sse_widget as sw
from rig.serving import CHAT, PATIENCE_S, data_of, text_of
from sse_server.config import Config, ConfigError
from sse_server.errors import ServerError
from sse_server.sources.base import ChatMessage, ChatRequest
from sse_server.sources.models import Models
from sse_server.sources.replay import ReplaySource, parse_replay
from sse_server.sources.shelf import Shelf
from sse_widget.cassette import samples
from sse_widget.protocol.cassette import End, Header, Read
from sse_widget.protocol.sse import Parser
from sse_widget.recording.recording import Recording
from sse_widget.recording.request import Order

PLAYED = "/api/v1/stream/cassettes/"
HEADER = Header(
    headers=(("content-type", "text/event-stream; charset=UTF-8"), ("x-stream-id", "abc"), ("set-cookie", "no")),
    head_us=1000,
)
WORDS = ["Hello ", "السلام ", "👩‍👩‍👧‍👦 ", "end."]
END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
OPENAI = [*({"choices": [{"index": 0, "delta": {"content": word}}]} for word in WORDS), END]
QUESTION = ChatRequest((ChatMessage("user", "hi"),), "replay:x")


def openai_wire(chunks=OPENAI):
    return "".join(f"data: {json.dumps(chunk, ensure_ascii=False)}\r\n\r\n" for chunk in chunks).encode()


def cassette_of(data, *, at_every=1, gap_us=1000, how="ended", header=HEADER):
    """The bytes in pieces of one size, a gap before each."""
    pieces = [data[at : at + at_every] for at in range(0, len(data), at_every)]
    reads = tuple(Read(gap_us * number, piece) for number, piece in enumerate(pieces, 2))
    end = None if how is None else End(how, gap_us * (len(reads) + 2), 0, 0)
    return sw.Cassette(header, reads, end)


@pytest.fixture
def folder(tmp_path):
    """A folder with recordings of several kinds."""
    made = {
        "openai": cassette_of(openai_wire(), at_every=7),
        "cut": cassette_of(openai_wire()[:-40], at_every=7, how="cut"),
        "killed": cassette_of(openai_wire()[:-40], at_every=7, how=None),
        "plain": cassette_of(b"data: one\n\ndata:  two\n\n"),
        "plain-cut": cassette_of(b"data: one\n\ndata:  two\n\n", how="cut"),
        "failed": cassette_of(openai_wire(OPENAI[:2]) + b'data: {"error":{"message":"on fire"}}\n\n'),
    }
    for name, cassette in made.items():
        cassette.save(tmp_path / f"{name}.ssecast")
    (tmp_path / "broken.ssecast").write_bytes(b"{}\n[\n")
    lines = (tmp_path / "openai.ssecast").read_bytes().splitlines(keepends=True)
    (tmp_path / "damaged.ssecast").write_bytes(b"".join([*lines[:20], b"[nonsense]\n", *lines[20:]]))
    return tmp_path


@pytest.fixture
def said(folder, virtual):
    """Return a function: the tokens of a recording with their times in ms, and the error at the end."""

    def run(name, *, speed=1.0, request=QUESTION):
        async def collect():
            loop, tokens = asyncio.get_running_loop(), []
            began_ms = loop.time() * 1000
            answer = ReplaySource(name, folder / f"{name}.ssecast", speed).tokens(request)
            try:
                while (token := await anext(answer, None)) is not None:
                    tokens.append((token.text, token.finish, round(loop.time() * 1000 - began_ms)))
            except ServerError as error:
                return tokens, error
            return tokens, None

        return virtual(collect())

    return run


@pytest.mark.parametrize("speed", [1.0, 4.0, 0.5])
def test_each_piece_comes_when_it_came_at_any_speed(folder, said, speed):
    cassette = sw.Cassette.load(folder / "openai.ssecast")
    parser, due = Parser(), []
    for read in cassette.reads:
        due += [round(read.offset_us / 1000 / speed)] * len(parser.feed(read.data))
    tokens, error = said("openai", speed=speed)
    assert error is None
    assert [(text, finish) for text, finish, _ in tokens] == [*((word, "") for word in WORDS), ("", "stop")]
    assert [at for *_, at in tokens] == due


def test_speed_zero_waits_for_nothing(said):
    tokens, error = said("openai", speed=0)
    assert error is None
    assert "".join(text for text, *_ in tokens) == "".join(WORDS)
    assert {at for *_, at in tokens} == {0}


@pytest.mark.parametrize(
    ("name", "text", "code", "says"),
    [
        ("cut", "Hello السلام 👩‍👩‍👧‍👦 end.", "upstream_truncated", "broke off"),
        ("killed", "Hello السلام 👩‍👩‍👧‍👦 end.", "upstream_truncated", "broke off"),
        ("plain-cut", "one two", "upstream_truncated", "broke off"),
        ("failed", "Hello السلام ", "upstream_error", "on fire"),
        ("broken", "", "upstream_error", '"broken"'),
        ("damaged", "Hello ", "upstream_error", "line 21"),
    ],
)
def test_an_answer_that_broke_off_or_failed_does_so_again(said, name, text, code, says):
    tokens, error = said(name)
    assert "".join(piece for piece, *_ in tokens).startswith(text)
    assert not any(finish for _, finish, _ in tokens)
    assert error.code == code
    assert says in error.message


def test_plain_text_is_over_with_the_body(said):
    tokens, error = said("plain")
    assert (error, [(text, finish) for text, finish, _ in tokens]) == (None, [("one", ""), (" two", ""), ("", "stop")])


def test_no_more_tokens_come_than_were_asked_for(said):
    limited = ChatRequest(QUESTION.messages, QUESTION.model, max_tokens=2)
    assert [token[:2] for token in said("openai", request=limited)[0]] == [
        *((word, "") for word in WORDS[:2]),
        ("", "length"),
    ]
    enough = ChatRequest(QUESTION.messages, QUESTION.model, max_tokens=4)
    assert said("openai", request=enough)[0][-1][:2] == ("", "stop")


@pytest.mark.parametrize(
    ("text", "named"), [("x,speed=-1", "replay:speed"), ("x,speed=1_0", "replay:speed"), ("x,loud=1", '"loud"')]
)
def test_parameters_are_checked(text, named):
    with pytest.raises(ServerError) as error:
        parse_replay(text)
    assert (error.value.status, error.value.code) == (400, "invalid_request")
    assert named in error.value.message


@pytest.mark.parametrize("name", ["", "none", "../openai", "openai.ssecast", "/etc/passwd", "*", ".", "sub/openai"])
def test_a_name_is_no_path(folder, name):
    inner = folder / "inner"
    inner.mkdir()
    (folder / "openai.ssecast").rename(inner / "openai.ssecast")
    with pytest.raises(ServerError) as error:
        Models(Config(model=f"replay:{name}"), Shelf(str(folder), folder / "shipped"))
    assert (error.value.status, error.value.code) == (404, "not_found")
    assert "broken, cut, damaged" in error.value.message
    assert str(folder) not in error.value.message


def test_a_shelf_is_a_folder_or_one_recording(folder):
    one = Shelf(str(folder / "cut.ssecast"), folder / "shipped")
    assert list(one.files()) == ["cut"]
    samples = Shelf("", folder)
    assert "openai" in samples.files()
    for place in (folder / "nowhere", folder / "notes.txt"):
        (folder / "notes.txt").touch()
        with pytest.raises(ConfigError, match="--cassettes"):
            Shelf(str(place), folder)


async def test_a_replay_is_a_run_like_any_other(folder, serve):
    served = await serve(cassettes=str(folder))
    events = await served.events("POST", CHAT, json={"q": "hi", "model": "replay:openai,speed=0"})
    assert text_of(events) == "".join(WORDS)
    assert data_of(events[-1])["reason"] == "stop"
    events = await served.events("POST", CHAT, json={"q": "hi", "model": "replay:cut,speed=0"})
    assert data_of(events[-1])["code"] == "upstream_truncated"
    assert text_of(events) == "".join(WORDS)


async def test_recording_a_played_recording_gives_the_same_bytes_and_ends_alike(folder, serve, tmp_path):
    served = await serve(cassettes=str(folder))
    answer = await served.client.get(PLAYED[:-1])
    own = {path.stem for path in folder.glob("*.ssecast")}
    assert answer.json() == {"cassettes": sorted({*own, *samples()})}
    for name in ("openai", "cut", "killed", "plain", "failed"):
        played = sw.Cassette.load(folder / f"{name}.ssecast")
        path = tmp_path / f"again-{name}.ssecast"
        progress = await Recording(Order(url=f"{served.url}{PLAYED}{name}?speed=0"), path).run()
        again = sw.Cassette.load(path)
        assert again.data == played.data
        assert again.events() == played.events()
        assert progress.how == ("ended" if played.end is not None and played.end.end == "ended" else "cut")
        assert dict(again.header.headers)["content-type"] == "text/event-stream; charset=UTF-8"
        assert dict(again.header.headers)["x-stream-id"] == "abc"


async def test_what_our_server_streamed_is_played_back_byte_for_byte(serve, tmp_path):
    served = await serve(cassettes=str(tmp_path))
    path = tmp_path / "ours.ssecast"
    model = "synthetic:tokens=200,rate=0,lang=mixed,seed=5"
    await Recording(Order(url=served.url, question="hi", model=model, params={"chunk_tokens": 1}), path).run()
    played = sw.Cassette.load(path)
    answer = await served.client.get(f"{PLAYED}ours", params={"speed": 1000})
    assert answer.content == played.data
    assert played.text == text_of(Parser().feed(answer.content)) != ""
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_each_read_is_one_write_and_no_header_comes_that_was_not_kept(folder, serve):
    served = await serve(cassettes=str(folder))
    wire = await served.wire()
    await wire.ask("GET", f"{PLAYED}plain?speed=0", Connection="close")
    status, headers = await wire.head()
    assert status == 200
    assert "set-cookie" not in headers
    body = await wire.rest()
    reads = sw.Cassette.load(folder / "plain.ssecast").reads
    assert body == b"".join(b"%x\r\n%b\r\n" % (len(read.data), read.data) for read in reads) + b"0\r\n\r\n"
    await wire.cut()


async def test_a_player_stops_when_its_listener_leaves(folder, serve):
    slow = cassette_of(openai_wire(), gap_us=60_000_000, header=Header(headers=HEADER.headers))
    slow.save(folder / "slow.ssecast")
    served = await serve(cassettes=str(folder))
    wire = await served.wire()
    await wire.ask("GET", f"{PLAYED}slow")
    assert (await wire.head())[0] == 200
    await wire.cut()
    await served.until_idle()


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("none", (404, "not_found")),
        ("..%2Fopenai", (404, "not_found")),
        ("openai?speed=x", (400, "invalid_request")),
        ("openai?loud=1", (400, "invalid_request")),
        ("broken", (500, "upstream_error")),
    ],
)
async def test_what_cannot_be_played_is_refused(folder, serve, error_of, path, refusal):
    served = await serve(cassettes=str(folder))
    answer = await served.client.get(f"{PLAYED}{path}")
    assert error_of(answer)[:2] == refusal


async def test_recordings_are_guarded_like_questions(folder, serve, tmp_path):
    token = tmp_path / "token"
    token.write_text("t0ken")
    served = await serve(cassettes=str(folder), token_file=str(token))
    for path in (PLAYED[:-1], f"{PLAYED}openai"):
        assert (await served.client.get(path)).status_code == 401
        headers = {"Authorization": "Bearer t0ken"}
        assert (await served.client.get(path, params={}, headers=headers)).status_code == 200
        foreign = {"Origin": "https://evil.example"}
        assert (await served.client.get(path, headers=foreign)).status_code == 403
    ticket = served.server.services.tickets.issue("0" * 32)
    assert (await served.client.get(f"{PLAYED}openai?ticket={ticket}")).status_code == 403


async def test_a_damaged_recording_is_cut_where_the_damage_is(folder, serve):
    served = await serve(cassettes=str(folder))
    progress = await Recording(Order(url=f"{served.url}{PLAYED}damaged?speed=0"), folder / "x.ssecast").run()
    assert progress.how == "cut"
    whole = sw.Cassette.load(folder / "openai.ssecast")
    assert sw.Cassette.load(folder / "x.ssecast").data == b"".join(read.data for read in whole.reads[:19])


def started(*arguments):
    command = [sys.executable, "-m", "sse_widget", "replay", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


async def test_the_command_serves_one_recording_until_it_is_interrupted(folder):
    with started(folder / "openai.ssecast", "--speed", "0") as process:
        url = (await asyncio.to_thread(process.stdout.readline)).strip()
        assert url.endswith(f"{PLAYED}openai?speed=0")
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
            answer = await client.get(url)
            assert answer.content == openai_wire()
            assert (await client.get(url.replace("openai", "cut"))).status_code == 404
        process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(process.wait) == 130
    for arguments, says in (
        (["broken.ssecast"], "line 1: no header"),
        (["none.ssecast"], "none.ssecast"),
        (["openai.ssecast", "--speed", "-1"], "from 0 (flat out) to 1000"),
        (["openai.ssecast", "--speed", "nan", "--lang", "ar"], "عددًا من 0"),
    ):
        with started(folder / arguments[0], *arguments[1:]) as process:
            assert says in (await asyncio.to_thread(process.communicate))[1]
            assert process.returncode == 2
