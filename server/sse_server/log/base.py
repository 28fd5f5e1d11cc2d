"""The contract of an event log: append by one producer, read after a seq by any number of readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

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


class LostLeaseError(Exception):
    """Another process has ended this stream, or produces it: whoever appends does not hold its lease."""


class LogUnavailableError(Exception):
    """The store cannot be reached, or cannot write, at present; the message is for the server's own log."""


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
    """The state of a stream. It holds the events `first` to `last`; `unread_s` is how long nobody reads.

    `text` is that of all deltas up to event `text_seq`. Where `text_whole` is False the text was longer than the log
    keeps: `text` is empty then and `text_seq` 0, and nobody can have a snapshot.
    """

    stream_id: str
    meta: StreamMeta
    first: int
    last: int
    ended: bool
    text: str
    text_seq: int
    unread_s: float
    text_whole: bool = True


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


class LogSize(msgspec.Struct, frozen=True):
    """What a log holds: bytes, as it counts them against its bounds, and streams."""

    bytes: int
    streams: int


@runtime_checkable
class SizedLog(Protocol):
    """A log that can tell at little cost how much it holds."""

    async def size(self) -> LogSize:
        """Return what the log holds now."""


class EventLog(Protocol):
    """Memory, SQLite and Redis keep this contract; one test suite runs over all of them.

    Unknown, expired and trimmed are three different errors. `read` may be cancelled at any time and has no seam
    between what is held and what is to come. All but `commands` and `close` raise LogUnavailableError while the store
    cannot be reached; nothing else of a store's own errors comes out.
    """

    @property
    def lease_s(self) -> float:
        """Seconds after which a stream whose producer is silent counts as lost; infinite where none can be."""

    async def create(self, meta: StreamMeta, key: str) -> tuple[str, bool]:
        """Return (stream_id, created); the same owner and non-empty key give the same stream.

        Whoever created a stream holds its lease, for `lease_s` from now.
        """

    async def append(self, stream_id: str, events: Sequence[Event], origins: Sequence[Origin | None] = ()) -> int:
        """Number, encode and keep events; return the last seq. A terminal event closes the stream.

        `origins` are those of the events, in their order; what they do not reach has none. All of the events are kept
        or none. Once called it is carried out, before any later append, also when its caller is cancelled. After
        LogUnavailableError the same events may be sent again, alone or before others: the log has them once.
        Raises LostLeaseError when another process has ended the stream or holds its lease.
        """

    async def read(self, stream_id: str, after: int, wait_s: float) -> Batch:
        """Return the next events after `after`, waiting up to `wait_s` for the first; an empty batch after that.

        A batch is bounded; those behind it are there for the next read.
        """

    async def traces(self, stream_id: str, first: int, last: int) -> Sequence[Trace | None]:
        """Return the stamps of events that were read, None where one has no origin, or one by another clock.

        Stamps are of one machine's monotonic clock since its start, so other nodes' are not given.
        """

    async def info(self, stream_id: str) -> StreamInfo:
        """Return the state of a stream."""

    async def unread_s(self, stream_id: str) -> float:
        """Return how long nobody reads a stream: as `info` says, without the text that makes `info` dear."""

    async def command(self, stream_id: str, command: Command) -> None:
        """Send a command to whoever produces the stream, on any node."""

    def commands(self, stream_id: str) -> AsyncIterator[Command]:
        """Yield the commands sent to a stream, in their order; for its producer alone. It outlasts outages."""

    async def delete(self, stream_id: str) -> None:
        """Forget a stream at once."""

    async def expire(self) -> Sequence[str]:
        """Drop what is over its age or size; return the ids of the streams that are gone.

        Finished streams go first, the oldest of them first. Of streams that go on the oldest events go, and whoever
        has not read them gets TrimmedStreamError.
        """

    async def renew(self, stream_ids: Sequence[str]) -> Sequence[str]:
        """Prolong the leases that this process holds by `lease_s` from now; return the ids of those it has lost."""

    async def reap(self, ending: Event) -> Sequence[str]:
        """End every stream whose lease has run out with this terminal event; return the ids of those it ended.

        Any process may; of several that do, exactly one ends a stream.
        """

    async def close(self) -> None:
        """End what the log has under way; leases that are held run out by themselves."""


News: TypeAlias = "Callable[[bytes, int, int, bool], None]"
"""Takes the frames of new events, the seq of the first and of the last of them, and whether none will follow.

Without frames, and with 0 for both, something else has happened to the stream, which a read tells. It must not raise,
and ends no listening itself.
"""


@runtime_checkable
class PromptLog(Protocol):
    """What a log that never waits can do beside the rest: an event is with its listeners before its append returns.

    A task for the append and one for each reader would cost an event two turns of the loop, more than all else of it.
    """

    def append_now(self, stream_id: str, events: Sequence[Event], origins: Sequence[Origin | None] = ()) -> int:
        """See EventLog.append."""

    def read_now(self, stream_id: str, after: int) -> Batch:
        """See EventLog.read; without a wait."""

    def listen(self, stream_id: str, news: News) -> None:
        """Have `news` called by whatever changes the stream, until `leave`. A listener counts as a reader."""

    def leave(self, stream_id: str, news: News) -> None:
        """End a listening; one that has ended is no error."""
