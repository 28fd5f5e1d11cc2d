"""The file of the SQLite log: its format, and who else's file it may not be."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sse_server.config import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPLICATION_ID = 0x73736577
VERSION = 1
BUSY_S = 5.0
"""How long a write waits for another process's."""

_SCHEMA = """
CREATE TABLE streams (
    sid INTEGER PRIMARY KEY, stream_id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, model TEXT NOT NULL,
    conversation_id TEXT NOT NULL, key TEXT NOT NULL, machine TEXT NOT NULL, holder TEXT NOT NULL,
    lease_until REAL NOT NULL, read_at REAL NOT NULL, first INTEGER NOT NULL DEFAULT 1, last INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0, text_seq INTEGER NOT NULL DEFAULT 0, text_size INTEGER NOT NULL DEFAULT 0,
    text_whole INTEGER NOT NULL DEFAULT 1, ended_at REAL, gone INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX keys ON streams (owner, key) WHERE key <> '';
CREATE INDEX running ON streams (lease_until) WHERE ended_at IS NULL;
CREATE TABLE events (
    sid INTEGER NOT NULL, seq INTEGER NOT NULL, frame BLOB NOT NULL, text TEXT,
    model_first INTEGER, model_last INTEGER, chunk INTEGER, append INTEGER, PRIMARY KEY (sid, seq)) WITHOUT ROWID;
CREATE TABLE heads (sid INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE commands (id INTEGER PRIMARY KEY, sid INTEGER NOT NULL, body BLOB NOT NULL)
"""
"""`sid` is a stream's number in this file. `heads` has the text of events that were trimmed."""


def open_database(path: Path) -> sqlite3.Connection:
    """Return a connection in autocommit mode, for any one thread; raises ConfigError for a file that is no log."""
    try:
        database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            _prepare(database, path)
        except BaseException:
            database.close()
            raise
    except sqlite3.Error as error:
        raise ConfigError(
            f"cannot use the log {path}: {error}. If the file is damaged, or is no log, move it away or choose another."
        ) from error
    return database


@contextmanager
def transaction(database: sqlite3.Connection, *, writes: bool = True) -> Iterator[None]:
    """Keep all that is written inside, or nothing; what is read inside is of one moment."""
    database.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    _check(database, path)
    if _empty(database):
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
    _write_ahead(database)
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("PRAGMA journal_size_limit = 16777216")
    with transaction(database):
        if _empty(database):
            for statement in _SCHEMA.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute("SELECT * FROM streams, events, heads, commands LIMIT 1").fetchone()


def _check(database: sqlite3.Connection, path: Path) -> None:
    if _empty(database):
        return
    if _pragma(database, "application_id") != APPLICATION_ID:
        raise ConfigError(f"the file {path} is a database, but not a log of this server. Choose another file.")
    if (found := _pragma(database, "user_version")) != VERSION:
        raise ConfigError(
            f"the log {path} was made by another version of this server (its format is {found}, this one's {VERSION}). "
            "Move it away or choose another file."
        )


def _write_ahead(database: sqlite3.Connection) -> None:
    """Switch to the write-ahead log; while another process does the same SQLite does not wait, so this does."""
    last = time.monotonic() + BUSY_S
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError:
            if time.monotonic() >= last:
                raise
            time.sleep(0.01)
        else:
            return


def _empty(database: sqlite3.Connection) -> bool:
    return bool(database.execute("SELECT count(*) = 0 FROM sqlite_master").fetchone()[0])


def _pragma(database: sqlite3.Connection, name: str) -> int:
    value: int = database.execute(f"PRAGMA {name}").fetchone()[0]
    return value
