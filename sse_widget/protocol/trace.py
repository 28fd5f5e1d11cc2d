"""The flight recorder's words: the stamps of a delta on its way, and the rows in which a page says what it saw. Pure.

Times of a server are whole ns of its `time.monotonic_ns`, times of a page ms of its `performance.now()`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

STAMPS = (
    "model_first",
    "model_last",
    "chunk",
    "append",
    "write",
    "receive",
    "parse",
    "show_first",
    "show_last",
    "paint",
)
"""The moments of a delta, in their order. The first five are the server's, the others its reader's.

`model_first` and `model_last`: its first and last token came from the source; `chunk`: it was cut; `append`: it was in
the log; `write`: the write that carries it began; `receive`: the bytes that complete it arrived; `parse`: it was an
event; `show_first` and `show_last`: its first and last character were put into the page; `paint`: the frame that shows
the last one was drawn.
"""

_READER = r"^[A-Za-z0-9_-]{8,36}\Z"
_Index = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Ns = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Ms = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class Trace(msgspec.Struct, frozen=True, gc=False):
    """The server's stamps of one delta, ns; sent with it to who asked for `trace=1`."""

    model_first: int
    model_last: int
    chunk: int
    append: int


class _Seen(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """A delta as a page saw it; what did not happen, or is not known, is None.

    `connection` counts the page's connections of the run from 1, `attempt` those since the last progress, from 0.
    """

    seq: _Index
    connection: _Index
    attempt: _Index
    write_ns: _Ns | None
    receive: _Ms
    parse: _Ms
    show_first: _Ms | None
    show_last: _Ms | None
    paint: _Ms | None


class DeltaRow(_Seen, frozen=True, array_like=True, forbid_unknown_fields=True, tag="delta", gc=False):
    """One delta of the stream: `["delta", seq, connection, attempt, write_ns, receive, parse, ...]`."""


class SnapshotRow(_Seen, frozen=True, array_like=True, forbid_unknown_fields=True, tag="snapshot", gc=False):
    """The text up to event `seq`, which a page that came later had in one piece; otherwise as a delta."""


class PingRow(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="ping", gc=False):
    """A heartbeat: `["ping", connection, at]`."""

    connection: _Index
    at: _Ms


class StateRow(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="state", gc=False):
    """The reader's state changed: `["state", connection, attempt, at, state, reason]`."""

    connection: _Index
    attempt: _Index
    at: _Ms
    state: Annotated[str, msgspec.Meta(max_length=32)]
    reason: Annotated[str, msgspec.Meta(max_length=200)]


Row = DeltaRow | SnapshotRow | PingRow | StateRow


class Spans(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The next rows of one page, as it posts them; `start` (on the wire `from`) is the index of the first one.

    `offset_ns` is what to add to the page's time for the server's, wrong by `error_ns` at most when it was
    estimated: how far the clocks drift from then on is not in it. None while unknown.
    `asked` is when the page asked, None where somebody else did. `over`: no more rows will come.
    """

    reader: Annotated[str, msgspec.Meta(pattern=_READER)]
    start: _Index = msgspec.field(name="from", default=0)
    offset_ns: _Ns | None = None
    error_ns: _Ns | None = None
    asked: _Ms | None = None
    rows: tuple[Row, ...] = ()
    over: bool = False


class ReaderSpans(msgspec.Struct, frozen=True):
    """All that one page has said so far; the fields are those of its last `Spans`."""

    reader: str
    offset_ns: _Ns | None = None
    error_ns: _Ns | None = None
    asked: _Ms | None = None
    over: bool = False
    rows: tuple[Row, ...] = ()


class RunSpans(msgspec.Struct, frozen=True):
    """What the pages of one run have said, in the order in which they came to it."""

    readers: tuple[ReaderSpans, ...] = ()
