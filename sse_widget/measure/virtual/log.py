"""The log of a virtual run, and what a connection that reads it writes: deltas -> bytes. Pure."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from sse_widget.protocol.checksum import Checksum
from sse_widget.protocol.events import PING_DATA, TEXT, Delta, Done, Hello, Message, Metadata, Start, dump, event_id
from sse_widget.protocol.sse import Event, encode

from .serving import HEARTBEAT_S, pings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .serving import Served

STREAM_ID = "0" * 32
"""The id of every virtual stream."""

_AROUND = 3  # start, metadata, done
_MODEL = "virtual"
_RETRY = b"retry: 300\n"
_PING = encode(Event("ping", msgspec.json.encode(PING_DATA).decode()))


class Write(msgspec.Struct, frozen=True):
    """One write on a connection: the frames in it, each with its seq, 0 for the connection's own events."""

    at_s: float
    frames: tuple[tuple[int, bytes], ...]

    @property
    def data(self) -> bytes:
        """The bytes."""
        return b"".join(frame for _, frame in self.frames)


class Log:
    """The events of a run, appended at their times and encoded once."""

    def __init__(self, served: Served) -> None:
        self._events = tuple(_logged(served))

    @property
    def last(self) -> tuple[int, float]:
        """The seq of the last event and when it was appended."""
        return len(self._events), self._events[-1][0]

    @property
    def deltas(self) -> int:
        """How many deltas there are: those of seq 2, 3, 4 ..."""
        return len(self._events) - _AROUND

    def writes(self, after: int, from_s: float) -> Iterator[Write]:
        """Yield what a connection writes that is opened at a time to read after a seq."""
        greeted = max(after, 1)
        yield Write(from_s, ((0, _RETRY + _greeting(after)), *self._frames(after, greeted)))
        written_s = from_s
        rest = range(greeted, len(self._events))
        for at_s, seqs in groupby(rest, lambda seq: max(self._events[seq][0], from_s)):
            for ping_s in pings(written_s, at_s):
                yield Write(ping_s, ((0, _PING),))
            places = list(seqs)
            yield Write(at_s, self._frames(places[0], places[-1] + 1))
            written_s = at_s

    def _frames(self, start: int, end: int) -> tuple[tuple[int, bytes], ...]:
        return tuple((seq + 1, self._events[seq][1]) for seq in range(start, end))


def _logged(served: Served) -> Iterator[tuple[float, bytes]]:
    """Yield the events of the stream with the times at which they are appended, those of seq 1, 2, 3 ..."""
    checksum, tokens = Checksum(), sum(served.tokens)
    messages: list[tuple[float, str, Message]] = [(0.0, "start", Start())]
    for text, at_s in zip(served.texts, served.chunk_s, strict=True):
        checksum.add(text)
        messages.append((at_s, TEXT, Delta(text)))
    messages += [
        (served.end_s, "metadata", Metadata(_MODEL, tokens, round(served.end_s, 3))),
        (served.end_s, "done", Done("stop", tokens, checksum.chars, checksum.crc32)),
    ]
    for seq, (at_s, name, message) in enumerate(messages, 1):
        yield at_s, encode(Event(name, dump(message), event_id(STREAM_ID, seq)))


def _greeting(after: int) -> bytes:
    hello = Hello(
        ts=0.0,
        model=_MODEL,
        stream_id=STREAM_ID,
        conversation_id="",
        resumed=after > 0,
        after=after,
        gap=False,
        heartbeat_s=HEARTBEAT_S,
        node=_MODEL,
    )
    return encode(Event("hello", dump(hello), event_id(STREAM_ID, after)))
