"""The server's side of a virtual run: tokens -> deltas -> writes -> bytes. Pure."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from sse_widget.pacing.chunker import Chunk, Chunker, Knobs
from sse_widget.protocol.checksum import Checksum
from sse_widget.protocol.events import TEXT, Delta, Done, Hello, Metadata, Start, dump, event_id
from sse_widget.protocol.sse import Event, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STREAM_ID = "0" * 32
"""The id of every virtual stream."""

_MODEL = "virtual"
_RETRY = b"retry: 300\n"


class Tokens(msgspec.Struct, frozen=True):
    """What a model said: `texts` at `times_s`, which never go back; the answer ended at `end_s`.

    Raises ValueError when the times are not such.
    """

    times_s: tuple[float, ...]
    texts: tuple[str, ...]
    end_s: float

    def __post_init__(self) -> None:
        """Check the times."""
        times_s = (0.0, *self.times_s, self.end_s)
        if len(self.times_s) != len(self.texts):
            raise ValueError(f"{len(self.texts)} tokens need as many times; got {len(self.times_s)}")
        if not all(map(math.isfinite, times_s)) or any(later < earlier for earlier, later in pairwise(times_s)):
            raise ValueError("the times of tokens are finite numbers of seconds, 0 or more, that never go back")

    @classmethod
    def of(cls, pairs: Iterable[tuple[float, str]], end_s: float | None = None) -> Tokens:
        """Take (seconds, text) of each token; the end is the last one's time unless `end_s` is later."""
        told = [pair for pair in pairs if pair[1]]
        times_s = tuple(float(at_s) for at_s, _ in told)
        return cls(times_s, tuple(text for _, text in told), end_s if end_s is not None else max((0.0, *times_s)))


class Served(msgspec.Struct, frozen=True):
    """The deltas of a run as the server made them, one item a delta; times in seconds.

    `first_s` and `last_s` are those of the first and the last of its `tokens`, `chunk_s` when it was cut. `writes_s`
    are the times of all writes: the greeting, each batch, and the end of the stream, at `end_s` and in the last of
    them. `write` says in which of them a delta went out.
    """

    texts: tuple[str, ...]
    tokens: tuple[int, ...]
    first_s: tuple[float, ...]
    last_s: tuple[float, ...]
    chunk_s: tuple[float, ...]
    write: tuple[int, ...]
    writes_s: tuple[float, ...]
    end_s: float


def serve(tokens: Tokens, knobs: Knobs) -> Served:
    """Cut tokens into deltas and put these into writes, as the server's producer and delivery do."""
    end_s, sent = _cut(tokens, Chunker(knobs))
    ends = [0]
    for _, chunk in sent:
        ends.append(ends[-1] + chunk.tokens)
    chunk_s = tuple(at_s for at_s, _ in sent)
    write, writes_s = _written(chunk_s, end_s)
    return Served(
        texts=tuple(chunk.text for _, chunk in sent),
        tokens=tuple(chunk.tokens for _, chunk in sent),
        first_s=tuple(tokens.times_s[start] for start in ends[:-1]),
        last_s=tuple(tokens.times_s[end - 1] for end in ends[1:]),
        chunk_s=chunk_s,
        write=write,
        writes_s=writes_s,
        end_s=end_s,
    )


def _cut(tokens: Tokens, chunker: Chunker) -> tuple[float, list[tuple[float, Chunk]]]:
    """Return when the stream ends, and the chunks with their times."""
    sent: list[tuple[float, Chunk]] = []
    for at_s, text in zip(tokens.times_s, tokens.texts, strict=True):
        sent += _due(chunker, at_s)
        chunk = chunker.push(text, at_s)
        if chunk is not None:
            sent.append((at_s, chunk))
    sent += _due(chunker, tokens.end_s)
    end_s = tokens.end_s if chunker.deadline is None else max(tokens.end_s, chunker.hold_until)
    rest = chunker.finish(end_s)
    return end_s, [*sent, (end_s, rest)] if rest is not None else sent


def _due(chunker: Chunker, before_s: float) -> Iterator[tuple[float, Chunk]]:
    while (deadline_s := chunker.deadline) is not None and deadline_s < before_s:
        chunk = chunker.poll(deadline_s)
        if chunk is not None:
            yield deadline_s, chunk


def _written(chunk_s: tuple[float, ...], end_s: float) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Put what is appended at one time into one write: the reader wakes after all of it."""
    writes_s = [0.0]
    write = []
    for at_s in (*chunk_s, end_s):
        if len(writes_s) == 1 or at_s > writes_s[-1]:
            writes_s.append(at_s)
        write.append(len(writes_s) - 1)
    return tuple(write[:-1]), tuple(writes_s)


def wire(served: Served) -> tuple[bytes, ...]:
    """Return the bytes of each write, as a reader gets them who asked from the start."""
    frames: list[list[bytes]] = [
        [_RETRY, _greeting(), _logged(1, "start", dump(Start()))],
        *([] for _ in served.writes_s[1:]),
    ]
    checksum = Checksum()
    for seq, (text, at) in enumerate(zip(served.texts, served.write, strict=True), 2):
        checksum.add(text)
        frames[at].append(_logged(seq, TEXT, dump(Delta(text))))
    seq = len(served.texts) + 2
    tokens = sum(served.tokens)
    metadata = Metadata(_MODEL, tokens, round(served.end_s, 3))
    done = Done("stop", tokens, checksum.chars, checksum.crc32)
    frames[-1] += [_logged(seq, "metadata", dump(metadata)), _logged(seq + 1, "done", dump(done))]
    return tuple(b"".join(parts) for parts in frames)


def _greeting() -> bytes:
    hello = Hello(
        ts=0.0,
        model=_MODEL,
        stream_id=STREAM_ID,
        conversation_id="",
        resumed=False,
        after=0,
        gap=False,
        heartbeat_s=20.0,
        node=_MODEL,
    )
    return encode(Event("hello", dump(hello), event_id(STREAM_ID, 0)))


def _logged(seq: int, name: str, data: str) -> bytes:
    return encode(Event(name, data, event_id(STREAM_ID, seq)))
