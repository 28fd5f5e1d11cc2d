"""The reader's side of a virtual run up to the text: bytes -> events -> deltas. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sse_widget.protocol.actions import Action, Deliver, Finish, Head, SessionConfig
from sse_widget.protocol.events import CONTENT_TYPE, TEXT, TerminalState, text_of
from sse_widget.protocol.session import Session
from sse_widget.protocol.sse import Parser

from .serving import STREAM_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Read(msgspec.Struct, frozen=True):
    """The deltas that a reader was handed, when (seconds), and the state in which the stream ended for it, when."""

    texts: tuple[str, ...]
    receive_s: tuple[float, ...]
    end_s: float
    state: TerminalState


class _Reader:
    """Notes what the session says."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.receive_s: list[float] = []
        self.end_s = 0.0
        self.state: TerminalState = "interrupted"

    def act(self, actions: Iterable[Action], now_s: float) -> None:
        for action in actions:
            match action:
                case Deliver(event) if event.event == TEXT:
                    self.texts.append(text_of(event.data))
                    self.receive_s.append(now_s)
                case Finish(state):
                    self.end_s, self.state = now_s, state
                case _:
                    pass


def read(reads: Iterable[tuple[float, bytes]], unit_random: Callable[[], float]) -> Read:
    """Run parser and session over bytes with their times of arrival, one connection that ends when the bytes do.

    `unit_random` is the session's. Without a terminal event the state is `interrupted`: nothing is asked again.
    """
    session = Session(SessionConfig(reconnect=False), unit_random)
    parser = Parser()
    reader = _Reader()
    now_s = 0.0
    session.start(0.0)
    session.head(Head(200, CONTENT_TYPE, STREAM_ID), 0.0)
    for now_s, data in reads:
        now_ms = now_s * 1000.0
        session.bytes_arrived(now_ms)
        for event in parser.feed(data):
            reader.act(session.event(event, now_ms), now_s)
    reader.act(session.ended(now_s * 1000.0), now_s)
    return Read(tuple(reader.texts), tuple(reader.receive_s), reader.end_s, reader.state)
