"""Probes of streams of known pace: the timed drip, heartbeats, silence, and resuming after a cut."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import TYPE_CHECKING, Any

import msgspec

from sse_widget.diagnosis.observations import Beats, Drip, Failure, Head, Resume, Silence
from sse_widget.diagnosis.probes.exchange import PLAIN, Failed
from sse_widget.protocol.events import TEXT, parse_event_id, text_of

if TYPE_CHECKING:
    from sse_widget.diagnosis.probes.exchange import Exchange
    from sse_widget.protocol.sse import Event

TOKENS, RATE = 20, 10.0
DRIP = {"q": "drip", "model": f"synthetic:tokens={TOKENS},rate={RATE:g},jitter=0", "chunk_tokens": 1, "chunk_ms": 0}
"""A tiny run whose every delta is one word, ten a second for two seconds."""

BEAT_S = 0.5
WATCHED_S = 2.2
WATCHED_SHARE = 0.9
LONGEST_BEAT_S = 300.0
_PATIENCE_S = 20.0
_AFTER_WORD_S = 6.0
_CUT_AFTER = 5


def quiet(idle_s: float) -> dict[str, Any]:
    """Return the question of a run that says one word after `idle_s`, and so ends by itself."""
    quiet_s = idle_s or WATCHED_S + 1.0
    return {"q": "quiet", "model": f"synthetic:tokens=1,ttft_ms={quiet_s * 1000:.0f}", "chunk_tokens": 1}


class Watch:
    """What is noted of a drip while it arrives."""

    def __init__(self) -> None:
        self.deltas: list[float] = []
        self.reads: list[float] = []
        self.written_s = 0.0
        self.heartbeat_s = 0.0
        self.ended = False

    def take(self, at_s: float, events: list[Event]) -> None:
        """Note one read."""
        self.reads.append(at_s)
        self.heartbeat_s = _granted_s(events) or self.heartbeat_s
        for event in events:
            match event.event:
                case "delta" | "message":
                    self.deltas.append(at_s)
                case "metadata":
                    self.written_s = float(_data(event).get("elapsed_seconds", 0.0))
                case "done":
                    self.ended = True
                case _:
                    pass


async def drip(  # noqa: PLR0913 - settings, each by its name
    exchange: Exchange,
    method: str,
    url: str,
    body: dict[str, Any] | None = None,
    *,
    compressible: bool = True,
    limit_s: float = _PATIENCE_S,
    heard: dict[str, float] | None = None,
) -> Drip:
    """Read a stream to its end, or for `limit_s`, and note when it arrived. `heard` takes the server's heartbeat."""
    watch = Watch()
    head: Head | None = None
    failure: Failure | None = None
    try:
        headers = {} if compressible else {"Accept-Encoding": PLAIN}
        async with exchange.opened(method, url, headers=headers, body=body, limit_s=limit_s) as answer:
            head = answer.head
            if head.status != 200:
                head, _ = await answer.explained()
            else:
                async for at_s, events in answer.reads(limit_s):
                    watch.take(at_s, events)
    except Failed as error:
        failure = error.failure
    if heard is not None and watch.heartbeat_s:
        heard["heartbeat_s"] = watch.heartbeat_s
    # Without a body that can be read, the pace that was ordered stands in for what the server says of it.
    ordered_s = (TOKENS - 1) / RATE if body is DRIP or "/runs/" in url else 0.0
    return Drip(
        method,
        compressible,
        head,
        tuple(watch.deltas),
        tuple(watch.reads),
        watch.written_s or (ordered_s if head is not None and head.status == 200 else 0.0),
        watch.ended,
        failure,
    )


async def beats(exchange: Exchange, run_url: str, quiet_s: float) -> Beats:
    """Read a run that is quiet for `quiet_s` with a short heartbeat, for a while."""
    watched_s = min(WATCHED_S, WATCHED_SHARE * quiet_s) if quiet_s else WATCHED_S
    pings: list[float] = []
    granted_s, status = 0.0, 0
    failure: Failure | None = None
    try:
        async with exchange.opened("GET", f"{run_url}?heartbeat_s={BEAT_S:g}", limit_s=watched_s) as answer:
            status = answer.head.status
            async for at_s, events in answer.reads(watched_s):
                granted_s = _granted_s(events) or granted_s
                pings += [at_s for event in events if event.event == "ping"]
    except Failed as error:
        failure = error.failure
    return Beats(BEAT_S, watched_s, granted_s, tuple(pings), failure, status)


