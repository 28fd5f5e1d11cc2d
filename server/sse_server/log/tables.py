"""The tables of the SQLite log: plain calls on one connection; those that write stand within a transaction."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from sse_server.log.base import (
    Batch,
    Command,
    ExpiredStreamError,
    LogSize,
    LostLeaseError,
    StreamInfo,
    StreamMeta,
    TrimmedStreamError,
    UnknownStreamError,
)
from sse_server.log.bounds import BATCH_BYTES, MAX_TEXT_BYTES, TERMINAL
from sse_widget.protocol.events import TEXT, event_id, text_of
from sse_widget.protocol.sse import Event, encode
from sse_widget.protocol.trace import Trace

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

ROW_BYTES = 40
"""What an event takes beside its frame and its text, about."""


class Stream(NamedTuple):
    """A row of `streams`, but for what only statements need."""

    sid: int
    owner: str
    model: str
    conversation_id: str
    machine: str
    holder: str
    read_at: float
    first: int
    last: int
    size: int
    text_seq: int
    text_size: int
    text_whole: int
    ended_at: float | None
    gone: int


class Appended(NamedTuple):
    """What an append has put into the file."""

    frames: list[bytes]
    traces: list[Trace | None]
    last: int
    ended: bool


_FIELDS = ", ".join(Stream._fields)
_FIND = f"SELECT {_FIELDS} FROM streams WHERE stream_id = ?"  # noqa: S608 - made of the names above


class Tables:
    """One connection to the file, of one node. `machine` names the run of the machine whose clock stamps events."""

    def __init__(self, database: sqlite3.Connection, node: str, machine: str) -> None:
        self._db = database
        self._node = node
        self._machine = machine

    def create(self, meta: StreamMeta, key: str, now: float, lease_until: float) -> tuple[str, bool]:
        """See EventLog.create."""
        if key:
            known = self._db.execute(
                "SELECT stream_id FROM streams WHERE owner = ? AND key = ? AND key <> ''", (meta.owner, key)
            ).fetchone()
            if known is not None:
                return known[0], False
        stream_id = secrets.token_hex(16)
        self._db.execute(
            "INSERT INTO streams (stream_id, owner, model, conversation_id, key, machine, holder, lease_until, read_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (stream_id, meta.owner, meta.model, meta.conversation_id, key, self._machine, self._node, lease_until, now),
        )
        return stream_id, True

    def find(self, stream_id: str) -> Stream:
        """Return a stream, or raise what says why there is none."""
        row = self._db.execute(_FIND, (stream_id,)).fetchone()
        if row is None:
            raise UnknownStreamError(stream_id)
        stream = Stream(*row)
        if stream.gone:
            raise ExpiredStreamError(stream_id, stream.owner)
        return stream

    def append(self, stream_id: str, events: Sequence[Event], traces: Sequence[Trace | None], now: float) -> Appended:
        """Append as the holder of the lease."""
        stream = self.find(stream_id)
        if stream.holder != self._node:
            raise LostLeaseError(stream_id)
        return self._append(stream_id, stream, events, traces, now)

    def _append(
        self, stream_id: str, stream: Stream, events: Sequence[Event], traces: Sequence[Trace | None], now: float
    ) -> Appended:
        ended = stream.ended_at is not None
        if not events:
            return Appended([], [], stream.last, ended)
        size, text_size, text_seq, seq = stream.size, stream.text_size, stream.text_seq, stream.last
        frames, rows = [], []
        for event, trace in zip(events, traces, strict=True):
            if ended:
                raise ValueError("the stream has ended; nothing can follow its terminal event")
            seq += 1
            frame = encode(Event(event.event, event.data, event_id(stream_id, seq)))
            text = text_of(event.data) if event.event == TEXT else None
            size += len(frame) + ROW_BYTES
            if text is not None:
                length = len(text.encode("utf-8", "replace"))
                size, text_size, text_seq = size + length, text_size + length, seq
            stamps = (None,) * 4 if trace is None else msgspec.structs.astuple(trace)
            frames.append(frame)
            rows.append((stream.sid, seq, frame, text, *stamps))
            ended = event.event in TERMINAL
        self._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._db.execute(
            "UPDATE streams SET last = ?, size = ?, text_seq = ?, text_size = ?, ended_at = ? WHERE sid = ?",
            (seq, size, text_seq, text_size, now if ended else None, stream.sid),
        )
        return Appended(frames, list(traces), seq, ended)

    def read(self, stream_id: str, after: int) -> Batch:
        """Return what follows `after`, as far as a batch goes."""
        stream = self.find(stream_id)
        if after + 1 < stream.first:
            raise TrimmedStreamError(stream_id)
        frames: list[bytes] = []
        size = 0
        query = "SELECT frame FROM events WHERE sid = ? AND seq > ? ORDER BY seq"
        for (frame,) in self._db.execute(query, (stream.sid, after)):
            frames.append(frame)
            size += len(frame)
            if size >= BATCH_BYTES:
                break
        last = after + len(frames)
        return Batch(tuple(frames), after + 1, last, stream.ended_at is not None and last >= stream.last)

    def traces(self, stream_id: str, first: int, last: int) -> list[Trace | None]:
        """Return the stamps of events."""
        stream = self.find(stream_id)
        traces: list[Trace | None] = [None] * (last - first + 1)
        if stream.machine == self._machine:
            query = (
                "SELECT seq, model_first, model_last, chunk, append FROM events"
                " WHERE sid = ? AND seq BETWEEN ? AND ? AND chunk IS NOT NULL"
            )
            for seq, *stamps in self._db.execute(query, (stream.sid, first, last)):
                traces[seq - first] = Trace(*stamps)
        return traces

    def info(self, stream_id: str, known_text: tuple[int, str]) -> tuple[StreamInfo, float]:
        """Return the state of a stream, but for `unread_s`, and when it was last read as far as the file tells."""
        stream = self.find(stream_id)
        text = self.text(stream, known_text)
        info = StreamInfo(
            stream_id=stream_id,
            meta=StreamMeta(stream.owner, stream.model, stream.conversation_id),
            first=stream.first,
            last=stream.last,
            ended=stream.ended_at is not None,
            text=text or "",
            text_seq=0 if text is None else stream.text_seq,
            unread_s=0.0,
            text_whole=text is not None,
        )
        return info, stream.read_at

    def text(self, stream: Stream, known: tuple[int, str] = (0, "")) -> str | None:
        """Return the text so far, None where it was longer than is kept; `known` is the text up to some seq."""
        if not stream.text_whole or stream.text_size > MAX_TEXT_BYTES:
            return None
        seq, text = known if known[0] + 1 >= stream.first else (0, self.head(stream.sid))
        query = "SELECT text FROM events WHERE sid = ? AND seq > ? AND text IS NOT NULL ORDER BY seq"
        return text + "".join(part for (part,) in self._db.execute(query, (stream.sid, seq)))

    def head(self, sid: int) -> str:
        """Return the text of the events that were trimmed."""
        row = self._db.execute("SELECT text FROM heads WHERE sid = ?", (sid,)).fetchone()
        return "" if row is None else row[0]

    def command(self, stream_id: str, command: Command) -> None:
        """Leave a command for the stream's producer, wherever it is."""
        stream = self.find(stream_id)
        if stream.ended_at is None:
            self._db.execute(
                "INSERT INTO commands (sid, body) VALUES (?, ?)", (stream.sid, msgspec.json.encode(command))
            )

    def take_commands(self) -> list[tuple[str, Command]]:
        """Take the commands of the streams that are produced here, in their order."""
        rows = self._db.execute(
            "SELECT id, stream_id, body FROM commands JOIN streams USING (sid) WHERE holder = ? ORDER BY id",
            (self._node,),
        ).fetchall()
        self._db.executemany("DELETE FROM commands WHERE id = ?", [row[:1] for row in rows])
        return [(stream_id, msgspec.json.decode(body, type=Command)) for _, stream_id, body in rows]

    def news(self, seen: Iterable[tuple[str, int]]) -> tuple[list[str], bool]:
        """Return those of (stream_id, last seq) that are not as they were seen, and whether commands wait here."""
        query = "SELECT last, ended_at IS NOT NULL OR gone FROM streams WHERE stream_id = ?"
        rows = [(stream_id, (last, 0), self._db.execute(query, (stream_id,)).fetchone()) for stream_id, last in seen]
        waiting = "SELECT 1 FROM commands JOIN streams USING (sid) WHERE holder = ? LIMIT 1"
        commanded = self._db.execute(waiting, (self._node,)).fetchone() is not None
        return [stream_id for stream_id, was, row in rows if row != was], commanded

    def renew(self, stream_ids: Sequence[str], lease_until: float, read_at: Mapping[str, float]) -> list[str]:
        """See EventLog.renew; `read_at` tells when streams were read here, for those who look from other processes."""
        read = "UPDATE streams SET read_at = max(read_at, ?) WHERE stream_id = ?"
        self._db.executemany(read, [(at, stream_id) for stream_id, at in read_at.items()])
        query = "UPDATE streams SET lease_until = ? WHERE stream_id = ? AND holder = ?"
        renewed = [self._db.execute(query, (lease_until, stream_id, self._node)).rowcount for stream_id in stream_ids]
        return [stream_id for stream_id, count in zip(stream_ids, renewed, strict=True) if not count]

    def reap(self, ending: Event, now: float, latest: float) -> list[str]:
        """See EventLog.reap. A lease that ends after `latest` was given before the clock was set back."""
        query = "SELECT stream_id FROM streams WHERE ended_at IS NULL AND (lease_until < ? OR lease_until > ?)"
        lost = [stream_id for (stream_id,) in self._db.execute(query, (now, latest))]
        for stream_id in lost:
            self._append(stream_id, self.find(stream_id), [ending], [None], now)
            self._db.execute("UPDATE streams SET holder = '' WHERE stream_id = ?", (stream_id,))
        return lost

    def size(self) -> LogSize:
        """Return what the file holds, as it counts against the bounds."""
        query = "SELECT coalesce(sum(size), 0), count(*) FROM streams WHERE NOT gone"
        return LogSize(*self._db.execute(query).fetchone())

    def delete(self, stream_id: str) -> None:
        """Forget a stream."""
        row = self._db.execute("SELECT sid FROM streams WHERE stream_id = ?", (stream_id,)).fetchone()
        if row is not None:
            drop(self._db, row[0])
            self._db.execute("DELETE FROM streams WHERE sid = ?", row)


def drop(database: sqlite3.Connection, sid: int) -> None:
    """Let go of all that belongs to a stream, but for its row."""
    for table in ("events", "heads", "commands"):
        database.execute(f"DELETE FROM {table} WHERE sid = ?", (sid,))  # noqa: S608 - one of the names above
