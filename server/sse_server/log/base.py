"""The contract of an event log: append by one producer, read after a seq by any number of readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sse_widget.protocol.sse import Event
    from sse_widget.protocol.trace import Trace


class UnknownStreamError(Exception):
    """No stream of this id was ever here, or it was forgotten altogether."""


class ExpiredStreamError(Exception):
    """The stream ended and its events were dropped; only its id and `owner` are remembered."""

    def __init__(self, stream_id: str, owner: str) -> None:
        super().__init__(stream_id)
        self.owner = owner


class TrimmedStreamError(Exception):
    """Some events after the asked seq are no longer held."""


class StreamMeta(msgspec.Struct, frozen=True):
    """What is known of a stream when it is created."""

    owner: str
    model: str
    conversation_id: str


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where a delta comes from: when its first and last token were made and when it was cut, ns of the log's clock."""

    model_first: int
    model_last: int
    chunk: int


class Batch(msgspec.Struct, frozen=True):
    """What one read gave: encoded frames of events `first` to `last`; `ended` when none will follow them."""

    frames: tuple[bytes, ...]
    first: int
    last: int
    ended: bool


class StreamInfo(msgspec.Struct, frozen=True):
    """The state of a stream. `text` is that of all deltas up to event `text_seq`; `unread_s` how long nobody reads."""

    stream_id: str
    meta: StreamMeta
    first: int
    last: int
    ended: bool
    text: str
    text_seq: int
    unread_s: float


class Stop(msgspec.Struct, frozen=True, tag=True):
    """End the run. `stopped` is a reader's wish and ends in `done`; the others end in `error`.

    `after_s` is the limit that an `unread_limit` speaks of.
    """

    reason: Literal["stopped", "shutdown", "unread_limit"]
    after_s: float = 0.0


class Tune(msgspec.Struct, frozen=True, tag=True):
    """Change knobs of the chunker of a running run; those not named stay."""

    changes: dict[str, float | bool]


Command = Stop | Tune


class EventLog(Protocol):
    """Memory, SQLite and Redis keep this contract; one test suite runs over all of them.

    Unknown, expired and trimmed are three different errors. `read` may be cancelled at any time and has no seam
    between what is held and what is to come.
    """

    async def create(self, meta: StreamMeta, key: str) -> tuple[str, bool]:
        """Return (stream_id, created); the same owner and non-empty key give the same stream."""

    async def append(self, stream_id: str, events: Sequence[Event], origins: Sequence[Origin | None] = ()) -> int:
        """Number, encode and keep events; return the last seq. A terminal event closes the stream.

        `origins` are those of the events, in their order; what they do not reach has none.
        """

    async def read(self, stream_id: str, after: int, wait_s: float) -> Batch:
        """Return the next events after `after`, waiting up to `wait_s` for the first; an empty batch after that.

        A batch is bounded; those behind it are there for the next read.
        """

    async def traces(self, stream_id: str, first: int, last: int) -> Sequence[Trace | None]:
        """Return the stamps of events that were read, None where one has no origin."""

    async def info(self, stream_id: str) -> StreamInfo:
        """Return the state of a stream."""

    async def command(self, stream_id: str, command: Command) -> None:
        """Send a command to whoever produces the stream, on any node."""

    def commands(self, stream_id: str) -> AsyncIterator[Command]:
        """Yield the commands sent to a stream; for its producer alone."""

    async def delete(self, stream_id: str) -> None:
        """Forget a stream at once."""

    async def expire(self) -> Sequence[str]:
        """Drop what is over its age or size; return the ids of the streams that are gone."""
