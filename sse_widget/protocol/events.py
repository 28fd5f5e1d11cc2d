"""Typed messages of a stream: their names, their data, and which of them end it (design.md section 4)."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from sse_widget.protocol.trace import Trace

CONTENT_TYPE = "text/event-stream"
TEXT = "delta"
PING_DATA = "🔧"
CONNECTION_EVENTS = frozenset({"hello", "ping", "timing"})
"""Events about a connection: never logged, never counted in seq."""

TerminalState = Literal["done", "stopped", "error", "interrupted", "gap", "closed"]
"""The one state in which a client ends."""

DoneReason = Literal["stop", "length", "stopped"]

_EVENT_ID = re.compile(r"([0-9a-f]{32}):(0|[1-9][0-9]{0,15})")


class Hello(msgspec.Struct, frozen=True):
    """First event of every connection; `ts` is Unix time in seconds."""

    ts: float
    model: str
    stream_id: str
    conversation_id: str
    resumed: bool
    after: int
    gap: bool
    heartbeat_s: float
    node: str


class Start(msgspec.Struct, frozen=True):
    """The run has begun."""

    status: str = "started"


class Delta(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of the answer; the deltas of a stream, joined, are its text. `trace` comes with `trace=1` alone."""

    text: str
    trace: Trace | None = None


class Timing(msgspec.Struct, frozen=True):
    """With `trace=1`, in front of a batch and in the same write: events `first` to `last`, written at `write` (ns)."""

    first: int
    last: int
    write: int


class Metadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the run used; sent before `done`. `prompt_tokens` where the model tells them."""

    model_used: str
    tokens_used: int
    elapsed_seconds: float
    prompt_tokens: int | None = None


class Done(msgspec.Struct, frozen=True):
    """The good end: `chars` counts code points and `crc32` covers the UTF-8 of all deltas."""

    reason: DoneReason
    tokens: int
    chars: int
    crc32: int


class Error(msgspec.Struct, frozen=True, omit_defaults=True):
    """The bad end of a stream, or, without an id, a refusal of one attempt; `retry_after_s` where somebody named it."""

    message: str
    code: str
    type: str
    retryable: bool
    retry_after_s: int | None = None


Message = Hello | Start | Delta | Timing | Metadata | Done | Error

BY_NAME: dict[str, type[Message]] = {
    "hello": Hello,
    "start": Start,
    TEXT: Delta,
    "timing": Timing,
    "metadata": Metadata,
    "done": Done,
    "error": Error,
}


class _Text(msgspec.Struct, gc=False):
    text: str


_encoder = msgspec.json.Encoder()
_decoders = {name: msgspec.json.Decoder(kind) for name, kind in BY_NAME.items()}
_texts = msgspec.json.Decoder(_Text)


def dump(message: Message) -> str:
    """Return the JSON of a message, unescaped, on one line."""
    return _encoder.encode(message).decode()


def load(name: str, data: str) -> Message | None:
    """Return the typed message, or None for a name that has no type or data of another shape."""
    decoder = _decoders.get(name)
    if decoder is None:
        return None
    try:
        return decoder.decode(data)
    except msgspec.DecodeError:
        # Whatever somebody else means by `trace`: the text counts.
        return Delta(text) if name == TEXT and (text := text_of(data)) else None


def text_of(data: str) -> str:
    """Return the text of a delta's data, empty when it has none."""
    try:
        return _texts.decode(data).text
    except msgspec.DecodeError:
        return ""


def event_id(stream_id: str, seq: int) -> str:
    """Return the id of an event on the wire: `<stream_id>:<seq>`."""
    return f"{stream_id}:{seq}"


def parse_event_id(value: str) -> tuple[str, int] | None:
    """Return (stream_id, seq), or None when the id is not one of ours."""
    match = _EVENT_ID.fullmatch(value)
    return None if match is None else (match[1], int(match[2]))
