"""The event log in one SQLite file, shared by the processes of one machine."""

from __future__ import annotations

import asyncio
import secrets
import time
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from sse_server.log.database import open_database
from sse_server.log.expiry import expire
from sse_server.log.live import Live
from sse_server.log.local_file import prepare
from sse_server.log.machine import MACHINE
from sse_server.log.scribe import Scribe
from sse_server.log.tables import Tables
from sse_server.log.vigil import Vigil
from sse_widget.protocol.trace import Trace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from sse_server.log.base import Batch, Command, LogSize, Origin, StreamInfo, StreamMeta
    from sse_server.log.tables import Appended
    from sse_widget.protocol.sse import Event

LEASE_S = 5.0


class SqliteLog:
    """See EventLog. The file at `path` is shared by the processes of one machine.

    `clock` gives seconds that all of them agree on and that go on over restarts; `clock_ns` stamps events as their
    producers do.

    Readers see an event when it is committed, and a commit (`journal_mode=WAL`, `synchronous=NORMAL`) is with the
    operating system: it outlives the process, however that ends. It is on the disk only after a while, so that a
    streamed delta costs no fsync: a loss of power may take the last seconds of events, never the file's consistency.

    Raises ConfigError for a file that is not one of this log's, and for one on a network file system.
    """

    def __init__(  # noqa: PLR0913 - settings, each by its name
        self,
        path: Path,
        clock: Callable[[], float] = time.time,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        *,
        max_bytes: int = 64 << 20,
        expire_s: float = 3600,
        lease_s: float = LEASE_S,
    ) -> None:
        self.lease_s = lease_s
        self._clock = clock
        self._clock_ns = clock_ns
        self._max_bytes = max_bytes
        self._expire_s = expire_s
        self._database = open_database(prepare(path))
        node = secrets.token_hex(8)
        self._tables = Tables(self._database, node, MACHINE)
        self._scribe = Scribe(self._database, self._on_change)
        self._live: dict[str, Live] = {}
        self._read_at: dict[str, float] = {}
        self._vigil = Vigil(lease_s)

    async def create(self, meta: StreamMeta, key: str) -> tuple[str, bool]:
        """See EventLog.create."""
        now = self._clock()
        work = partial(self._tables.create, meta, key, now, now + self.lease_s)
        return await self._scribe.do(work, writes=True, then=self._created)

    def _created(self, created: tuple[str, bool]) -> None:
        stream_id, is_new = created
        if is_new:
            self._live[stream_id] = Live(held=True)
            self._scribe.watch(watching=True)

    async def append(self, stream_id: str, events: Sequence[Event], origins: Sequence[Origin | None] = ()) -> int:
        """See EventLog.append."""
        now, now_ns = self._clock(), self._clock_ns()
        traces = [_trace(origin, now_ns) for origin in origins]
        traces += [None] * (len(events) - len(traces))
        work = partial(self._tables.append, stream_id, list(events), traces, now)
        appended: Appended = await self._scribe.do(work, writes=True, then=partial(self._appended, stream_id))
        return appended.last

    def _appended(self, stream_id: str, appended: Appended) -> None:
        live = self._live.get(stream_id)
        if live is not None:
            live.extend(appended.frames, appended.traces, appended.last, ended=appended.ended)
            self._forget_unused(stream_id, live)

    async def read(self, stream_id: str, after: int, wait_s: float) -> Batch:
        """See EventLog.read."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        live = self._live.get(stream_id) or self._live.setdefault(stream_id, Live(held=False))
        self._scribe.watch(watching=True)
        live.readers += 1
        known = live.held
        try:
            while True:
                version = live.version
                batch = live.after(after) or await self._fetch(live, stream_id, after)
                known = True
                rest_s = deadline - loop.time()
                if batch.frames or batch.ended or rest_s <= 0:
                    return batch
                if live.version == version:
                    await live.waiters.wait(rest_s)
        finally:
            live.readers -= 1
            if known:
                self._read_at[stream_id] = self._clock()
            self._forget_unused(stream_id, live)

    async def _fetch(self, live: Live, stream_id: str, after: int) -> Batch:
        """Read from the file; readers at the same place share what comes."""
        fetch = live.fetches.get(after)
        if fetch is None or fetch.done():
            fetch = live.fetches[after] = self._scribe.do(partial(self._tables.read, stream_id, after))
            fetch.add_done_callback(partial(live.fetched, after))
        batch = await asyncio.shield(fetch)
        if not live.held and batch.last > live.last:
            live.last = batch.last
            live.wake()  # the poller finds no news any more in what was found here
        return batch

    def _forget_unused(self, stream_id: str, live: Live) -> None:
        if not live.readers and (live.ended or not live.held) and self._live.get(stream_id) is live:
            del self._live[stream_id]
            self._scribe.watch(watching=bool(self._live))

    async def traces(self, stream_id: str, first: int, last: int) -> Sequence[Trace | None]:
        """See EventLog.traces."""
        live = self._live.get(stream_id)
        known = live.traces(first, last) if live is not None else None
        return await self._scribe.do(partial(self._tables.traces, stream_id, first, last)) if known is None else known

    async def info(self, stream_id: str) -> StreamInfo:
        """See EventLog.info."""
        live = self._live.get(stream_id)
        known = live.known_text if live is not None else (0, "")
        info, read_at = await self._scribe.do(partial(self._tables.info, stream_id, known))
        if live is not None:
            live.known_text = (info.text_seq, info.text)
        read_at = max(read_at, self._read_at.get(stream_id, read_at))
        unread_s = 0.0 if live is not None and live.readers else max(0.0, self._clock() - read_at)
        return msgspec.structs.replace(info, unread_s=unread_s)

    async def unread_s(self, stream_id: str) -> float:
        """See EventLog.unread_s; of the text, `info` reads only what is new."""
        return (await self.info(stream_id)).unread_s

    async def command(self, stream_id: str, command: Command) -> None:
        """See EventLog.command."""
        live = self._live.get(stream_id)
        if live is not None and live.held:
            live.commands.put_nowait(command)
        else:
            await self._scribe.do(partial(self._tables.command, stream_id, command), writes=True)

    async def commands(self, stream_id: str) -> AsyncIterator[Command]:
        """See EventLog.commands."""
        live = self._live.get(stream_id)
        if live is None:
            await self._scribe.do(partial(self._tables.find, stream_id))
            live = Live(held=False)
        while True:
            yield await live.commands.get()

    async def delete(self, stream_id: str) -> None:
        """See EventLog.delete."""
        await self._scribe.do(
            partial(self._tables.delete, stream_id), writes=True, then=lambda _: self._let_go([stream_id])
        )

    async def expire(self) -> Sequence[str]:
        """See EventLog.expire."""
        work = partial(expire, self._database, self._clock(), self._expire_s, self._max_bytes)
        return await self._scribe.do(work, writes=True, then=self._let_go)

    async def renew(self, stream_ids: Sequence[str]) -> Sequence[str]:
        """See EventLog.renew. It also tells other processes which streams are read here."""
        now = self._clock()
        self._read_at.update({stream_id: now for stream_id, live in self._live.items() if live.readers})
        read_at, self._read_at = self._read_at, {}
        if not stream_ids and not read_at:
            return ()
        work = partial(self._tables.renew, list(stream_ids), now + self.lease_s, read_at)
        return await self._scribe.do(work, writes=True, then=self._let_go)

    async def reap(self, ending: Event) -> Sequence[str]:
        """See EventLog.reap. After a gap in time the others get as long as a lease to say that they are alive."""
        now = self._clock()
        if not self._vigil.kept(now):
            return ()
        work = partial(self._tables.reap, ending, now, now + 2 * self.lease_s)
        return await self._scribe.do(work, writes=True, then=self._let_go)

    async def size(self) -> LogSize:
        """See SizedLog.size."""
        return await self._scribe.do(self._tables.size)

    async def close(self) -> None:
        """See EventLog.close."""
        await self._scribe.close()
        for live in self._live.values():
            live.wake()

    def _let_go(self, stream_ids: Sequence[str]) -> None:
        """Have the readers of streams that were taken from here look into the file."""
        for stream_id in stream_ids:
            live = self._live.get(stream_id)
            if live is not None:
                live.held = False
                live.wake()
                self._forget_unused(stream_id, live)

    def _on_change(self) -> None:
        """Another process has written: see whether that concerns anyone here."""
        seen = [(stream_id, live.last) for stream_id, live in self._live.items() if live.readers and not live.held]
        self._scribe.do(partial(self._tables.news, seen), then=self._hear)

    def _hear(self, news: tuple[list[str], bool]) -> None:
        moved, commanded = news
        for stream_id in moved:
            if (live := self._live.get(stream_id)) is not None and not live.held:
                live.wake()
        if commanded:
            self._scribe.do(self._tables.take_commands, writes=True, then=self._obey)

    def _obey(self, commands: Sequence[tuple[str, Command]]) -> None:
        for stream_id, command in commands:
            if (live := self._live.get(stream_id)) is not None:
                live.commands.put_nowait(command)


def _trace(origin: Origin | None, append_ns: int) -> Trace | None:
    return None if origin is None else Trace(origin.model_first, origin.model_last, origin.chunk, append_ns)
