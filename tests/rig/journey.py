"""A log, a reader and a broken way between them, on a number for a clock. Twin of tests/js/journey.js."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sse_widget.protocol.actions import Close, Connect, Deliver, Finish, Head, Reset, SessionConfig, Wait
from sse_widget.protocol.chance import Chance
from sse_widget.protocol.disturbance import Over
from sse_widget.protocol.events import CONTENT_TYPE, event_id, text_of
from sse_widget.protocol.session import Session
from sse_widget.protocol.sse import Event, Parser, encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sse_widget.protocol.actions import Action
    from sse_widget.protocol.disturbance import Disturbance, Happening
    from sse_widget.protocol.fault_steps import Step
    from sse_widget.protocol.faults import FaultPlan

STREAM = "0123456789abcdef" * 2
HEARTBEAT_MS = 20_000
MOST_STEPS = 50_000
WORDS = (
    "مرحبا ",
    "بالعالم، ",
    "👩‍👩‍👧‍👦",
    "🇪🇬 ",
    "你好，",
    "e\u0301 ",
    "a\r\nb",
    "\r",
    "\n\n",
    "\u2028",
    "word ",
    "ـَـ",
    "🔧",
    '"\\',
)
GAPS_MS = (0, 20, 300, 9000, 30_000, 30_000)
LINE_ENDS = (b"\n", b"\r\n", b"\r")
WAYS = ("start", "attach", "snapshot")
ATTEMPTS = (10, 10, 10, 10, 10, 0)


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Log:
    """The events of one run, one each `gap_ms`, and the frames of a connection to it."""

    def __init__(self, chance: Chance) -> None:
        pieces = ["".join(_pick(chance, WORDS) for _ in range(1 + chance.below(4))) for _ in range(chance.below(24))]
        self.text = "".join(pieces)
        self.gap_ms = _pick(chance, GAPS_MS)
        self.line_end = _pick(chance, LINE_ENDS)
        sums = {"chars": len(self.text), "crc32": zlib.crc32(self.text.encode())}
        events: list[tuple[str, Any]] = [
            ("start", {"status": "started"}),
            *(("delta", {"text": piece}) for piece in pieces),
            ("metadata", {"model_used": "m", "tokens_used": 3, "elapsed_seconds": 0.5}),
            ("done", {"reason": "stop", "tokens": len(pieces), **sums}),
        ]
        self.events = [
            (seq * self.gap_ms, Event(name, compact(data), event_id(STREAM, seq)))
            for seq, (name, data) in enumerate(events, 1)
        ]

    def read_to_its_end(self, after: int, now_ms: float) -> bool:
        return after >= len(self.events) and now_ms >= self.events[-1][0]

    def frames(self, after: int, now_ms: float, *, snapshot: bool) -> Iterator[tuple[float, bytes]]:
        """What the server writes, and when."""
        yield now_ms, self._wire(self._hello(after), b"retry: 300\n")
        last = len([at_ms for at_ms, event in self.events if event.event in {"start", "delta"} and at_ms <= now_ms])
        if snapshot and after == 0 and last > 1:
            text = "".join(text_of(event.data) for _, event in self.events[:last])
            after = last
            yield now_ms, self._wire(Event("delta", compact({"text": text}), event_id(STREAM, after)))
        written_ms = now_ms
        for at_ms, event in self.events[after:]:
            while at_ms - written_ms > HEARTBEAT_MS:
                written_ms += HEARTBEAT_MS
                yield written_ms, self._wire(Event("ping", '"🔧"'))
            written_ms = max(written_ms, at_ms)
            yield written_ms, self._wire(event)

    def _hello(self, after: int) -> Event:
        said = {"ts": 1.5, "model": "m", "stream_id": STREAM, "conversation_id": "c", "resumed": after > 0}
        said |= {"after": after, "gap": False, "heartbeat_s": HEARTBEAT_MS // 1000, "node": "n"}
        return Event("hello", compact(said), event_id(STREAM, after))

    def _wire(self, event: Event, before: bytes = b"") -> bytes:
        return (before + encode(event)).replace(b"\n", self.line_end)


@dataclass
class Journey:
    """One reader's way through a plan. `run` goes to its end."""

    plan: FaultPlan
    log: Log
    session: Session
    now_ms: float = 0.0
    patient: bool = True
    text: str = ""
    terminals: list[Finish] = field(default_factory=list)
    received: int = 0
    reached: set[str] = field(default_factory=set)
    parser: Parser = field(default_factory=Parser)
    way: Way | None = None

    def run(self) -> Journey:
        self._act(self.session.start(self.now_ms))
        for _ in range(MOST_STEPS):
            if self.session.phase == "ended":
                return self
            self._act(self._input())
        raise AssertionError("the reader never ends")

    def _input(self) -> list[Action]:
        deadline_ms = self.session.deadline_ms
        assert deadline_ms is not None
        happening = self.way.next() if self.way else None
        if happening is None or happening.at_ms > deadline_ms:
            self.now_ms = max(self.now_ms, deadline_ms)
            return self.session.tick(self.now_ms)
        assert self.way is not None
        self.way.pending.pop(0)
        self.now_ms = max(self.now_ms, happening.at_ms)
        return self._happen(happening)

    def _happen(self, happening: Happening) -> list[Action]:
        if isinstance(happening, Over):
            self.way = None
            return self.session.failed("cut", self.now_ms) if happening.broken else self.session.ended(self.now_ms)
        self.received = zlib.crc32(happening.data, self.received)
        self.session.bytes_arrived(self.now_ms)
        events = self.parser.feed(happening.data)
        if self.parser.retry_ms is not None:
            self.session.retry(self.parser.retry_ms)
        return [action for event in events for action in self.session.event(event, self.now_ms)]

    def _act(self, actions: list[Action]) -> None:
        for action in actions:
            assert not self.terminals, "something follows the end"
            match action:
                case Connect():
                    self._act(self._connect(action))
                case Close() | Wait():
                    self.way = None
                case Deliver(event) if event.event == "delta":
                    self.text += text_of(event.data)
                case Reset():
                    self.text = ""
                case Finish():
                    self.terminals.append(action)
                case Deliver():
                    pass

    def _connect(self, connect: Connect) -> list[Action]:
        refusal = self.plan.refusal(connect.connection)
        if refusal is not None:
            self.reached.add("refuse")
            wait_ms = None if refusal.retry_after_s is None else 1000.0 * refusal.retry_after_s
            return self.session.head(Head(refusal.status, CONTENT_TYPE, retry_after_ms=wait_ms), self.now_ms)
        if self.log.read_to_its_end(connect.after, self.now_ms):
            return self.session.head(Head(204), self.now_ms)
        after, snapshot = connect.after, connect.snapshot
        frames = self.log.frames(after, self.now_ms, snapshot=snapshot)
        steps = [step for step in self.plan.steps if step.attempt == connect.connection]
        self.way = Way(frames, self.plan.disturb(connect.connection), steps, self.reached, self.now_ms)
        self.parser = Parser(last_event_id=event_id(STREAM, after) if connect.stream_id else "")
        return self.session.head(Head(200, CONTENT_TYPE, STREAM), self.now_ms)


