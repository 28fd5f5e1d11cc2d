"""The event log of one process, in memory, bounded by bytes and by age."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from itertools import zip_longest
from math import inf
from sys import getsizeof
from typing import TYPE_CHECKING

from sse_server.log.base import (
    Batch,
    Command,
    ExpiredStreamError,
    LogSize,
    News,
    Origin,
    StreamInfo,
    StreamMeta,
    TrimmedStreamError,
    UnknownStreamError,
)
from sse_server.log.bounds import BATCH_BYTES, MAX_TEXT_BYTES, REMEMBERED, TERMINAL, over_share, text_fits
from sse_server.log.patience import Patience
from sse_server.log.waiters import Waiters
from sse_widget.protocol.events import TEXT, event_id, text_of
from sse_widget.protocol.sse import encode_fields
from sse_widget.protocol.trace import Trace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from sse_widget.protocol.sse import Event

_TRACE_BYTES = 200
_FRAME_BYTES = getsizeof(b"")


class _Stream:
    """One stream: its frames, and the readers that wait for more of them."""

    __slots__ = (
        "commands",
        "deltas",
        "ended_at",
        "first",
        "frames",
        "key",
        "listeners",
        "meta",
        "read_at",
        "readers",
        "size",
        "stream_id",
        "text",
        "text_seq",
        "text_size",
        "traces",
        "waiters",
    )

    def __init__(self, stream_id: str, meta: StreamMeta, key: str, now: float) -> None:
        self.stream_id = stream_id
        self.meta = meta
        self.key = key
        self.first = 1
        self.frames: list[bytes] = []
        self.traces: list[Trace | None] = []
        self.size = 0
        self.text: str | None = ""
        self.deltas: list[str] = []
        self.text_size = 0
        self.text_seq = 0
        self.ended_at: float | None = None
        self.readers = 0
        self.read_at = now
        self.waiters = Waiters()
        self.listeners: set[News] = set()
        self.commands: asyncio.Queue[Command] = asyncio.Queue()

    @property
    def whole_size(self) -> int:
        """Bytes of memory of all that is kept."""
        return self.size + self.text_size

    @property
    def whole_text(self) -> str:
        """The text so far, empty where none is kept."""
        if self.text is None:
            return ""
        if self.deltas:
            # Few ask for it, so its JSON is read then, and not with each event.
            self.text += "".join(map(text_of, self.deltas))
            self.deltas.clear()
        return self.text

    @property
    def last(self) -> int:
        """The newest event's seq."""
        return self.first + len(self.frames) - 1

    def append(self, event: Event, trace: Trace | None) -> bytes:
        """Number, encode and keep one event; return its frame."""
        seq = self.first + len(self.frames)
        frame = encode_fields(event.event, event.data, event_id(self.stream_id, seq))
        self.frames.append(frame)
        self.traces.append(trace)
        self.size += _cost(frame, trace)
        if event.event == TEXT and self.text is not None:
            self.deltas.append(event.data)
            self.text_seq = seq
            self.text_size += getsizeof(event.data)
            if self.text_size > MAX_TEXT_BYTES:
                self.drop_text()
        return frame

    def drop_text(self) -> None:
        """Keep no text so far from now on: a part of it would be a wrong one."""
        self.text = None
        self.deltas.clear()
        self.text_size = 0
        self.text_seq = 0

    def trim(self, target: int) -> None:
        """Let the oldest events go until the stream has this size."""
        text = self.whole_text
        if text:
            self.text_size = getsizeof(text)  # less than what its deltas took
        if not text_fits(self.text_size, target):
            self.drop_text()
        gone = 0
        while gone < len(self.frames) and self.whole_size > target:
            self.size -= _cost(self.frames[gone], self.traces[gone])
            gone += 1
        del self.frames[:gone], self.traces[:gone]
        self.first += gone

    def after(self, seq: int) -> tuple[bytes, ...]:
        """Return the frames of one batch."""
        start = seq + 1 - self.first
        if start == len(self.frames) - 1:
            return (self.frames[start],)
        frames = []
        size = 0
        for at in range(start, len(self.frames)):
            frames.append(self.frames[at])
            size += len(frames[-1])
            if size >= BATCH_BYTES:
                break
        return tuple(frames)


