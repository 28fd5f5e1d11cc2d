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
    ExpiredStreamError,
    LogSize,
    LogUnavailableError,
    LostLeaseError,
    Origin,
    StreamInfo,
    StreamMeta,
    TrimmedStreamError,
    UnknownStreamError,
)
from sse_server.log.bounds import BATCH_BYTES, MAX_TEXT_BYTES, TERMINAL
from sse_server.log.ear import Ear
from sse_server.log.holding import Caller, Holding, Row, rows_of
from sse_server.log.machine import MACHINE
from sse_server.log.redis_link import CALL_S, PREFIX, connect, reaching
from sse_server.log.scripts import SCRIPTS
from sse_server.log.tail import Tail
from sse_widget.protocol.sse import Event, encode
from sse_widget.protocol.trace import Trace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

RETRY_S = 0.25
_UNHEARD = -1
"""The epoch of who asks without a subscription."""

REMEMBERED_S = 24 * 3600.0
"""How long the id and the key of an expired stream are remembered."""

LINGER_S = 10.0
"""How long the newest events of a stream are kept for its next reader."""

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
        self._clock = clock
        self._max_bytes = max_bytes
        self._expire_s = expire_s
        self._now = now
        self._secret = secret
        self._redis, self._hearing = connect(url, answer_s=CALL_S), connect(url, answer_s=None)
        self._tails: dict[str, Tail] = {}
        self._held: dict[str, Holding] = {}
        self._nudges: dict[str, asyncio.Event] = {}
        self._asking: dict[tuple[str, int, int], asyncio.Task[list[Any]]] = {}
        self._closed = False
        self._ear = Ear(self._hearing.pubsub, reaching, f"{PREFIX}h:{self._node}", self)
        self._scripts = {name: self._redis.register_script(text) for name, text in SCRIPTS.items()}

    async def create(self, meta: StreamMeta, key: str) -> tuple[str, bool]:
        """See EventLog.create."""
        self._ear.listen()
        digest = hashlib.sha256(f"{len(meta.owner)}:{meta.owner}{key}".encode()).hexdigest() if key else ""
        facts = (self._node, MACHINE, meta.owner, meta.model, meta.conversation_id)
        new = secrets.token_hex(16)
        known, created = await self._call("CREATE", new, digest, self._time(), _ms(self.lease_s), *facts)
        if created:
            self._held[new] = Holding(new)
        return known.decode(), bool(created)

    async def append(self, stream_id: str, events: Sequence[Event], origins: Sequence[Origin | None] = ()) -> int:
        """See EventLog.append."""
        rows = rows_of(events, origins, int(self._clock() * 1e9))
        held = self._held.get(stream_id)
        if held is None:
            # Whatever the reason, one that is not held cannot be appended to; Redis knows which it is.
            self._checked(stream_id, await self._call("APPEND", stream_id, self._node, -1, "", 0, "", "", 0))
            raise LostLeaseError(stream_id)
        caller = Caller()
        putting = asyncio.create_task(self._put(held, rows, caller))
        try:
            return await asyncio.shield(putting)
        except asyncio.CancelledError:
            caller.left = True
            putting.add_done_callback(_retrieved)
            if putting.done() and not putting.cancelled() and isinstance(putting.exception(), LogUnavailableError):
                held.owed += rows
            raise

    async def _put(self, held: Holding, rows: list[Row], caller: Caller) -> int:
        """Send what is owed and these, behind what is being sent. What its caller cannot send again is owed."""
        async with held.lock:
            try:
                return await self._send(held, held.owed + rows)
            except LogUnavailableError:
                if caller.left:
                    held.owed += rows
                raise

    async def _send(self, held: Holding, rows: list[Row]) -> int:
        ends = bool(rows) and rows[-1].event.event in TERMINAL
        while True:
            frames = held.frames(rows)
            pairs = [part for frame, row in zip(frames, rows, strict=True) for part in (frame, row.stamps)]
            head = (self._node, held.last, self._time(), int(ends), *held.text(rows), MAX_TEXT_BYTES)
            verdict = await self._call("APPEND", held.stream_id, *head, *pairs)
            if verdict[0] == b"ok":
                self._landed(held, rows, frames, ends=ends)
                break
            if verdict[0] != b"moved":
                self._held.pop(held.stream_id, None)
                self._checked(held.stream_id, verdict)
            # An earlier call has landed, though its answer never came.
            rows = await self._still_to_send(held, rows, frames, verdict[1])
            if not rows:
                break
        held.owed = []
        if ends:
            self._held.pop(held.stream_id, None)
        return held.last

    async def _still_to_send(self, held: Holding, rows: list[Row], frames: list[bytes], last: int) -> list[Row]:
        """Return the rows that have not landed, where Redis has events up to `last`."""
        if last < held.last:
            # Redis came back without the newest events. Readers have seen them, so others cannot take their numbers.
            await self.delete(held.stream_id)
            raise UnknownStreamError(held.stream_id)
        count = last - held.last
        there = self._checked(held.stream_id, await self._call("READ", held.stream_id, held.last, 1 << 40))[3:]
        if there[:count] == frames[:count]:
            ends = count == len(rows) and rows[-1].event.event in TERMINAL
            self._landed(held, rows[:count], frames[:count], ends=ends)
            return rows[count:]
        held.last, held.texts = last, None
        return rows

    def _landed(self, held: Holding, rows: list[Row], frames: list[bytes], *, ends: bool) -> None:
        """Take note of what is in Redis, and let local readers have it without a way around."""
        first = held.last + 1
        held.landed(rows)
        if held.stream_id in self._tails:
            self._tails[held.stream_id].take(first, frames, ended=ends)

    async def read(self, stream_id: str, after: int, wait_s: float) -> Batch:
        """See EventLog.read."""
        tail = self._tails.get(stream_id)
        if wait_s <= 0 and (tail is None or not tail.fresh):
            return _batch(after, self._checked(stream_id, await self._ask(stream_id, after, _UNHEARD)))
        if tail is None:
            tail = self._tails[stream_id] = Tail(stream_id, self._clock())
        tail.readers += 1
        try:
            return await self._follow(tail, after, wait_s)
        except (UnknownStreamError, ExpiredStreamError):
            self._forget(stream_id)
            raise
        finally:
            tail.readers -= 1
            tail.read_at = self._clock()

    async def _follow(self, tail: Tail, after: int, wait_s: float) -> Batch:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        while True:
            if tail.gone:
                raise TrimmedStreamError(tail.stream_id)
            if (batch := tail.batch(after, BATCH_BYTES)) is not None:
                return batch
            if not tail.fresh or after < tail.known:
                batch = await self._catch_up(tail, after)
                if batch.frames or batch.ended:
                    return batch
            elif loop.time() >= until_s:
                return Batch((), after + 1, after, ended=False)
            else:
                await tail.waiters.wait(until_s - loop.time())

    async def _catch_up(self, tail: Tail, after: int) -> Batch:
        """Ask Redis for what follows; once that was done behind a subscription, the tail is fresh."""
        await self._ear.add(f"{PREFIX}n:{tail.stream_id}")
        epoch = tail.epoch
        reply = self._checked(tail.stream_id, await self._ask(tail.stream_id, after, epoch))
        if epoch == tail.epoch:
            tail.take(after + 1, reply[3:], known=reply[1], ended=bool(reply[2]))
            tail.fresh = True
        return _batch(after, reply)

    async def _ask(self, stream_id: str, after: int, epoch: int) -> list[Any]:
        """Return what follows, asked once for all who want the same at the same time.

        What was asked before a subscription is no answer behind it: an event may have come in between.
        """
        question = (stream_id, after, epoch)
        asking = self._asking.get(question)
        if asking is None:
            asking = asyncio.create_task(self._call("READ", stream_id, after, BATCH_BYTES))
            self._asking[question] = asking
            asking.add_done_callback(lambda _: self._asking.pop(question))
            asking.add_done_callback(_retrieved)
        return await asyncio.shield(asking)

    async def traces(self, stream_id: str, first: int, last: int) -> Sequence[Trace | None]:
        """See EventLog.traces."""
        reply = self._checked(stream_id, await self._call("TRACES", stream_id, first, last, MACHINE))
        return [Trace(*map(int, stamps.split())) if stamps else None for stamps in reply[1:]]

    async def info(self, stream_id: str) -> StreamInfo:
        """See EventLog.info."""
        held = self._held.get(stream_id)
        asks = held is None or held.texts is None
        reply = self._checked(stream_id, await self._call("INFO", stream_id, self._time(), int(asks)))
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
            unread_s=self._unread_s(stream_id, unread_ms / 1000),
            text_whole=bool(reply[10]),
        )

    def _unread_s(self, stream_id: str, elsewhere_s: float) -> float:
        tail = self._tails.get(stream_id)
        if tail is None:
            return max(0.0, elsewhere_s)
        return 0.0 if tail.readers else max(0.0, min(elsewhere_s, self._clock() - tail.read_at))

    async def command(self, stream_id: str, command: Command) -> None:
        """See EventLog.command."""
        self._checked(stream_id, await self._call("COMMAND", stream_id, msgspec.json.encode(command)))

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
        await self._call("DELETE", stream_id)
        self._forget(stream_id)

    async def expire(self) -> Sequence[str]:
        """See EventLog.expire."""
        limits = (_ms(self._expire_s), self._max_bytes, _ms(REMEMBERED_S))
        gone = [stream_id.decode() for stream_id in await self._call("EXPIRE", self._time(), *limits)]
        for stream_id in gone:
            self._forget(stream_id)
        return gone

    async def renew(self, stream_ids: Sequence[str]) -> Sequence[str]:
        """See EventLog.renew. The streams that are read here are said to be, at the same pace."""
        now = self._clock()
        read = [tail.stream_id for tail in self._tails.values() if tail.readers or now - tail.read_at < self.lease_s]
        if read:
            await self._call("SEEN", self._time(), *read)
        if not stream_ids:
            return ()
        lost = await self._call("RENEW", self._time(), _ms(self.lease_s), self._node, *stream_ids)
        return [stream_id.decode() for stream_id in lost]

    async def reap(self, ending: Event) -> Sequence[str]:
        """See EventLog.reap. After an outage the others get as long as a lease to say that they are alive."""
        self._ear.listen()
        reaped = await self._call("REAP", self._time(), encode(ending)[:-1], _ms(self.lease_s))
        return [stream_id.decode() for stream_id in reaped]

    async def size(self) -> LogSize:
        """See SizedLog.size."""
        return LogSize(*await self._call("SIZE"))

    async def close(self) -> None:
        """See EventLog.close."""
        self._closed = True
        await self._ear.close()
        for asking in list(self._asking.values()):
            asking.cancel()
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
        elif (tail := self._tails.get(name)) is not None:
            if data:
                _take(tail, data)
            else:
                self._forget(name)

    def found(self) -> None:
        """Look for commands that came meanwhile."""
        for nudge in self._nudges.values():
            nudge.set()

    def cut(self) -> None:
        """Doubt what is known of streams that others append to."""
        for tail in self._tails.values():
            tail.doubt()

    async def tend(self) -> None:
        """Listen no more to streams that nobody has read for a while; see that nodes to come find the secret."""
        if self._secret:
            with reaching():
                await self._redis.set(f"{PREFIX}secret", self._secret, nx=True)
        now = self._clock()
        for tail in list(self._tails.values()):
            if not tail.readers and now - tail.read_at > LINGER_S:
                del self._tails[tail.stream_id]
                await self._ear.drop(f"{PREFIX}n:{tail.stream_id}")

    def _forget(self, stream_id: str) -> None:
        self._held.pop(stream_id, None)
        if (tail := self._tails.pop(stream_id, None)) is not None:
            tail.lose()

    def _time(self) -> str | int:
        return "" if self._now is None else _ms(self._now())

    async def _call(self, script: str, *args: Any) -> Any:
        if self._closed:
            raise LogUnavailableError("the log is closed")
        with reaching():
            return await self._scripts[script](keys=[PREFIX], args=args)

    @staticmethod
    def _checked(stream_id: str, reply: list[Any]) -> list[Any]:
        """Return a reply that is no refusal."""
        match reply[0]:
            case b"unknown":
                raise UnknownStreamError(stream_id)
            case b"expired":
                raise ExpiredStreamError(stream_id, reply[1].decode())
            case b"trimmed":
                raise TrimmedStreamError(stream_id)
            case b"ended":
                raise ValueError("the stream has ended; nothing can follow its terminal event")
            case b"lost":
                raise LostLeaseError(stream_id)
            case _:
                return reply


def _ms(seconds: float) -> int:
    return round(1000 * seconds)


def _batch(after: int, reply: list[Any]) -> Batch:
    frames = tuple(reply[3:])
    last = after + len(frames)
    return Batch(frames, after + 1, last, ended=bool(reply[2]) and last >= reply[1])


def _take(tail: Tail, data: bytes) -> None:
    """Take a message: `FIRST ENDED LENGTH ...`, a line break, the frames."""
    head, _, body = data.partition(b"\n")
    first, ended, *lengths = map(int, head.split())
    frames, at = [], 0
    for length in lengths:
        frames.append(body[at : at + length])
        at += length
    tail.take(first, frames, ended=bool(ended))
    tail.fresh = True


def _retrieved(task: asyncio.Task[Any]) -> None:
    """Whoever waited may have left; its error is no news then."""
    if not task.cancelled():
        task.exception()