@dataclass
class Way:
    """One connection: the server's frames through the plan, one after the other; notes which steps had their turn."""

    frames: Iterator[tuple[float, bytes]]
    disturbance: Disturbance
    steps: list[Step]
    reached: set[str]
    at_ms: float
    index: int = -1
    pending: list[Happening] = field(default_factory=list)

    def next(self) -> Happening | None:
        while not self.pending and not self.disturbance.over:
            frame = next(self.frames, None)
            if frame is None:
                self.pending += self.disturbance.end(self.at_ms)
            else:
                self.at_ms = frame[0]
                self.pending += self.disturbance.feed(frame[1], self.at_ms)
                self._note(ping=frame[1].startswith(b"event: ping"))
        return self.pending[0] if self.pending else None

    def _note(self, *, ping: bool) -> None:
        self.index += not ping
        for step in self.steps:
            turn = {"cut": self.disturbance.over, "heartbeat_loss": ping, "refuse": False}.get(step.kind, not ping)
            if turn and step.event <= self.index:
                self.reached.add(step.kind)


def journey(seed: int, plan: FaultPlan) -> Journey:
    """A journey that the seed chooses: of what text, at which pace, in which manner, with which line ends."""
    chance = Chance(seed, 1)
    log = Log(chance)
    way = _pick(chance, WAYS)
    attempts = _pick(chance, ATTEMPTS)
    stream_id = "" if way == "start" else STREAM
    config = SessionConfig(logged=True, stream_id=stream_id, snapshot=way == "snapshot", max_attempts=attempts)
    now_ms = 0 if way == "start" else chance.below(log.events[-1][0] + 1)
    return Journey(plan, log, Session(config, chance.unit), float(now_ms), patient=attempts == max(ATTEMPTS))


def _pick(chance: Chance, options: tuple[Any, ...]) -> Any:
    return options[chance.below(len(options))]
