"""The server's side of a virtual run: tokens -> deltas -> writes. Pure."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from sse_widget.pacing.chunker import Chunk, Chunker, Knobs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEARTBEAT_S = 20.0
"""The server pings when it has written nothing for so long."""


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
    are the times of all writes: the greeting, each batch, pings in long pauses, and the end of the stream, at `end_s`
    and in the last of them. `write` says in which of them a delta went out.
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
        writes_s += pings(writes_s[-1], at_s)
        if len(writes_s) == 1 or at_s > writes_s[-1]:
            writes_s.append(at_s)
        write.append(len(writes_s) - 1)
    return tuple(write[:-1]), tuple(writes_s)


def pings(written_s: float, until_s: float) -> Iterator[float]:
    """Yield when the server pings that has written at one time and has nothing to write before another."""
    while until_s - written_s > HEARTBEAT_S:
        written_s += HEARTBEAT_S
        yield written_s
