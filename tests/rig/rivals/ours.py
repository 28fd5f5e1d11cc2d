"""This project's server: each event through chunker and memory log, to be read again by its id."""

from __future__ import annotations

import asyncio
import os

import msgspec
from tornado.httpserver import HTTPServer

from rig.rivals.words import announce, flat, listening, paced, stamp
from rig.serving import Served
from sse_server.app import Server
from sse_server.config import Config
from sse_server.handlers.intake import LIMITS
from sse_server.sources.base import Token

WANTED = {
    "model": "synthetic:",
    "max_runs": 100_000,
    "max_connections": 100_000,
    "max_streams": 100_000,
    "rate_limit": "off",
}


class Speaking:
    """A source that says what the other servers say."""

    def __init__(self, texts) -> None:
        self._texts = texts

    async def tokens(self, _request):
        async for text in self._texts():
            yield Token(text)
        yield Token("", "stop")

    async def close(self) -> None:
        """Nothing is held."""


class Pacing:
    """What `paced` makes, as a source: one generator, as the other servers have."""

    def tokens(self, _request):
        return paced(lambda: Token(stamp()))

    async def close(self) -> None:
        """Nothing is held."""


LOUD_BYTES = int(os.environ.get("RIVAL_LOUD_BYTES", "0"))


async def loud():
    """Yield LOUD_BYTES in texts of 2 kB, flat out but fair: the loop gets its turn after each few."""
    text = "0123456789" * 200
    for index in range(LOUD_BYTES // len(text)):
        if index % 8 == 0:
            await asyncio.sleep(0)
        yield text


async def nothing():
    yield "x"
    await asyncio.Event().wait()


async def main() -> None:
    known = {field.name for field in msgspec.structs.fields(Config)}
    server = Server(Config(**{name: value for name, value in WANTED.items() if name in known}))
    listener = listening()
    http = HTTPServer(server.application(), **LIMITS)
    served = Served(server, http, listener.getsockname()[1])
    for name, texts in {"flat": flat, "idle": nothing, "loud": loud}.items():
        served.offer(name, Speaking(texts))
    for name in ("paced", "shared"):
        served.offer(name, Pacing())
    http.add_sockets([listener])
    announce(listener)
    await asyncio.Event().wait()


asyncio.run(main())