async def silence(exchange: Exchange, run_url: str, idle_s: float) -> Silence:
    """Hold a connection on which nothing is written until the run says its one word, after `idle_s`."""
    loop = asyncio.get_running_loop()
    last_s = began_s = loop.time()
    limit_s = idle_s + _AFTER_WORD_S
    found = Silence(idle_s, 0.0)
    try:
        async with exchange.opened("GET", f"{run_url}?heartbeat_s={LONGEST_BEAT_S:g}", limit_s=limit_s) as answer:
            found = msgspec.structs.replace(found, status=answer.head.status)
            if answer.head.status == 200:
                async for at_s, events in answer.reads(limit_s):
                    found = msgspec.structs.replace(found, granted_s=_granted_s(events) or found.granted_s)
                    if any(event.event == TEXT for event in events):
                        return msgspec.structs.replace(found, lived_s=loop.time() - last_s, spoke=True)
                    last_s = began_s + at_s
            failure = Failure("cut", "", loop.time() - began_s)
    except Failed as error:
        failure = error.failure
    return msgspec.structs.replace(found, lived_s=loop.time() - last_s, failure=failure)


def _granted_s(events: list[Event]) -> float:
    """Return the heartbeat that a hello promises, 0 without one."""
    return next((float(_data(event).get("heartbeat_s", 0.0)) for event in events if event.event == "hello"), 0.0)


async def resume(exchange: Exchange, run_url: str) -> Resume:
    """Cut a running stream after a few events, and go on by header and by query."""
    after, first, stream_id = 0, "", ""
    try:
        async with exchange.opened("GET", run_url, headers={"Accept-Encoding": PLAIN}, limit_s=_PATIENCE_S) as answer:
            async for _, events in answer.reads(_PATIENCE_S):
                for event in events:
                    place = parse_event_id(event.id)
                    if place is not None and after < _CUT_AFTER:
                        after, stream_id = place[1], place[0]
                        first += text_of(event.data) if event.event == TEXT else ""
                if after >= _CUT_AFTER:
                    break
        if not after:
            return Resume(0, failure=Failure("other", f"status {answer.head.status}"))
        header = await _rest(exchange, run_url, {"Last-Event-ID": f"{stream_id}:{after}"})
        query = await _rest(exchange, f"{run_url}?after={after}", {})
    except Failed as error:
        return Resume(after, failure=error.failure)
    whole = any(tail.after == after and tail.fits(first) for tail in (header, query))
    return Resume(after, header.after, query.after, whole)


class _Tail(msgspec.Struct, frozen=True):
    """Where a resumed stream says that it goes on, its text, and the checksum of the whole."""

    after: int | None = None
    text: str = ""
    crc32: int = -1

    def fits(self, first: str) -> bool:
        """Whether what came before the cut and this make the whole text."""
        return zlib.crc32((first + self.text).encode()) == self.crc32


async def _rest(exchange: Exchange, url: str, headers: dict[str, str]) -> _Tail:
    tail = _Tail()
    async with exchange.opened(
        "GET", url, headers={"Accept-Encoding": PLAIN, **headers}, limit_s=_PATIENCE_S
    ) as answer:
        async for _, events in answer.reads(_PATIENCE_S):
            for event in events:
                match event.event:
                    case "hello":
                        tail = msgspec.structs.replace(tail, after=int(_data(event).get("after", -1)))
                    case "delta":
                        tail = msgspec.structs.replace(tail, text=tail.text + text_of(event.data))
                    case "done":
                        tail = msgspec.structs.replace(tail, crc32=int(_data(event).get("crc32", -1)))
                    case _:
                        pass
    return tail


def _data(event: Event) -> dict[str, Any]:
    try:
        found = json.loads(event.data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
