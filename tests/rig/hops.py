"""The server's place behind a proxy, taken by a stub that only listens."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Self

import httpx

from rig.serving import PATIENCE_S


class Stub:
    """Notes every request, answers it with the same bytes, and closes; without bytes it breaks off."""

    def __init__(self, answer: bytes) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._answer = answer

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    def request_of(self, path: str) -> dict[str, str]:
        """Return the headers of the one request for a path."""
        (headers,) = [headers for target, headers in self.requests if target == path]
        return headers

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            fields = (line.partition(":") for line in lines)
            self.requests.append((first.split(" ")[1], {name.lower(): value.strip() for name, _, value in fields}))
            writer.write(self._answer)
            await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def heard(url: str, **options: Any) -> int:
    """Ask once and return the status."""
    async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as client:
        return (await client.get(url, **options)).status_code
