"""How a reader follows one stream over many connections: a state machine without I/O.

Inputs are what a transport saw (a response head, bytes, events, an end, a failure, a timer); each returns the actions
that the shell carries out, in order. Times are milliseconds of any steady clock. The JavaScript twin is
`js/protocol/session.js`; `tests/vectors/session.json` holds both to the same transcripts.

Rules: design.md sections 4 and 5. Against servers that are not ours (no `X-Stream-Id`, no ids of our form) the rules of
the HTML standard, 9.2, apply, except that a request that is not a GET is never sent twice once it was answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from sse_widget.protocol.actions import (
    Action,
    Close,
    Connect,
    Deliver,
    Finish,
    Head,
    Phase,
    Reset,
    SessionConfig,
    Wait,
)
from sse_widget.protocol.checksum import Checksum
from sse_widget.protocol.events import (
    CONNECTION_EVENTS,
    CONTENT_TYPE,
    TEXT,
    Done,
    TerminalState,
    event_id,
    load,
    parse_event_id,
    text_of,
)
from sse_widget.protocol.failure import LOST, Failure, failure_of_event, failure_of_head, wait_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sse_widget.protocol.sse import Event

HEARTBEATS_MISSED = 2.25
"""The watchdog waits for this many heartbeat intervals: two may be lost, the third is not yet late."""


class _Greeting(msgspec.Struct):
    """What a reader needs of `hello`."""

    stream_id: str = ""
    heartbeat_s: float = 0.0
    gap: bool = False


class Session:
    """One reader of one stream. `deadline_ms` is when to call `tick`, None when never."""

    def __init__(self, config: SessionConfig, unit_random: Callable[[], float]) -> None:
        self.phase: Phase = "idle"
        self.stream_id = config.stream_id
        self.last_seq = config.after
        self.attempt = 0
        self.connection = 0
        self.deadline_ms: float | None = None
        self._config = config
        self._reconnect = config.reconnect
        self._random = unit_random
        self._backoff = config.backoff
        self._heartbeat_ms = config.heartbeat_timeout_ms
        self._logged = config.logged or bool(config.stream_id)
        self._answered = False
        self._last_event_id = config.last_event_id
        self._snapshot = config.snapshot
        self._jump = False
        self._checksum = Checksum()
        self._checkable = config.after == 0
        self._reread = False
        self._hole_after = -1
        self._reason = ""
        self._refusal: Failure | None = None

    def start(self, now_ms: float) -> list[Action]:
        """Begin: the first connection."""
        return [] if self.phase != "idle" else [self._connect("", now_ms)]

    def head(self, head: Head, now_ms: float) -> list[Action]:
        """Take the response head, or the whole refusal."""
        if self.phase != "connecting":
            return []
        if head.status == 200:
            return self._opened(head, now_ms)
        if head.status == 204:
            return self._nothing_left(now_ms)
        if head.status < 100 and self._may_return():
            return [Close(), *self._broken("head_cut", now_ms)]
        failure = failure_of_head(head)
        at_least_ms = wait_of(head)
        if at_least_ms is None:
            return [Close(), self._finish("error", failure.code, failure.message)]
        self._refusal = failure
        return [Close(), *self._broken(f"http_{head.status}", now_ms, at_least_ms)]

    def bytes_arrived(self, now_ms: float) -> None:
        """Note that the connection lives: any byte counts, not only events."""
        if self.phase == "open":
            self.deadline_ms = now_ms + self._heartbeat_ms

    def retry(self, retry_ms: float) -> None:
        """Take the server's `retry:`."""
        self._backoff = self._backoff.with_retry(retry_ms)

    def event(self, event: Event, now_ms: float) -> list[Action]:
        """Take one parsed event."""
        if self.phase != "open":
            return []
        if event.event == "hello":
            return self._hello(event, now_ms)
        if event.event in CONNECTION_EVENTS and self._logged:
            return [Deliver(event)]
        place = parse_event_id(event.id)
        if place is None:
            return self._foreign(event, now_ms)
        self._logged = True
        stream_id, seq = place
        if not self.stream_id:
            self.stream_id = stream_id
        if stream_id != self.stream_id:
            return [Close(), *self._broken("wrong_stream", now_ms)]
        # An error without an id of its own carries the last one: it refuses this attempt only.
        if event.event == "error" and seq <= self.last_seq:
            return self._refused(event, now_ms)
        return self._in_order(event, seq, now_ms)

    def ended(self, now_ms: float) -> list[Action]:
        """Take the end of the body: without a terminal event it is an interruption, never a success."""
        if self.phase != "open":
            return []
        if not self._logged and not self._config.repeatable:
            return [self._finish("done", "", "")]
        return self._broken("ended", now_ms)

    def failed(self, reason: str, now_ms: float) -> list[Action]:
        """Take a connection that could not be made or broke; `reason` is a short word for logs and the server."""
        if self.phase not in {"connecting", "open"}:
            return []
        return self._broken(reason, now_ms)

    def refuse(self, code: str, message: str) -> list[Action]:
        """End in `error` for a reason that the shell found, such as an event over its limit."""
        return [] if self.phase == "ended" else [Close(), self._finish("error", code, message)]

    def tick(self, now_ms: float) -> list[Action]:
        """Act on a deadline that has passed: a wait is over, or the watchdog barks."""
        if self.deadline_ms is None or now_ms < self.deadline_ms:
            return []
        if self.phase == "waiting":
            return [self._connect(self._reason, now_ms)]
        return [Close(), *self._broken("idle", now_ms)]

    def restart(self, now_ms: float, reason: str = "restart") -> list[Action]:
        """Drop the connection and resume at once; `reason` is a short word, as `failed` takes it."""
        if self.phase in {"idle", "ended"}:
            return []
        if not self._may_return():
            return []
        return [Close(), self._connect(reason, now_ms)]

    def update(self, *, reconnect: bool) -> list[Action]:
        """Change whether an interruption is mended. A wait for the next attempt ends when it is not."""
        self._reconnect = reconnect
        return [] if reconnect or self.phase != "waiting" else [self._give_up()]

    def disconnect(self) -> list[Action]:
        """Leave; the run goes on."""
        return [] if self.phase == "ended" else [Close(), self._finish("closed", "", "")]

    def _connect(self, reason: str, now_ms: float) -> Connect:
        self.phase = "connecting"
        self.deadline_ms = now_ms + self._heartbeat_ms
        self.connection += 1
        self._jump = self._snapshot and self.stream_id != "" and self.last_seq == 0
        target: Literal["start", "resume"] = "resume" if self.stream_id else "start"
        return Connect(target, self.stream_id, self.last_seq, self._last_event_id, self._jump, self.connection, reason)

    def _nothing_left(self, now_ms: float) -> list[Action]:
        # Who has read a stream to its end has seen what ends it, or it came in a form that could not be recognised.
        if self._logged and self.last_seq > self._config.after:
            return self._mismatch(now_ms)
        return [Close(), self._finish("done", "", "")]

    def _opened(self, head: Head, now_ms: float) -> list[Action]:
        media_type = head.content_type.partition(";")[0].strip().lower()
        if media_type != CONTENT_TYPE:
            if CONTENT_TYPE.startswith(media_type) and (self._logged or self._config.repeatable):
                # Chromium takes a head that was cut for a whole one.
                return [Close(), *self._broken("head_cut", now_ms)]
            message = f"expected {CONTENT_TYPE}, got {head.content_type or 'no content type'}"
            return [Close(), self._finish("error", "wrong_content_type", message)]
        self.phase = "open"
        self._answered = True
        self.deadline_ms = now_ms + self._heartbeat_ms
        if not self.stream_id and parse_event_id(event_id(head.stream_id, 0)):
            self._logged = True
            self.stream_id = head.stream_id
        return []

    def _hello(self, event: Event, now_ms: float) -> list[Action]:
        try:
            hello = msgspec.json.decode(event.data, type=_Greeting)
        except msgspec.DecodeError:
            return self._foreign(event, now_ms)
        if not hello.stream_id:
            return self._foreign(event, now_ms)
        self._logged = True
        self.stream_id = self.stream_id or hello.stream_id
        if hello.stream_id != self.stream_id:
            return [Close(), *self._broken("wrong_stream", now_ms)]
        self._heartbeat_ms = max(self._config.heartbeat_timeout_ms, HEARTBEATS_MISSED * 1000.0 * hello.heartbeat_s)
        self.deadline_ms = now_ms + self._heartbeat_ms
        if hello.gap:
            return [
                Deliver(event),
                Close(),
                self._finish("gap", "gap", "events that were not read yet are gone"),
            ]
        return [Deliver(event)]

    def _in_order(self, event: Event, seq: int, now_ms: float) -> list[Action]:
        if seq <= self.last_seq:
            return []
        if seq > self.last_seq + 1 and not self._jump:
            return self._hole(now_ms)
        self._jump = False
        self.last_seq = seq
        self._progress()
        if event.event == TEXT:
            self._checksum.add(text_of(event.data))
        elif event.event == "done":
            return self._done(event, now_ms)
        elif event.event == "error":
            failure = failure_of_event(event)
            return [Deliver(event), Close(), self._finish("error", failure.code, failure.message)]
        return [Deliver(event)]

    def _hole(self, now_ms: float) -> list[Action]:
        if self._hole_after == self.last_seq or not self._reconnect:
            return [Close(), self._finish("gap", "gap", f"events after {self.last_seq} never arrived")]
        self._hole_after = self.last_seq
        return [Close(), self._connect("hole", now_ms)]

    def _done(self, event: Event, now_ms: float) -> list[Action]:
        ending = load("done", event.data)
        reason = ending.reason if isinstance(ending, Done) else "stop"
        if self._checkable and not self._checksum.agrees(event.data):
            return self._mismatch(now_ms)
        state: TerminalState = "stopped" if reason == "stopped" else "done"
        return [Deliver(event), Close(), self._finish(state, "", "")]

    def _mismatch(self, now_ms: float) -> list[Action]:
        if self._reread or not self._reconnect or not self._checkable:
            message = "the text does not match the length and checksum of the server, also when read again"
            return [Close(), self._finish("error", "payload_mismatch", message)]
        self._reread = True
        self.last_seq = 0
        self._hole_after = -1
        self._snapshot = False
        self._checksum = Checksum()
        return [Close(), Reset(), self._connect("payload_mismatch", now_ms)]

    def _foreign(self, event: Event, now_ms: float) -> list[Action]:
        """An event without a seq: of another server, or a refusal of this attempt; or its id was spoilt on the way."""
        if self._logged:
            # It is not delivered: the hole that it leaves is read again, and its text would then be there twice.
            return self._refused(event, now_ms) if event.event == "error" else []
        self._last_event_id = event.id
        self._progress()
        return [Deliver(event)]

    def _refused(self, event: Event, now_ms: float) -> list[Action]:
        self._refusal = failure_of_event(event)
        return [Close(), *self._broken(self._refusal.code, now_ms)]

    def _progress(self) -> None:
        self.attempt = 0
        self._refusal = None

    def _broken(self, reason: str, now_ms: float, at_least_ms: float = 0.0) -> list[Action]:
        self._reason = reason
        self.attempt += 1
        if not self._reconnect or self.attempt > self._config.max_attempts or not self._may_return():
            return [self._give_up()]
        delay_ms = max(at_least_ms, self._backoff.delay_ms(self.attempt, self._random()))
        self.phase = "waiting"
        self.deadline_ms = now_ms + delay_ms
        return [Wait(delay_ms, self.attempt, reason)]

    def _give_up(self) -> Finish:
        failure = self._refusal or LOST
        return self._finish("interrupted", failure.code, failure.message)

    def _may_return(self) -> bool:
        """Whether another connection can be opened without asking the model again."""
        return self._logged or self._config.repeatable or not self._answered

    def _finish(self, state: TerminalState, code: str, message: str) -> Finish:
        self.phase = "ended"
        self.deadline_ms = None
        return Finish(state, code, message)
