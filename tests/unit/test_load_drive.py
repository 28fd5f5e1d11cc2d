"""What a drive does when, on a clock of its own: answers come as the network is told to bring them."""

from __future__ import annotations

import asyncio
import json
import random
from itertools import islice

import httpx
import pytest

from sse_widget.load.arrivals import poisson
from sse_widget.load.drive import Drive
from sse_widget.load.plan import Plan
from sse_widget.load.summary import summary_of
from sse_widget.load.target import Target
from sse_widget.pool import Pool

SECOND = [0.25, 0.25, 0.5]
"""Waits before each of three pieces: an answer of one second, with its first text after a quarter."""


def chunk(text, finish=None):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return f"data: {json.dumps({'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n".encode()


class Answer(httpx.AsyncByteStream):
    def __init__(self, network, waits_s):
        self.network, self.waits_s = network, waits_s
        self.network.open += 1

    async def __aiter__(self):
        for number, wait_s in enumerate(self.waits_s):
            await asyncio.sleep(wait_s)
            yield chunk(f"piece {number} ", "stop" if number + 1 == len(self.waits_s) else None)

    async def aclose(self):
        self.network.open -= 1


class Network(httpx.AsyncBaseTransport):
    """Answers each question as `waits_s` says, in turn; `statuses` are those of the responses, 200 beyond them."""

    def __init__(self, waits_s=SECOND, statuses=()):
        self.waits_s, self.statuses = waits_s, dict(statuses)
        self.open = 0
        self.asked_s = []
        self.questions = []

    async def handle_async_request(self, request):
        number = len(self.asked_s)
        self.asked_s.append(asyncio.get_running_loop().time())
        self.questions.append(json.loads(request.content)["messages"][0]["content"])
        status = self.statuses.get(number, 200)
        if status != 200:
            body = json.dumps({"error": {"message": "not now"}}).encode()
            return httpx.Response(status, headers={"Content-Type": "application/json"}, content=body)
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=Answer(self, self.waits_s))


def drive_of(network, **plan):
    target = Target("http://127.0.0.1:9/v1", pool=Pool(network))
    return Drive(Plan(**plan), target, ("one?", "two?", "three?"))


def started(driven):
    return near(sorted(sample.started_s for sample in driven.samples))


def near(value):
    """The virtual clock is a sum of many waits, which leaves the last digits of a float to chance."""
    return pytest.approx(value, abs=1e-6)


def test_constant_arrivals_are_sent_exactly_when_they_are_due(virtual):
    network = Network([0.25, 0.25, 0.375])
    driven = virtual(drive_of(network, arrivals="constant", rate=4.0, concurrency=8, requests=9).run())
    assert started(driven) == [number / 4 for number in range(9)]
    assert [sample.late_ms for sample in driven.samples] == near([0.0] * 9)
    assert driven.peak_open == 4
    assert network.open == 0


def test_what_is_due_while_all_are_open_begins_late_and_its_wait_counts(virtual):
    plan = {"arrivals": "constant", "rate": 2.0, "concurrency": 1, "requests": 4}
    driven = virtual(drive_of(Network(), **plan).run())
    assert [sample.planned_s for sample in driven.samples] == [0.0, 0.5, 1.0, 1.5]
    assert started(driven) == [0.0, 1.0, 2.0, 3.0]
    summary = summary_of(Plan(**plan), driven.samples, gaps_ms=driven.gaps_ms, elapsed_s=driven.elapsed_s)
    assert summary.spreads["late_ms"].max == near(1500.0)
    assert (summary.spreads["ttft_ms"].min, summary.spreads["ttft_ms"].max) == near((250.0, 250.0))
    assert (summary.spreads["ttft_due_ms"].min, summary.spreads["ttft_due_ms"].max) == near((250.0, 1750.0))
    assert summary.spreads["total_due_ms"].max == near(2500.0)


def test_a_closed_loop_keeps_so_many_open_and_asks_each_question_in_turn(virtual):
    network = Network()
    driven = virtual(drive_of(network, concurrency=3, requests=7).run())
    assert started(driven) == [0.0] * 3 + [1.0] * 3 + [2.0]
    assert driven.peak_open == 3
    assert driven.elapsed_s == near(3.0)
    # The first question of all only looks whether there are answers.
    assert network.questions == ["one?", *["one?", "two?", "three?"] * 2, "one?"]