def _cost(frame: bytes, trace: Trace | None) -> int:
    return len(frame) + (_FRAME_BYTES if trace is None else _FRAME_BYTES + _TRACE_BYTES)


class MemoryLog:
    """See EventLog. A process's own memory has no other producers, so leases never run out.

    `max_bytes` bounds the memory of all streams; finished ones go first, the oldest of them first.

    `expire_s` is how long a finished stream is kept. `clock` gives seconds of any steady clock.
    """

    lease_s = inf

    def __init__(self, clock: Callable[[], float], *, max_bytes: int = 64 << 20, expire_s: float = 3600) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._expire_s = expire_s
        self._streams: dict[str, _Stream] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._waits: dict[float, Patience] = {}
        self._gone: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._finished: dict[str, float] = {}
        self._dropped: list[str] = []
        self._size = 0

    async def create(self, meta: StreamMeta, key: str) -> tuple[str, bool]:
        """See EventLog.create."""
        known = self._keys.get((meta.owner, key)) if key else None
        if known is not None:
            return known, False
        stream_id = secrets.token_hex(16)
        self._streams[stream_id] = _Stream(stream_id, meta, key, self._clock())
        if key:
            self._keys[meta.owner, key] = stream_id
        return stream_id, True

    async def append(self, stream_id: str, events: Sequence[Event], origins: Sequence[Origin | None] = ()) -> int:
        """See EventLog.append."""
        return self.append_now(stream_id, events, origins)

    def append_now(self, stream_id: str, events: Sequence[Event], origins: Sequence[Origin | None] = ()) -> int:
        """See PromptLog.append_now."""
        stream = self._get(stream_id)
        first = stream.first + len(stream.frames)
        frames = []
        append_ns = int(self._clock() * 1e9)
        size = stream.size + stream.text_size
        for event, origin in zip_longest(events, origins):
            if stream.ended_at is not None:
                raise ValueError("the stream has ended; nothing can follow its terminal event")
            trace = None if origin is None else Trace(origin.model_first, origin.model_last, origin.chunk, append_ns)
            frames.append(stream.append(event, trace))
            if event.event in TERMINAL:
                stream.ended_at = self._finished[stream_id] = self._clock()
        last = first + len(frames) - 1
        self._size += stream.size + stream.text_size - size
        stream.waiters.wake()
        if stream.listeners:
            data = b"".join(frames)
            for news in stream.listeners:
                news(data, first, last, stream.ended_at is not None)
        if self._size > self._max_bytes:
            self._make_room()
        return last

    async def read(self, stream_id: str, after: int, wait_s: float) -> Batch:
        """See EventLog.read."""
        stream = self._get(stream_id)
        stream.readers += 1
        try:
            if stream.last <= after and stream.ended_at is None and wait_s > 0:
                await stream.waiters.wait_with(self._patience(wait_s))
        finally:
            self._left(stream)
        if self._streams.get(stream_id) is not stream:
            raise TrimmedStreamError(stream_id)
        return self.read_now(stream_id, after)

    def read_now(self, stream_id: str, after: int) -> Batch:
        """See PromptLog.read_now."""
        stream = self._get(stream_id)
        if after + 1 < stream.first:
            raise TrimmedStreamError(stream_id)
        frames = stream.after(after)
        last = after + len(frames)
        return Batch(frames, after + 1, last, stream.ended_at is not None and last >= stream.last)

    def listen(self, stream_id: str, news: News) -> None:
        """See PromptLog.listen."""
        stream = self._get(stream_id)
        stream.readers += 1
        stream.listeners.add(news)

    def leave(self, stream_id: str, news: News) -> None:
        """See PromptLog.leave."""
        stream = self._streams.get(stream_id)
        if stream is not None and news in stream.listeners:
            stream.listeners.remove(news)
            self._left(stream)

    def _left(self, stream: _Stream) -> None:
        stream.readers -= 1
        stream.read_at = self._clock()

    def _patience(self, wait_s: float) -> Patience:
        patience = self._waits.get(wait_s)
        if patience is None:
            # Readers choose their heartbeat, so lengths that nobody waits for any more must not stay.
            self._waits = {length: waits for length, waits in self._waits.items() if not waits.idle}
            patience = self._waits[wait_s] = Patience(wait_s)
        return patience

    async def traces(self, stream_id: str, first: int, last: int) -> Sequence[Trace | None]:
        """See EventLog.traces."""
        stream = self._get(stream_id)
        missing = min(max(0, stream.first - first), last - first + 1)
        return [None] * missing + stream.traces[max(0, first - stream.first) : max(0, last + 1 - stream.first)]

    async def info(self, stream_id: str) -> StreamInfo:
        """See EventLog.info."""
        stream = self._get(stream_id)
        return StreamInfo(
            stream_id=stream_id,
            meta=stream.meta,
            first=stream.first,
            last=stream.last,
            ended=stream.ended_at is not None,
            text=stream.whole_text,
            text_seq=stream.text_seq,
            unread_s=self._unread_s(stream),
            text_whole=stream.text is not None,
        )

    async def unread_s(self, stream_id: str) -> float:
        """See EventLog.unread_s."""
        return self._unread_s(self._get(stream_id))

    def _unread_s(self, stream: _Stream) -> float:
        return 0.0 if stream.readers else self._clock() - stream.read_at

    async def command(self, stream_id: str, command: Command) -> None:
        """See EventLog.command."""
        self._get(stream_id).commands.put_nowait(command)

    async def commands(self, stream_id: str) -> AsyncIterator[Command]:
        """See EventLog.commands."""
        queue = self._get(stream_id).commands
        while True:
            yield await queue.get()

    async def delete(self, stream_id: str) -> None:
        """See EventLog.delete."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._keys.pop((stream.meta.owner, stream.key), None)
            self._forget(stream)

    def _drop(self, stream: _Stream) -> None:
        """Let go of the events. The id and the key are remembered: the key of an expired answer starts no new run."""
        self._dropped.append(stream.stream_id)
        self._gone[stream.stream_id] = (stream.meta.owner, stream.key)
        self._forget(stream)  # whoever hears of it finds that it has expired
        while len(self._gone) > REMEMBERED:
            self._keys.pop(self._gone.popitem(last=False)[1], None)

    def _forget(self, stream: _Stream) -> None:
        del self._streams[stream.stream_id]
        self._finished.pop(stream.stream_id, None)
        self._size -= stream.whole_size
        stream.waiters.wake()
        for news in stream.listeners:
            news(b"", 0, 0, False)

    def _make_room(self) -> None:
        """Keep to the bytes: finished streams go, the first that ended first; then the oldest events of the others."""
        while self._size > self._max_bytes and self._finished:
            self._drop(self._streams[next(iter(self._finished))])
        if self._size > self._max_bytes:
            sizes = {stream_id: stream.whole_size for stream_id, stream in self._streams.items()}
            for stream_id, target in over_share(sizes, self._max_bytes).items():
                self._streams[stream_id].trim(target)
                self._size += self._streams[stream_id].whole_size - sizes[stream_id]

    async def expire(self) -> Sequence[str]:
        """See EventLog.expire. What is over the size went when it came to be; this tells of it."""
        old = self._clock() - self._expire_s
        for stream_id, ended_at in list(self._finished.items()):
            if ended_at > old:
                break
            self._drop(self._streams[stream_id])
        gone, self._dropped = self._dropped, []
        return gone

    async def renew(self, stream_ids: Sequence[str]) -> Sequence[str]:
        """See EventLog.renew: the streams that are gone."""
        return [stream_id for stream_id in stream_ids if stream_id not in self._streams]

    async def reap(self, ending: Event) -> Sequence[str]:  # noqa: ARG002 - there is nothing to end
        """See EventLog.reap."""
        return ()

    async def close(self) -> None:
        """See EventLog.close."""

    async def size(self) -> LogSize:
        """See SizedLog.size."""
        return LogSize(self._size, len(self._streams))

    def _get(self, stream_id: str) -> _Stream:
        stream = self._streams.get(stream_id)
        if stream is not None:
            return stream
        if stream_id in self._gone:
            raise ExpiredStreamError(stream_id, self._gone[stream_id][0])
        raise UnknownStreamError(stream_id)
