"""curl, the reader that everyone has: events as it prints them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from rig.serving import PATIENCE_S
from sse_widget.protocol.sse import Event, Parser

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rig.proxies import Way


class Curl:
    """One `curl -N`, read event by event."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._parser = Parser()
        self._waiting: list[Event] = []

    async def next(self) -> Event:
        """Return the next event; EOFError at the end of the body."""
        assert self._process.stdout is not None
        while not self._waiting:
            async with asyncio.timeout(PATIENCE_S):
                data = await self._process.stdout.read(1 << 16)
            if not data:
                raise EOFError
            self._waiting = self._parser.feed(data)
        return self._waiting.pop(0)

    async def rest(self) -> list[Event]:
        """Return all events up to the end of the body."""
        events = []
        with suppress(EOFError):
            while True:
                events.append(await self.next())
        return events


@asynccontextmanager
async def curl(way: Way, path: str, *options: str) -> AsyncIterator[Curl]:
    """Ask, by HTTP/2 where the server offers it, and take what a compressor would make; ended by its id."""
    trust = ["--cacert", way.authority] if way.authority else []
    command = ["curl", "-sSN", "--http2", "--noproxy", "*", "--compressed", *trust, *options, way.url + path]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        yield Curl(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
