"""The event log of many processes and nodes, in one Redis: Redis Streams hold the events, pub/sub tells of new ones.

An append is one script (scripts/): numbering, lease check, keeping and telling happen at once. One connection of a
process hears of all streams that are read here (ear.py); what it tells is what all local readers share.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Any

import msgspec

from sse_server.log.base import (
    Batch,
    Command,
    LogSize,
    LogUnavailableError,
    Origin,
    StreamInfo,
    StreamMeta,
)
from sse_server.log.ear import Ear
from sse_server.log.holding import Holding
from sse_server.log.machine import MACHINE
from sse_server.log.redis_calls import RedisCalls, ms
from sse_server.log.redis_link import CALL_S, PREFIX, connect, reaching
from sse_server.log.redis_reader import RedisReader
from sse_server.log.redis_writer import RedisWriter
from sse_widget.protocol.sse import Event, encode
from sse_widget.protocol.trace import Trace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

RETRY_S = 0.25

REMEMBERED_S = 24 * 3600.0
"""How long the id and the key of an expired stream are remembered."""

_commands: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)


class RedisLog:
    """See EventLog. `max_bytes` and `expire_s` hold for all nodes together; times are those of Redis.

    `clock` gives seconds of any steady clock; it is that of stamps. `secret` is that of `shared_secret`: a Redis that
    came back empty gets it again. A test that brings `now` has Redis believe it.
    """

    def __init__(  # noqa: PLR0913 - settings, each by its name
        self,
        url: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        lease_s: float = 5.0,
        max_bytes: int = 256 << 20,
        expire_s: float = 3600.0,
        secret: bytes = b"",
        now: Callable[[], float] | None = None,
    ) -> None:
        self.lease_s = lease_s
        self._node = secrets.token_hex(8)
        self._max_bytes = max_bytes
        self._expire_s = expire_s
        self._secret = secret
        self._redis, self._hearing = connect(url, answer_s=CALL_S), connect(url, answer_s=None)
        self._nudges: dict[str, asyncio.Event] = {}
        self._ear = Ear(self._hearing.pubsub, reaching, f"{PREFIX}h:{self._node}", self)
        self._calls = RedisCalls(self._redis, now)
        self._reader = RedisReader(self._calls, self._ear, clock, self._forget)
        self._writer = RedisWriter(self._calls, self._reader, self._node, clock, self.delete)

    async def create(self, meta: StreamMeta, key: str) -> tuple[str, bool]:
        """See EventLog.create."""
        self._ear.listen()
        digest = hashlib.sha256(f"{len(meta.owner)}:{meta.owner}{key}".encode()).hexdigest() if key else ""
        facts = (self._node, MACHINE, meta.owner, meta.model, meta.conversation_id)
        new = secrets.token_hex(16)
        known, created = await self._calls.call("CREATE", new, digest, self._calls.time(), ms(self.lease_s), *facts)
        if created:
            self._writer.held[new] = Holding(new)
        return known.decode(), bool(created)

    async def append(self, stream_id: str, events: Sequence[Event], origins: Sequence[Origin | None] = ()) -> int:
        """See EventLog.append."""
        return await self._writer.append(stream_id, events, origins)

    async def read(self, stream_id: str, after: int, wait_s: float) -> Batch:
        """See EventLog.read."""
        return await self._reader.read(stream_id, after, wait_s)

    async def traces(self, stream_id: str, first: int, last: int) -> Sequence[Trace | None]:
        """See EventLog.traces."""
        reply = await self._calls.ask("TRACES", stream_id, first, last, MACHINE)
        return [Trace(*map(int, stamps.split())) if stamps else None for stamps in reply[1:]]

    async def info(self, stream_id: str) -> StreamInfo:
        """See EventLog.info."""
        held = self._writer.held.get(stream_id)
        asks = held is None or held.texts is None
        reply = await self._calls.ask("INFO", stream_id, self._calls.time(), int(asks))
        owner, model, talk, text = (part.decode() for part in (*reply[1:4], reply[9]))
        first, last, ended, text_seq, unread_ms = reply[4:9]
        if held is not None and not asks:
            text, text_seq = (held.whole_text or "", held.text_seq) if reply[10] else ("", 0)
        return StreamInfo(
            stream_id=stream_id,
            meta=StreamMeta(owner, model, talk),
            first=first,
            last=last,
            ended=bool(ended),
            text=text,
            text_seq=text_seq,
            unread_s=self._reader.unread_s(stream_id, unread_ms / 1000),
            text_whole=bool(reply[10]),
        )

    async def unread_s(self, stream_id: str) -> float:
        """See EventLog.unread_s."""
        reply = await self._calls.ask("INFO", stream_id, self._calls.time(), 0)
        return self._reader.unread_s(stream_id, reply[8] / 1000)

    async def command(self, stream_id: str, command: Command) -> None:
        """See EventLog.command."""
        await self._calls.ask("COMMAND", stream_id, msgspec.json.encode(command))

    async def commands(self, stream_id: str) -> AsyncIterator[Command]:
        """See EventLog.commands."""
        nudge = self._nudges.setdefault(stream_id, asyncio.Event())
        seen = "-"
        try:
            while True:
                nudge.clear()
                try:
                    with reaching():
                        entries: Any = await self._redis.xrange(f"{PREFIX}c:{stream_id}", min=seen)
                except LogUnavailableError:
                    await asyncio.sleep(RETRY_S)  # nobody nudges again for what is there
                    continue
                for entry, fields in entries:
                    seen = f"({entry.decode()}"
                    yield _commands.decode(fields[b"c"])
                await nudge.wait()
        finally:
            self._nudges.pop(stream_id, None)

    async def delete(self, stream_id: str) -> None:
        """See EventLog.delete."""
        await self._calls.call("DELETE", stream_id)
        self._forget(stream_id)

    async def expire(self) -> Sequence[str]:
        """See EventLog.expire."""
        limits = (ms(self._expire_s), self._max_bytes, ms(REMEMBERED_S))
        gone = [stream_id.decode() for stream_id in await self._calls.call("EXPIRE", self._calls.time(), *limits)]
        for stream_id in gone:
            self._forget(stream_id)
        return gone

    async def renew(self, stream_ids: Sequence[str]) -> Sequence[str]:
        """See EventLog.renew. The streams that are read here are said to be, at the same pace."""
        if read := self._reader.read_within(self.lease_s):
            await self._calls.call("SEEN", self._calls.time(), *read)
        if not stream_ids:
            return ()
        lost = await self._calls.call("RENEW", self._calls.time(), ms(self.lease_s), self._node, *stream_ids)
        return [stream_id.decode() for stream_id in lost]

    async def reap(self, ending: Event) -> Sequence[str]:
        """See EventLog.reap. After an outage the others get as long as a lease to say that they are alive."""
        self._ear.listen()
        reaped = await self._calls.call("REAP", self._calls.time(), encode(ending)[:-1], ms(self.lease_s))
        return [stream_id.decode() for stream_id in reaped]

    async def size(self) -> LogSize:
        """See SizedLog.size."""
        return LogSize(*await self._calls.call("SIZE"))

    async def close(self) -> None:
        """See EventLog.close."""
        self._calls.closed = True
        await self._ear.close()
        self._reader.close()
        await self._redis.aclose()
        await self._hearing.aclose()
        await self._redis.connection_pool.aclose()
        await self._hearing.connection_pool.aclose()

    def told(self, channel: str, data: bytes) -> None:
        """Take what another process, or this one, has appended; or that it sent a command to a stream of ours."""
        kind, _, name = channel.removeprefix(PREFIX).partition(":")
        if kind == "h":
            if (nudge := self._nudges.get(data.decode())) is not None:
                nudge.set()
        else:
            self._reader.told(name, data)

    def found(self) -> None:
        """Look for commands that came meanwhile."""
        for nudge in self._nudges.values():
            nudge.set()

    def cut(self) -> None:
        """Doubt what is known of streams that others append to."""
        self._reader.doubt()

    async def tend(self) -> None:
        """Listen no more to streams that nobody has read for a while; see that nodes to come find the secret."""
        if self._secret:
            with reaching():
                await self._redis.set(f"{PREFIX}secret", self._secret, nx=True)
        await self._reader.rest()

    def _forget(self, stream_id: str) -> None:
        self._writer.held.pop(stream_id, None)
        self._reader.lose(stream_id)
