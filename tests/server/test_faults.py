"""Fault plans in the real server: what leaves it byte for byte, and what its readers make of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rig.serving import CHAT, RUNS, data_of, text_of
from rig.talking import SOCKET, Talk, events_of, refusal_of
from sse_widget import FaultPlan, InvalidPlan, StreamClient
from sse_widget.cassette import Cassette
from sse_widget.errors import RemoteError
from sse_widget.protocol.actions import Reset
from sse_widget.protocol.backoff import Backoff
from sse_widget.protocol.events import Delta
from sse_widget.protocol.sse import Parser

if TYPE_CHECKING:
    from collections.abc import Callable

    from rig.serving import Served

MIXED = "synthetic:tokens=60,rate=0,lang=mixed,seed=3"
AT_ONCE = Backoff(base_ms=0.0)
PLANS = 120
HONEST = {
    "error": {"payload_mismatch", "not_found", "expired"},
    "gap": {"gap"},
    "interrupted": {"connect_failed", "overloaded", "rate_limited"},
}


def plan(*steps: dict[str, Any], seed: int = 1) -> str:
    return json.dumps({"seed": seed, "steps": [{"attempt": 1, **step} for step in steps]})


def frames_of(body: bytes) -> list[bytes]:
    return [frame + b"\n\n" for frame in body.split(b"\n\n")[:-1]]


@pytest.fixture
async def faulty(serve: Any) -> Served:
    """A server that allows faults."""
    return await serve(allow_faults=True, model=MIXED)


async def body_of(served: Served, stream_id: str, fault: str, connection: int = 1) -> bytes:
    """What leaves the server on one connection until it closes, as far as it is whole chunks."""
    wire = await served.wire()
    target = str(
        served.client.build_request("GET", f"{RUNS}{stream_id}", params={"fault": fault}).url.raw_path, "ascii"
    )
    number = f"connection={connection}; reason=cut"
    await wire.ask("GET", target, Connection="close", X_SSE_Reconnect=number)
    status, headers = await wire.head()
    assert (status, headers["transfer-encoding"]) == (200, "chunked")
    rest = await wire.rest()
    await wire.cut()
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
        if size == b"0":
            return body + b"<end>"
    return body


async def test_where_faults_are_off_a_plan_is_refused(serve: Any, error_of: Callable[..., Any]) -> None:
    served = await serve()
    for send in (
        served.client.get(CHAT, params={"q": "hi", "fault": plan()}),
        served.client.post(CHAT, json={"q": "hi", "fault": {"seed": 1}}, headers={"Accept": "text/event-stream"}),
        served.client.get(RUNS + "0" * 32, params={"fault": plan()}),
    ):
        status, code, message = error_of(await send)
        assert (status, code) == (403, "forbidden")
        assert "--allow-faults" in message
    health = (await served.client.get("/api/v1/stream/health")).json()
    assert (health["faults"], health["runs_started"]) == (False, 0)


@pytest.mark.parametrize(
    ("fault", "en", "ar"),
    [
        ('{"seed": 1, "steps": [{"attempt": 1, "kind": "stall"}]}', "steps[0].ms must be", "الخطوة steps[0]، الحقل ms"),
        ("{", "it is no JSON", "it is no JSON"),
        ("[1]", "it must be an object", "must be an object"),
        ('{"seed": -1}', "seed must be a whole number", "الحقل seed"),
        (plan(*[{"kind": "stall", "ms": 1}] * 65), "at most 64 steps", "الحقل steps"),
        ('{"seed": 1}' + " " * 20_000, "longer than 16384", "16384"),
        ("[" * 16_000, "it is no JSON", "it is no JSON"),
    ],
)
async def test_a_bad_plan_is_refused_in_words(faulty: Served, error_of: Any, fault: str, en: str, ar: str) -> None:
    for lang, want in (("en", en), ("ar", ar)):
        answer = await faulty.client.get(CHAT, params={"q": "hi", "fault": fault}, headers={"Accept-Language": lang})
        status, code, message = error_of(answer)
        assert (status, code) == (400, "invalid_request")
        assert want in message
    assert faulty.server.services.runs.started == 0


async def test_a_plan_may_be_an_object_in_a_body(faulty: Served) -> None:
    fault = {"seed": 1, "steps": [{"attempt": 1, "kind": "duplicate", "event": 1, "times": 2}]}
    events = await faulty.events("POST", CHAT, json={"q": "hi", "fault": fault})
    assert [event.event for event in events[:5]] == ["hello", "start", "start", "start", "delta"]


async def test_every_step_acts_on_the_frame_that_it_names(faulty: Served) -> None:
    """Frames are counted from hello, which carries `retry:`, also where the server writes many at once."""
    stream_id = await faulty.start()
    await faulty.until_ended(stream_id)
    whole = await body_of(faulty, stream_id, plan())
    assert whole.endswith(b"<end>")
    frames = frames_of(whole.removesuffix(b"<end>"))
    assert len(frames) > 10
    assert b"event: hello" in frames[0]

    # The clock in hello is another one each time.
    async def left(*steps: dict[str, Any], connection: int = 1) -> list[bytes]:
        body = await body_of(faulty, stream_id, plan(*steps), connection)
        assert body.startswith(b"retry: ")
        return frames_of(body.removesuffix(b"<end>") + (b"" if body.endswith(b"<end>") else b"<cut>\n\n"))[1:]

    assert await left({"kind": "cut", "event": 4, "where": "before"}) == [*frames[1:4], b"<cut>\n\n"]
    assert await left({"kind": "cut", "event": 3, "where": "after", "clean": True}) == frames[1:4]
    assert await left({"kind": "cut", "event": 4, "offset": 9}) == [*frames[1:4], frames[4][:9] + b"<cut>\n\n"]
    assert await left({"kind": "duplicate", "event": 2, "times": 1}) == [*frames[1:3], *frames[2:]]
    assert await left({"kind": "reorder", "event": 2, "by": 1}) == [frames[1], frames[3], frames[2], *frames[4:]]
    assert await left({"kind": "cut", "event": 4}, connection=2) == frames[1:]
    corrupted = b"".join(await left({"kind": "corrupt", "event": 3, "offset": 0, "mask": 1}))
    assert corrupted == b"".join(frames[1:3]) + b"d" + b"".join(frames[3:])[1:]
    torn = (await left({"kind": "cut", "event": 2, "where": "character"}))[-1].removesuffix(b"<cut>\n\n")
    with pytest.raises(UnicodeDecodeError, match="unexpected end of data"):
        torn.decode()
    await faulty.until_idle()


async def test_a_cut_before_the_first_frame_still_has_a_head(faulty: Served) -> None:
    stream_id = await faulty.start()
    assert await body_of(faulty, stream_id, plan({"kind": "cut", "event": 0, "where": "before"})) == b""


async def test_a_refusal_comes_before_the_run_and_only_on_its_connection(faulty: Served) -> None:
    fault = plan({"kind": "refuse", "status": 503, "retry_after_s": 0})
    answer = await faulty.client.get(CHAT, params={"q": "hi", "fault": fault})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "0")
    assert data_of(Parser().feed(answer.content)[0])["code"] == "overloaded"
    assert faulty.server.services.runs.started == 0
    stream = StreamClient(faulty.url, backoff=AT_ONCE).chat("hi", fault=fault)
    states: list[tuple[str, str]] = []
    stream.on_status(lambda status: states.append((status.state, status.reason)))
    async for _ in stream:
        pass
    assert stream.state == "done"
    assert ("waiting", "http_503") in states
    assert faulty.server.services.runs.started == 1


async def test_a_refusal_of_a_gateway_has_no_code_of_ours(faulty: Served, error_of: Any) -> None:
    answer = await faulty.client.get(CHAT, params={"q": "hi", "fault": plan({"kind": "refuse", "status": 502})})
    assert error_of(answer)[:2] == (502, "")


async def test_pings_are_lost_and_the_watchdog_of_the_reader_finds_out(serve: Any, gated: Any) -> None:
    source = gated()
    served = await serve(allow_faults=True, sources={"gated": source})
    fault = plan({"kind": "heartbeat_loss"})
    stream = StreamClient(served.url, backoff=AT_ONCE, heartbeat_timeout_s=0.15).chat(
        "hi", model="gated", heartbeat_s=0.05, fault=fault
    )
    states: list[tuple[str, str]] = []
    stream.on_status(lambda status: states.append((status.state, status.reason)))
    source.say("one ")
    async for _ in stream:
        if ("waiting", "idle") in states:
            source.finish()
    assert stream.state == "done"
    assert ("waiting", "idle") in states


async def test_a_reader_that_leaves_a_stalled_line_ends_it(faulty: Served) -> None:
    stream_id = await faulty.start()
    fault = plan({"kind": "stall", "event": 1, "ms": 600_000})
    async with faulty.reading("GET", f"{RUNS}{stream_id}", params={"fault": fault}) as reply:
        assert (await reply.next()).event == "hello"
    await faulty.until_idle()


async def test_a_long_poll_runs_under_the_plan_too(faulty: Served) -> None:
    stream_id = await faulty.start()
    await faulty.until_ended(stream_id)
    query = {"once": "1", "fault": plan({"kind": "duplicate", "event": 1})}
    headers = {"Accept": "application/json"}
    frames = (await faulty.client.get(f"{RUNS}{stream_id}", params=query, headers=headers)).json()
    assert [frame["event"] for frame in frames[:4]] == ["hello", "start", "start", "delta"]


async def test_a_websocket_is_cut_as_a_whole_and_knows_no_faults_of_bytes(faulty: Served) -> None:
    stream_id = await faulty.start()
    await faulty.until_ended(stream_id)
    talk = await Talk.open(faulty.url + SOCKET)
    of_bytes = [{"kind": "buffer"}, {"kind": "corrupt", "event": 2}, {"kind": "truncate", "event": 3}]
    spoilt = plan(*of_bytes, {"kind": "drip", "ms": 900}, {"kind": "duplicate", "event": 1})
    await talk.send("attach", "whole", stream_id=stream_id, fault=spoilt)
    whole = events_of(await talk.until("end", "whole"))
    assert [event.event for event in whole[:3]] == ["hello", "start", "start"]
    assert whole[3:] == (await faulty.events("GET", RUNS + stream_id))[2:]
    refused = plan({"kind": "refuse", "status": 429})
    frame = await talk.ask("start", "refused", body={"q": "hi"}, fault=refused)
    assert refusal_of(frame) == (429, "rate_limited")
    third = plan({"kind": "cut", "event": 2, "where": "inside", "attempt": 3})
    await talk.send("attach", "cut", stream_id=stream_id, fault=third, connection=3)
    assert [(await talk.next())["event"] for _ in range(2)] == ["hello", "start"]
    assert await talk.closed() is None  # no goodbye
    talk.socket.close()
    await faulty.until_idle()
    assert faulty.server.services.runs.started == 1


async def test_a_recording_is_replayed_through_a_plan(serve: Any) -> None:
    """Each read of it is a frame; the same plan makes the same bytes, and none leaves them as they were."""
    served = await serve(allow_faults=True)
    name = "english"
    tape = Cassette.load(Path(__file__).parents[2] / "sse_widget" / "cassettes" / f"{name}.ssecast")
    reads = [read.data for read in tape.reads if read.data]
    url = f"/api/v1/stream/cassettes/{name}"
    whole = await served.client.get(url, params={"speed": 0, "fault": plan()})
    assert whole.content == b"".join(reads)
    fault = plan({"kind": "corrupt", "event": 5}, {"kind": "duplicate", "event": 7}, {"kind": "buffer", "bytes": 100})
    spoilt = [(await served.client.get(url, params={"speed": 0, "fault": fault})).content for _ in range(2)]
    assert spoilt[0] == spoilt[1]
    assert len(spoilt[0]) == len(whole.content) + len(reads[7])
    assert sum(a != b for a, b in zip(spoilt[0], whole.content, strict=False)) >= 1
    cut = StreamClient(served.url, reconnect=False).stream(
        "GET", f"{url}?speed=0", fault=plan({"kind": "cut", "event": 3, "where": "before"})
    )
    received = [event async for event in cut.events()]
    assert received == Parser().feed(b"".join(reads[:3]))
    assert cut.state == "interrupted"
    refused = await served.client.get(url, params={"fault": plan({"kind": "refuse", "status": 404})})
    assert refused.status_code == 404
    await served.until_idle()


async def test_plans_are_given_as_plans_dicts_or_json(faulty: Served) -> None:
    given = FaultPlan.of({"seed": 1, "steps": [{"attempt": 1, "kind": "refuse", "status": 404}]})
    for fault in (given, json.loads(given.dump()), given.dump()):
        for stream in (
            StreamClient(faulty.url, fault=fault).chat("hi"),
            StreamClient(faulty.url).chat("hi", fault=fault),
            StreamClient(faulty.url, fault=fault).attach("0" * 32),
            StreamClient(faulty.url, fault=fault).stream("GET", "/api/v1/stream/chat?q=hi"),
        ):
            async for _ in stream.events():
                pass
            assert isinstance(stream.error, RemoteError)
            assert stream.error.message == "The fault plan refuses this connection with status 404."
    with pytest.raises(InvalidPlan, match=r"steps\[0\].kind must be one of"):
        StreamClient(faulty.url, fault={"seed": 1, "steps": [{"kind": "fire"}]})
    with pytest.raises(InvalidPlan, match="it is no JSON"):
        StreamClient(faulty.url).chat("hi", fault="{")
    created = await StreamClient(faulty.url, fault=given).create("hi")
    assert len(created.stream_id) == 32


def capped(seed: int) -> FaultPlan:
    """A drawn plan whose delays are short enough to be waited for."""
    drawn = json.loads(FaultPlan.random(seed, attempts=4, steps=6, events=24).dump())
    for step in drawn["steps"]:
        step.update({name: min(step[name], most) for name, most in (("ms", 20), ("retry_after_s", 0)) if name in step})
        if step["kind"] == "drip":
            step["ms"] = 1
    return FaultPlan.of(drawn)


async def test_through_drawn_plans_the_text_is_right_or_the_state_honest(faulty: Served) -> None:
    """Over real sockets. What may be mended is mended, nothing hangs, and no connection stays behind."""
    golden = text_of(await faulty.events("POST", CHAT, json={"q": "hi"}))
    client = StreamClient(faulty.url, backoff=Backoff(base_ms=1.0), heartbeat_timeout_s=2)
    at_once = asyncio.Semaphore(10)

    async def read(seed: int) -> tuple[str, str]:
        text = ""
        async with at_once, asyncio.timeout(60):
            stream = client.chat("hi", fault=capped(seed), heartbeat_s=0.5)
            async for message in stream:
                match message:
                    case Delta(said):
                        text += said
                    case Reset():
                        text = ""
                    case _:
                        pass
        state = stream.state or ""
        if state == "done":
            assert text == golden, f"seed {seed}"
        else:
            assert stream.error is not None
            assert stream.error.code in HONEST[state], f"seed {seed}: {state} {stream.error!r}"
        return state, "" if stream.error is None else stream.error.code

    ends = await asyncio.gather(*[read(seed) for seed in range(PLANS)])
    assert sum(state == "done" for state, _ in ends) >= 0.7 * PLANS
    assert {"done", "error"} <= {state for state, _ in ends}
    await faulty.until_idle()
    counters = faulty.server.services.counters
    assert (counters.connections, counters.sockets, faulty.server.services.runs.running) == (0, 0, 0)
