"""Recording a real server over loopback: every byte, its time, and nothing that is secret."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import pty
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

import sse_widget as sw
from rig.providers import TEXT, chat_completions
from rig.serving import PATIENCE_S
from sse_widget.errors import CassetteError, ConnectError, IdleTimeout, RemoteError, WrongContentType
from sse_widget.recording import watched
from sse_widget.recording.recording import Recording
from sse_widget.recording.request import Order

MIXED = "synthetic:tokens=40,rate=0,lang=mixed,seed=3"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Secret: s3cret\r\nSet-Cookie: a=s3cret\r\n"
NASTY = [
    "data: ك".encode()[:-1],
    "ك".encode()[-1:] + b"\r",
    b"\ndata: two\r\n\r",
    b"\n",
    b"\xef\xbb\xbf\xff\x00: x\n\n",
]


class Raw:
    """A bare server that answers with these pieces, one chunk each; without `ends` it cuts, when told to go on."""

    def __init__(self, head: bytes, pieces, *, ends: bool = True) -> None:
        self.head, self.pieces, self.ends = head, pieces, ends
        self.requests: list[bytes] = []
        self.go_on = asyncio.Event()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self.go_on.set()
        await self._server.wait_closed()

    async def _answer(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
        self.requests.append(head + await reader.readexactly(length))
        if self.head:
            writer.write(self.head + b"Transfer-Encoding: chunked\r\n\r\n")
        for piece in self.pieces:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        if self.ends:
            writer.write(b"0\r\n\r\n")
        else:
            await self.go_on.wait()
        writer.close()


def ticking(step_ns):
    """A clock that moves on by so much whenever it is read."""
    return itertools.count(0, step_ns).__next__


def ready(url, path, **order):
    return Recording(
        Order(url=url, **order), path, clock_ns=ticking(1_500_999), now=lambda: datetime(2026, 1, 2, tzinfo=UTC)
    )


async def test_every_byte_is_there_and_every_read_has_its_time(tmp_path):
    path = tmp_path / "run.ssecast"
    async with Raw(HEAD, NASTY) as server:
        progress = await ready(server.url, path, title="nasty").run()
    cassette = sw.Cassette.load(path)
    assert cassette.data == b"".join(NASTY)
    assert progress.how == "ended"
    assert (progress.bytes, progress.events) == (len(cassette.data), len(cassette.events()))
    header, end = cassette.header, cassette.end
    # The clock is read at the request, the head, each read and the end, and an offset is whole microseconds.
    ticks = [1_500_999 * reads // 1000 for reads in range(1, 3 + len(cassette.reads))]
    assert [header.head_us, *(read.offset_us for read in cassette.reads), end.offset_us] == ticks
    assert (header.created, header.title, header.method) == ("2026-01-02T00:00:00Z", "nasty", "GET")
    assert header.headers == (("content-type", "text/event-stream"),)
    assert cassette.duration_s == end.offset_us / 1e6 == progress.elapsed_s


async def test_no_secret_is_written_down(tmp_path):
    path = tmp_path / "run.ssecast"
    async with Raw(HEAD, [b"data: x\n\n"]) as server:
        host = server.url.removeprefix("http://")
        order = Order(
            url=f"http://user:s3cret@{host}/v1/chat/completions?key=s3cret",
            body={"api_key": "s3cret"},
            token="s3cret",
            headers={"Cookie": "s=s3cret", "X-Api-Key": "s3cret"},
        )
        await Recording(order, path).run()
        assert server.requests[0].count(b"s3cret") == 4
        assert b"Basic dXNlcjpzM2NyZXQ=" in server.requests[0]
        bearer = Order(url=server.url, token="s3cret")
        await Recording(bearer, tmp_path / "other.ssecast").run()
        assert b"Bearer s3cret" in server.requests[1]
    written = path.read_bytes() + (tmp_path / "other.ssecast").read_bytes()
    assert b"s3cret" not in written
    assert b"dXNl" not in written
    assert sw.Cassette.load(path).header.url == f"http://{host}/v1/chat/completions"


async def test_a_stream_that_breaks_is_recorded_as_cut(tmp_path):
    path = tmp_path / "run.ssecast"
    async with Raw(HEAD, NASTY, ends=False) as server:
        server.go_on.set()
        progress = await ready(server.url, path).run()
    cassette = sw.Cassette.load(path)
    assert progress.how == cassette.end.end == "cut"
    assert cassette.whole
    assert cassette.data == b"".join(NASTY)


async def test_whoever_leaves_keeps_what_came(tmp_path):
    path = tmp_path / "run.ssecast"
    async with Raw(HEAD, NASTY, ends=False) as server:
        recording = ready(server.url, path)
        running = asyncio.create_task(recording.run())
        async with asyncio.timeout(PATIENCE_S):
            while recording.progress.bytes < len(b"".join(NASTY)):  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0)
        held = path.read_bytes()
        recording.leave()
        assert (await running).how == "left"
    cassette = sw.Cassette.load(path)
    assert cassette.data == b"".join(NASTY)
    assert path.read_bytes().startswith(held)
    path.write_bytes(held)  # as if it had been killed just before
    killed = sw.Cassette.load(path)
    assert (killed.reads, killed.end, killed.whole) == (cassette.reads, None, False)
    assert "not whole" in repr(killed)


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
async def test_a_recording_ends_when_whoever_is_told_fails(tmp_path, error):
    def broken(_progress):
        raise error

    async with Raw(HEAD, [b": endless\n\n"], ends=False) as server:
        recording = Recording(Order(url=server.url), tmp_path / "run.ssecast")
        with ThreadPoolExecutor(1) as pool, pytest.raises(error):
            await asyncio.wrap_future(pool.submit(watched, recording, broken))
    assert recording.was_left


async def test_the_limit_ends_an_endless_stream_and_a_silent_server(tmp_path):
    path = tmp_path / "run.ssecast"
    async with Raw(HEAD, [b": endless\n\n"], ends=False) as server:
        assert (await Recording(Order(url=server.url), path, limit_s=0.3).run()).how == "left"
    async with Raw(b"", [], ends=False) as silent:
        before = path.read_bytes()
        with pytest.raises(IdleTimeout, match="had not answered"):
            await Recording(Order(url=silent.url), path, limit_s=0.05).run()
        assert path.read_bytes() == before


async def test_what_is_no_stream_leaves_the_file_as_it_was(tmp_path, serve):
    path = tmp_path / "run.ssecast"
    path.write_bytes(b"of yesterday")
    served = await serve(token_file="")
    with pytest.raises(RemoteError) as refused:
        await Recording(Order(url=served.url, question="hi", model="none"), path).run()
    assert refused.value.code == "invalid_request"
    with pytest.raises(WrongContentType, match="application/json"):
        await Recording(Order(url=f"{served.url}/api/v1/stream/health"), path).run()
    with pytest.raises(ConnectError):
        await Recording(Order(url="http://127.0.0.1:1/"), path).run()
    assert path.read_bytes() == b"of yesterday"


async def test_our_server_is_asked_by_its_base_and_the_text_is_the_models(tmp_path, serve):
    path = tmp_path / "run.ssecast"
    served = await serve()
    cassette = await asyncio.to_thread(
        sw.record, f"{served.url}/", path, q="ما هو البث؟", model=MIXED, chunk_tokens=3, title="three"
    )
    assert cassette.text == "".join(json.loads(e.data)["text"] for e in cassette.events() if e.event == "delta") != ""
    assert cassette.events()[-1].event == "done"
    assert cassette.header.question == "ما هو البث؟"
    assert dict(cassette.header.headers)["x-stream-id"] == cassette.events()[-1].id.partition(":")[0]
    assert repr(cassette).startswith("<Cassette three ")
    again = tmp_path / "again.ssecast"
    cassette.save(again)
    assert again.read_bytes() == path.read_bytes()
    assert sw.Cassette.load(again) == cassette


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/chat/completions"])
async def test_openai_compatible_servers_are_asked_by_their_route(tmp_path, path):
    pieces = [
        f"data: {data if isinstance(data, str) else json.dumps(data)}\r\n\r\n".encode()
        for _, data in chat_completions(["The ", "sea ", "is ", "وا", "سع 🌊", ".\n"])
    ]
    async with Raw(HEAD, pieces) as server:
        file = tmp_path / "run.ssecast"
        cassette = await asyncio.to_thread(
            sw.record, f"{server.url}{path}", file, q="hi", model="m", token="k", temperature=0
        )
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert b"authorization: bearer k\r\n" in head.lower()
    assert json.loads(body) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "temperature": 0,
    }
    assert (cassette.text, cassette.data) == (TEXT, b"".join(pieces))


@pytest.mark.parametrize(
    "order", [{"model": "m"}, {"params": {"seed": 1}}, {"body": {}, "question": "hi"}, {"body": {}, "model": "m"}]
)
def test_what_does_not_fit_together_is_refused_before_anything_is_sent(order):
    with pytest.raises(ValueError, match="go with a question"):
        Order(url="http://127.0.0.1:1", **order).request()


def run_command(*arguments, **options):
    return subprocess.Popen([sys.executable, "-m", "sse_widget", "record", *arguments], **options)


async def test_the_command_tells_on_a_terminal_and_keeps_what_came_when_interrupted(tmp_path):
    path = tmp_path / "run.ssecast"
    ours, theirs = pty.openpty()
    async with Raw(HEAD, NASTY, ends=False) as server:
        with run_command(server.url, "-o", str(path), stdout=subprocess.PIPE, stderr=theirs) as process:
            os.close(theirs)
            told = b""
            size = f"{len(b''.join(NASTY))} bytes, ".encode()
            while size not in told:
                told += await asyncio.to_thread(os.read, ours, 1024)
            process.send_signal(signal.SIGINT)
            said, _ = await asyncio.to_thread(process.communicate)
            assert process.returncode == 130
    os.close(ours)
    assert said.startswith(f"{path}: {size.decode()}".encode())
    assert sw.Cassette.load(path).end.end == "left"


async def test_the_command_says_what_is_wrong(tmp_path, serve):
    served = await serve()
    path = tmp_path / "run.ssecast"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    for arguments, status, says in (
        ((served.url, "--q", "hi", "--model", MIXED), 0, "the stream ended"),
        ((served.url, "--q", "hi", "--model", "none"), 1, 'The model "none" is not offered'),
        ((served.url, "--header", "s3cret"), 2, "'Name: value'"),
        ((served.url, "--body", "{"), 2, "--body is no JSON: Expecting property name"),
        ((served.url, "--limit-s", "0"), 2, "a number of seconds above 0"),
        ((served.url, "--limit-s", "nan", "--lang", "ar"), 2, "عدد ثوانٍ أكبر من 0"),
        ((served.url, "--q", "hi", "--model", MIXED, "--lang", "ar"), 0, "انتهى البث"),
        ((served.url, "--q", "hi", "--model", "none", "--lang", "ar"), 1, 'النموذج "none" غير متاح هنا'),
        (("ftp://x",), 2, "http://"),
    ):
        process = run_command(*arguments, "-o", str(path), **pipes)
        out, err = await asyncio.to_thread(process.communicate)
        assert process.returncode == status, err
        assert says in out + err
        assert "\x1b" not in err
    for place, says in ((tmp_path / "nowhere" / "x.ssecast", "no folder"), (tmp_path, "is a folder")):
        process = run_command(served.url, "-o", str(place), **pipes)
        assert says in (await asyncio.to_thread(process.communicate))[1]
        assert process.returncode == 2


def test_a_file_that_is_no_recording_says_so(tmp_path):
    path = tmp_path / "x.ssecast"
    path.write_bytes(b"")
    with pytest.raises(CassetteError, match="no header"):
        sw.Cassette.load(path)
