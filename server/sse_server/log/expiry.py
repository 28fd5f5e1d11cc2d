"""What the SQLite log lets go of, by age and by size; plain calls on one connection, within a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sse_server.log.bounds import REMEMBERED, over_share, text_fits
from sse_server.log.tables import ROW_BYTES, drop

if TYPE_CHECKING:
    import sqlite3

_PAGES = 1024
"""How many free pages of 4 KiB a sweep gives back to the disk."""

_FORGET = """DELETE FROM streams WHERE gone AND sid NOT IN
    (SELECT sid FROM streams WHERE gone ORDER BY ended_at DESC, sid DESC LIMIT ?)"""


def expire(database: sqlite3.Connection, now: float, expire_s: float, max_bytes: int) -> list[str]:
    """Drop finished streams, then the oldest events of running ones; return the ids of the streams that are gone."""
    total: int = database.execute("SELECT coalesce(sum(size), 0) FROM streams WHERE NOT gone").fetchone()[0]
    finished = "SELECT sid, stream_id, size, ended_at FROM streams WHERE ended_at IS NOT NULL AND NOT gone"
    gone = []
    for sid, stream_id, size, ended_at in database.execute(f"{finished} ORDER BY ended_at, sid").fetchall():
        if now - ended_at < expire_s and total <= max_bytes:
            continue
        drop(database, sid)
        database.execute("UPDATE streams SET gone = 1, size = 0 WHERE sid = ?", (sid,))
        total -= size
        gone.append(stream_id)
    trimmed = total > max_bytes and _trim_running(database, max_bytes)
    if gone or trimmed:
        forget = (
            "DELETE FROM streams WHERE gone AND sid NOT IN (SELECT sid FROM streams WHERE gone ORDER BY ended_at DESC"
        )
        database.execute(f"{forget} LIMIT ?)", (REMEMBERED,))
        database.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
    return gone


def _trim_running(database: sqlite3.Connection, max_bytes: int) -> bool:
    rows = database.execute("SELECT sid, size FROM streams WHERE ended_at IS NULL").fetchall()
    targets = over_share({str(sid): size for sid, size in rows}, max_bytes)
    for sid, target in targets.items():
        _trim(database, int(sid), target)
    return bool(targets)


def _trim(database: sqlite3.Connection, sid: int, target: int) -> None:
    """Let the oldest events of a stream go until it has this size; their text stays as long as all of it fits."""
    row = database.execute("SELECT size, first, text_size, text_whole FROM streams WHERE sid = ?", (sid,)).fetchone()
    size, first, text_size, whole = row
    head = database.execute("SELECT text FROM heads WHERE sid = ?", (sid,)).fetchone()
    parts = [head[0]] if head else []
    if whole and not text_fits(text_size, target):
        whole = 0
        size -= sum(len(part.encode()) for part in parts)
    for seq, frame_size, text in database.execute(
        "SELECT seq, length(frame), text FROM events WHERE sid = ? ORDER BY seq", (sid,)
    ):
        if size <= target:
            break
        first = seq + 1
        size -= frame_size + ROW_BYTES
        if text is not None and whole:
            parts.append(text)
        elif text is not None:
            size -= len(text.encode())
    database.execute("DELETE FROM events WHERE sid = ? AND seq < ?", (sid, first))
    database.execute("DELETE FROM heads WHERE sid = ?", (sid,))
    if whole and parts:
        database.execute("INSERT INTO heads VALUES (?, ?)", (sid, "".join(parts)))
    database.execute("UPDATE streams SET size = ?, first = ?, text_whole = ? WHERE sid = ?", (size, first, whole, sid))
