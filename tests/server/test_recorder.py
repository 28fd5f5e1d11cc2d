"""The kernel's flight recorder against a real server process: stamps, clocks, and what pages say that they saw."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

import sse_widget as sw
from rig.serving import PATIENCE_S, RUNS
from sse_widget import recorder
from sse_widget.client import StreamClient
from sse_widget.loop import submit
from sse_widget.run import Run

READER = "reader-1"
TEXTS = ["one ", "two ", "three"]
LEAVING = """
import asyncio
import atexit
import sys
import sse_widget as sw
from sse_widget import loop
from sse_widget.run import Run

# Called after the loop's own, as it comes before: what is left then is reported once it is collected.
atexit.register(lambda: print(len(asyncio.all_tasks(loop._loop)), "left"))
url, stream_id = sys.argv[1:]
run = sw.StreamWidget(url=url).follow(Run("Why?", stream_id))
loop.submit(run.reach(4)).result()
print(run.text)
"""
"""A process that ends while it reads a run."""


BEGAN_S = time.monotonic()
"""A page's clock begins at its load; this one's is the machine's otherwise, which the server's is too."""


def page_ms():
    return (time.monotonic() - BEGAN_S) * 1000


class Pushed:
    """A run of a server process whose text, and what its page saw, the test says; a widget reads it."""

    def __init__(self, url, **knobs):
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False)
        self.stream_id = self.http.post(RUNS.rstrip("/"), json={"chunk_tokens": 1, **knobs}).json()["stream_id"]
        self.widget = sw.StreamWidget(url=url)
        self.run = self.widget.follow(Run("Why?", self.stream_id))
        self.batches = self.rows = 0

    def say(self, *tokens, end=""):
        self.batches += 1
        body = {"seq": self.batches, "tokens": tokens, "end": end}
        assert self.http.post(f"{RUNS}{self.stream_id}/tokens", json=body).status_code == 200

    def page(self, *rows, over=False, asked=None, reader=READER):
        """Post what the page saw, as it would."""
        body = {"reader": reader, "from": self.rows, "rows": rows, "over": over, "asked": asked}
        body |= {"offset_ns": round(BEGAN_S * 1e9), "error_ns": 50_000}
        assert self.http.post(f"{RUNS}{self.stream_id}/spans", json=body).status_code == 204
        self.rows += len(rows)

    def close(self):
        self.widget.close()
        self.http.close()


@pytest.fixture
def pushed(server_process):
    made = []

    def make(**knobs):
        made.append(Pushed(server_process().url, **knobs))
        return made[-1]

    yield make
    for one in made:
        one.close()


def painted(seq):
    """A delta that the page has had for a while, and paints now."""
    now_ms = page_ms()
    return ["delta", seq, 1, 0, None, now_ms - 8, now_ms - 7, now_ms - 6, now_ms - 5, now_ms]


def test_figures_wait_for_the_last_that_a_page_saw(pushed, monkeypatch):
    monkeypatch.setattr(recorder, "PAGES_WAIT_S", PATIENCE_S)
    run = pushed()
    run.page()
    run.say(*TEXTS, end="stop")
    answer = run.run.wait(PATIENCE_S)
    with ThreadPoolExecutor() as threads:
        reading = threads.submit(lambda: (answer.metrics, answer.frame()))
        run.page(painted(2), painted(3))
        run.page(painted(4), ["state", 1, 0, page_ms(), "done", ""], over=True)
        metrics, frame = reading.result(PATIENCE_S)
    assert (metrics.chars, metrics.displayed_chars) == (13, 13)
    assert metrics.lag_p50_ms == pytest.approx(8)
    assert frame["kind"].tolist() == ["delta"] * 3 + ["state"]
    assert frame["paint_s"].notna().tolist() == [True] * 3 + [False]
    assert frame.attrs["reader"] == READER
    assert frame.attrs["clock_error_ms"] == 0.05
    assert 0 < frame.attrs["kernel_error_ms"] < 1000
    assert metrics.ended_ms == pytest.approx(1000 * frame["at_s"].iloc[-1])


def test_where_no_page_reads_nothing_waits(pushed, monkeypatch):
    monkeypatch.setattr(recorder, "PAGES_WAIT_S", 60.0)
    run = pushed()
    run.say(*TEXTS, end="stop")
    answer = run.run.wait(PATIENCE_S)
    began_s = time.monotonic()
    frame = answer.frame()
    assert time.monotonic() - began_s < PATIENCE_S
    rows = frame[frame["kind"] == "delta"]
    assert (rows["text"].tolist(), rows["seq"].tolist()) == (TEXTS, [2, 3, 4])
    stamps = ["model_first_s", "model_last_s", "chunk_s", "append_s", "write_s", "receive_s", "parse_s", "kernel_s"]
    assert rows[stamps].notna().all(axis=None)
    least_ms = -frame.attrs["kernel_error_ms"]
    stages = ["chunk_ms", "append_ms", "write_ms", "network_ms", "parse_ms"]
    assert (rows[stages] >= least_ms).all(axis=None)
    states = frame[frame["kind"] == "state"]["state"].tolist()
    assert states == ["connecting", "open", "done"]


def test_a_page_that_falls_silent_is_waited_for_a_limited_time(pushed, monkeypatch):
    monkeypatch.setattr(recorder, "PAGES_WAIT_S", 0.2)
    run = pushed()
    run.page()
    run.say(*TEXTS, end="stop")
    metrics = run.run.wait(PATIENCE_S).metrics
    assert (metrics.chars, metrics.displayed_chars) == (13, None)


def test_a_page_that_is_heard_of_later_is_in_the_next_table(pushed):
    run = pushed()
    run.say(*TEXTS, end="stop")
    answer = run.run.wait(PATIENCE_S)
    assert answer.frame().attrs["reader"] is None
    run.page(painted(2), painted(3), painted(4), over=True)
    assert answer.frame().attrs["reader"] == READER
    assert run.widget.frame().attrs["reader"] == READER


def test_an_answer_keeps_its_figures_and_not_the_bytes_of_its_run(pushed):
    one = pushed()
    one.say(*TEXTS, end="stop")
    answer = one.run.wait(PATIENCE_S)
    tape = weakref.ref(one.run._tape)
    other = Pushed(one.url)
    one.run = one.widget.follow(Run("And then?", other.stream_id))
    other.say(end="stop")
    one.run.wait(PATIENCE_S)
    other.close()
    gc.collect()
    assert tape() is None
    assert (answer.metrics.deltas, answer.metrics.tokens) == (3, answer.metadata.tokens_used)


def test_on_the_loop_of_the_readers_nothing_waits(pushed, monkeypatch):
    """An observer is called there: if it waited for the loop, nothing would ever come."""
    monkeypatch.setattr(recorder, "PAGES_WAIT_S", 60.0)
    run = pushed()
    figures = []
    told = threading.Event()

    def observe(change):
        if change["new"] == "done":
            figures.append(run.run.metrics)
            told.set()

    run.widget.observe(observe, "status")
    run.page()
    run.say(*TEXTS, end="stop")
    assert told.wait(PATIENCE_S)
    assert figures[0].chars == 13
    run.page(over=True)


def test_the_table_of_a_run_that_goes_on_has_what_is_known(pushed):
    run = pushed()
    run.say(*TEXTS[:2])
    run.page(painted(2))
    submit(run.run.reach(8)).result(PATIENCE_S)
    frame = run.widget.frame()
    rows = frame[frame["kind"] == "delta"]
    assert rows["text"].tolist() == TEXTS[:2]
    assert rows["paint_s"].notna().tolist() == [True, False]
    run.say(end="stop")
    run.run.wait(PATIENCE_S)


def test_leaving_the_process_while_a_run_is_read_is_quiet(pushed):
    run = pushed()
    run.say(TEXTS[0])
    ended = subprocess.run(
        [sys.executable, "-c", LEAVING, run.url, run.stream_id],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert (ended.stdout, ended.stderr) == (f"{TEXTS[0]}\n0 left\n", "")


def test_before_the_first_question_there_is_no_table(server_process):
    widget = sw.StreamWidget(url=server_process().url)
    with pytest.raises(RuntimeError, match="ask first"):
        widget.frame()
    widget.close()


def test_where_the_page_asked_its_question_is_the_beginning(pushed):
    run = pushed()
    asked_ms = page_ms() - 500
    run.page(asked=asked_ms)
    run.say(*TEXTS, end="stop")
    rows = [painted(seq) for seq in (2, 3, 4)]
    run.page(*rows, asked=asked_ms, over=True)
    frame = run.run.wait(PATIENCE_S).frame()
    assert frame.attrs["asked_by"] == "page"
    assert (1000 * frame["paint_s"]).tolist() == pytest.approx([row[9] - asked_ms for row in rows])
    assert frame["source_ms"].iloc[0] >= 500 - frame.attrs["clock_error_ms"] - frame.attrs["kernel_error_ms"]


def test_a_cut_shows_in_the_kernels_rows(pushed):
    run = pushed()
    run.say(TEXTS[0])
    submit(run.run.reach(4)).result(PATIENCE_S)
    run.widget.cut().result(PATIENCE_S)
    run.say(*TEXTS[1:], end="stop")
    frame = run.run.wait(PATIENCE_S).frame()
    rows = frame[frame["kind"] == "delta"]
    assert rows["connection"].tolist() == [1, 2, 2]
    states = frame[frame["kind"] == "state"]
    assert states["state"].tolist() == ["connecting", "open", "connecting", "open", "done"]
    assert states["reason"].tolist()[2] == "restart"


def test_runs_that_follow_each_other_share_the_servers_clock(pushed, monkeypatch):
    exchanges = []
    read_clock = StreamClient.read_clock

    async def counted(client, clock):
        exchanges.append(client.url)
        await read_clock(client, clock)

    monkeypatch.setattr(StreamClient, "read_clock", counted)
    heard = []
    run = pushed()
    for _ in range(2):
        run.say(*TEXTS, end="stop")
        heard.append(run.run.wait(PATIENCE_S).received)
        run.close()
        run = Pushed(run.url)
    run.say(end="stop")
    run.run.wait(PATIENCE_S)
    run.close()
    assert len(exchanges) == recorder.EXCHANGES
    first, second = heard
    drift_s = recorder.DRIFT * (second.ended_s - first.asked_s)
    assert second.kernel_error_s == pytest.approx(first.kernel_error_s, abs=drift_s)
    assert first.kernel_error_s > 0
    monkeypatch.setattr(recorder, "CLOCK_KEPT_S", -1.0)
    late = Pushed(run.url)
    late.say(end="stop")
    late.run.wait(PATIENCE_S).frame()
    late.close()
    assert len(exchanges) == 2 * recorder.EXCHANGES


def test_a_clock_that_was_read_long_ago_has_drifted(pushed):
    run = pushed()
    run.say(*TEXTS, end="stop")
    answer = run.run.wait(PATIENCE_S)
    fresh_s = answer.received.kernel_error_s
    run.run._recorder._exchanged_s -= 1000
    assert answer.received.kernel_error_s - fresh_s == pytest.approx(0.05, rel=0.01), "50 µs a second"


def test_a_server_that_knows_no_spans_is_asked_once(monkeypatch):
    monkeypatch.setattr(recorder, "PAGES_WAIT_S", 60.0)
    asked = []

    class Foreign(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Foreign) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        known = recorder.Recorder()
        client = StreamClient(f"http://127.0.0.1:{server.server_address[1]}")

        async def fly():
            known.begin(client, "0" * 32)
            known.end(0)

        submit(fly()).result(PATIENCE_S)
        received = [known.received() for _ in range(3)]
        server.shutdown()
        serving.join()
    assert received[0].readers == ()
    assert received[0].kernel_error_s is None
    assert [path.partition("?")[0].rpartition("/")[2] for path in asked] == ["clock", "spans"]


def test_a_server_that_was_busy_once_is_asked_again_and_one_that_forgot_takes_nothing_back():
    """The answers to three questions while the run goes on, and to the last one, which waits for the pages."""
    rows = [painted(2), painted(3)]
    page = {"reader": READER, "offset_ns": 0, "error_ns": 0, "asked": None, "over": False, "rows": rows}
    answers = [
        (503, b""),
        (200, json.dumps({"readers": [page]}).encode()),
        (200, json.dumps({"readers": []}).encode()),
        (200, json.dumps({"readers": [page | {"rows": rows[:1]}]}).encode()),
        (200, json.dumps({"readers": [page | {"over": True}]}).encode()),
    ]

    class Busy(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answers.pop(0) if "/spans" in self.path else (404, b"")
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        known = recorder.Recorder()
        client = StreamClient(f"http://127.0.0.1:{server.server_address[1]}")

        async def begin():
            known.begin(client, "0" * 32)

        submit(begin()).result(PATIENCE_S)
        readers = [known.received().readers for _ in range(4)]
        held = known._said.readers[0]
        known.end(0)
        known.received()
        server.shutdown()
        serving.join()
    assert readers == [(), (READER,), (READER,), (READER,)]
    assert len(held.rows) == 2
    assert known._said.readers[0].over
    assert answers == [], "the one after the end was asked for too"