def test_a_duration_ends_the_questions_and_not_the_answers(virtual):
    driven = virtual(drive_of(Network(), concurrency=2, duration_s=2.5).run())
    assert started(driven) == [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]
    assert driven.elapsed_s == near(3.0)
    poisson = virtual(drive_of(Network(), arrivals="poisson", rate=20.0, concurrency=99, duration_s=3.0, seed=5).run())
    assert 30 < len(poisson.samples) < 90
    assert max(sample.started_s for sample in poisson.samples) < 3.0


def test_what_still_waits_when_the_duration_is_over_is_counted_and_not_sent(virtual):
    network = Network()
    plan = {"arrivals": "constant", "rate": 4.0, "concurrency": 2, "duration_s": 2.5}
    driven = virtual(drive_of(network, **plan).run())
    assert started(driven) == [0.0, 0.25, 1.0, 1.25, 2.0, 2.25]
    assert driven.unsent == 10 - 6
    assert driven.elapsed_s == near(3.25)
    assert len(network.asked_s) == 1 + 6


def test_arrivals_are_those_of_the_seed_however_many_gaps_are_kept(virtual, monkeypatch):
    monkeypatch.setattr("sse_widget.load.drive.KEPT_GAPS", 1)
    plan = {"arrivals": "poisson", "rate": 2.0, "concurrency": 99, "requests": 30, "seed": 7}
    driven = virtual(drive_of(Network(), **plan).run())
    expected = list(islice(poisson(2.0, random.Random(7).random), 30))
    assert sorted(sample.planned_s for sample in driven.samples) == expected


def test_the_warm_up_is_asked_and_not_counted(virtual):
    network = Network()
    driven = virtual(drive_of(network, concurrency=2, requests=2, warmup=4).run())
    assert len(network.asked_s) == 1 + 4 + 2
    assert len(driven.samples) == 2
    assert started(driven) == [0.0, 0.0]


def test_an_answer_that_takes_too_long_is_left_and_counted(virtual):
    network = Network([0.5, 60.0])
    driven = virtual(drive_of(network, concurrency=1, requests=2, timeout_s=2.0).run())
    assert [(sample.state, sample.code) for sample in driven.samples] == [("interrupted", "timeout")] * 2
    assert [sample.metrics.deltas for sample in driven.samples] == [1, 1]
    assert driven.elapsed_s == near(4.0)
    assert network.open == 0


def test_an_answer_that_breaks_off_is_no_whole_one(virtual):
    class Short(Network):
        async def handle_async_request(self, request):
            answer = await super().handle_async_request(request)
            return httpx.Response(200, headers=answer.headers, content=chunk("no end"))

    driven = virtual(drive_of(Short(), concurrency=1, requests=1).run())
    assert [(sample.state, sample.code) for sample in driven.samples] == [("error", "upstream_truncated")]


@pytest.mark.parametrize(("status", "code"), [(429, "rate_limited"), (503, "overloaded"), (401, "unauthorized")])
def test_a_refusal_is_counted_and_not_tried_again(virtual, status, code):
    network = Network(statuses={2: status, 3: status})
    driven = virtual(drive_of(network, concurrency=1, requests=4).run())
    assert [sample.code for sample in driven.samples] == ["", code, code, ""]
    assert "not now" in driven.samples[1].message
    assert len(network.asked_s) == 1 + 4


def test_whoever_leaves_keeps_what_was_measured(virtual):
    network = Network()
    drive = drive_of(network, concurrency=2, requests=100)

    async def left_after(seconds):
        running = asyncio.create_task(drive.run())
        await asyncio.sleep(seconds)
        drive.leave()
        return await running

    driven = virtual(left_after(0.25 + 3.5))
    assert driven.interrupted
    assert (len(driven.samples), driven.left) == (6, 2)
    assert driven.elapsed_s == near(3.5)
    assert network.open == 0


def test_leaving_before_the_first_answer_measures_nothing(virtual):
    drive = drive_of(Network([1000.0]), requests=5, timeout_s=5000.0)

    async def left():
        running = asyncio.create_task(drive.run())
        await asyncio.sleep(1.0)
        drive.leave()
        return await running

    assert virtual(left()).samples == ()
