"""Records one response to a file, line by line as it arrives."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING

import msgspec

from sse_widget.connection import Broken, Connection, refusal
from sse_widget.endpoint import is_run, plain
from sse_widget.errors import IdleTimeout, LimitExceeded, WrongContentType
from sse_widget.protocol.cassette import KEPT_HEADERS, Encoder, Header, How, Read
from sse_widget.protocol.events import CONTENT_TYPE
from sse_widget.protocol.sse import Parser
from sse_widget.refusal import media_type

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sse_widget.protocol.actions import Head
    from sse_widget.recording.request import Order


class Progress(msgspec.Struct, frozen=True):
    """What has been written down so far; `elapsed_s` is the time of the last of it. `how` is empty until the end."""

    bytes: int = 0
    events: int = 0
    elapsed_s: float = 0.0
    how: How | str = ""


class Recording:
    """One recording: `run` it on any event loop; `leave` ends it from any thread and keeps what came.

    A file that is there is written over once the server answers with an event stream, and not before. Bytes are those
    of the body without its content encoding. `limit_s` ends it too; `clock_ns` is any steady clock.
    """

    def __init__(  # noqa: PLR0913 - settings, each by its name
        self,
        order: Order,
        path: Path,
        *,
        limit_s: float | None = None,
        connection: Connection | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.progress = Progress()
        self.was_left = False
        self._order = order
        self._request = order.request()
        self._path = placed(path)
        self._limit_s = limit_s
        self._connection = connection or Connection()
        self._clock_ns = clock_ns
        self._now = now
        self._left: Future[None] = Future()
        self._parser = Parser()
        self._sent_ns: int | None = None

    def so_far(self) -> Progress:
        """Return the progress with the time that has passed until now."""
        seen = self.progress
        return seen if seen.how else msgspec.structs.replace(seen, elapsed_s=self._offset_us() / 1e6)

    def leave(self) -> None:
        """End it now."""
        self.was_left = True
        with suppress(InvalidStateError):  # it has ended by itself
            self._left.set_result(None)

    async def run(self) -> Progress:
        """Record until the stream ends, breaks, is left, or the limit is over.

        Raises RemoteError or ConnectError when the server refuses or there is none, WrongContentType when it answers
        with something else, IdleTimeout when it is left before there was an answer.
        """
        reading = asyncio.create_task(self._record())
        left = asyncio.wrap_future(self._left)
        try:
            await asyncio.wait({reading, left}, timeout=self._limit_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left.cancel()
            reading.cancel()
            await asyncio.wait({reading})
        if not reading.cancelled():
            reading.result()
        elif not self.progress.how:
            raise IdleTimeout(f"{plain(self._order.url)} had not answered when the recording was left")
        return self.progress

    async def _record(self) -> None:
        connection = self._connection
        try:
            connection.prepare(self._request.url)
            created = self._now()
            self._set_out()
            head = await connection.open(self._request, self._set_out)
            if head.status != 200:
                raise refusal(head)
            if media_type(head.content_type) != CONTENT_TYPE:
                raise WrongContentType(
                    f"{plain(self._request.url)} answers {head.content_type or 'without a type'}, not {CONTENT_TYPE}"
                )
            encoder = Encoder(self._header(head, created, self._offset_us()))
            with self._path.open("wb") as file:
                await self._write(file, encoder)
        finally:
            await connection.aclose()

    async def _write(self, file: IO[bytes], encoder: Encoder) -> None:
        """Write line by line, each at once: a recorder that is killed leaves what it had."""
        _put(file, encoder.header)
        how: How = "left"
        try:
            with suppress(Broken):
                how = "cut"
                while data := await self._connection.read():
                    offset_us = self._offset_us()
                    _put(file, encoder.read(Read(offset_us, data)))
                    self._count(data, offset_us)
                how = "ended"
        except asyncio.CancelledError:
            how = "left"
            raise
        finally:
            offset_us = self._offset_us()
            _put(file, encoder.end(how, offset_us))
            self.progress = msgspec.structs.replace(self.progress, how=how, elapsed_s=offset_us / 1e6)

    def _count(self, data: bytes, offset_us: int) -> None:
        events = 0
        try:
            events = len(self._parser.feed(data))
        except LimitExceeded:
            self._parser = Parser()  # it is written down all the same
        seen = self.progress
        self.progress = Progress(seen.bytes + len(data), seen.events + events, offset_us / 1e6)

    def _set_out(self) -> None:
        self._sent_ns = self._clock_ns()

    def _offset_us(self) -> int:
        return 0 if self._sent_ns is None else (self._clock_ns() - self._sent_ns) // 1000

    def _header(self, head: Head, created: datetime, head_us: int) -> Header:
        return Header(
            created=created.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            title=self._order.title,
            url=plain(self._request.url),
            method=self._request.method,
            model=self._order.model,
            question=self._order.question,
            status=head.status,
            headers=tuple(pair for pair in self._connection.headers if pair[0] in KEPT_HEADERS),
            head_us=head_us,
            offsets="log" if is_run(self._request.url) else "live",
        )


def placed(path: Path) -> Path:
    """Return where a recording is to be written. Raises FileNotFoundError without its folder, IsADirectoryError."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {str(path.parent)!r} to write {path.name!r} into")
    if path.is_dir():
        raise IsADirectoryError(f"{str(path)!r} is a folder; name a file in it")
    return path


def _put(file: IO[bytes], line: bytes) -> None:
    file.write(line)
    file.flush()
