"""A WebSocket to the server, frame by frame."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from rig.serving import PATIENCE_S
from sse_widget.protocol.sse import Event

if TYPE_CHECKING:
    from tornado.websocket import WebSocketClientConnection

SOCKET = "/api/v1/stream/ws"


class Talk:
    """One socket: what is sent, and what comes, with the arrays of frames taken apart."""

    def __init__(self, socket: WebSocketClientConnection) -> None:
        self.socket = socket
        self._waiting: list[dict[str, Any]] = []

    @classmethod
    async def open(cls, url: str, *, authority: str | None = None, **headers: str) -> Talk:
        """Connect to the socket of a server at an http URL; header names have underscores for hyphens.

        `authority` is the file with the certificates that are trusted.
        """
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        request = HTTPRequest(
            url.replace("http", "ws", 1), headers=fields, request_timeout=PATIENCE_S, ca_certs=authority
        )
        return cls(await websocket_connect(request, max_message_size=1 << 26))

    async def send(self, op: str, ref: str, **fields: Any) -> None:
        """Send one frame."""
        await self.say(json.dumps({"op": op, "ref": ref, **fields}))

    async def say(self, message: str | bytes) -> None:
        """Send one message as it is."""
        await self.socket.write_message(message, binary=isinstance(message, bytes))

    async def next(self) -> dict[str, Any]:
        """Return the next frame; EOFError when the server closes."""
        while not self._waiting:
            async with asyncio.timeout(PATIENCE_S):
                message = await self.socket.read_message()
            if message is None:
                raise EOFError
            said = json.loads(message)
            self._waiting = said if isinstance(said, list) else [said]
        return self._waiting.pop(0)

    async def until(self, event: str, ref: str | None = None) -> list[dict[str, Any]]:
        """Return the frames up to and with the next of this event, of this ref if one is named."""
        frames = [await self.next()]
        while frames[-1]["event"] != event or ref not in {None, frames[-1]["ref"]}:
            frames.append(await self.next())
        return frames

    async def ask(self, op: str, ref: str, **fields: Any) -> dict[str, Any]:
        """Send one frame and return the next that is its own."""
        await self.send(op, ref, **fields)
        frame = await self.next()
        while frame["ref"] != ref:
            frame = await self.next()
        return frame

    async def closed(self) -> int | None:
        """Return the close code, once the server has closed."""
        try:
            while True:
                await self.next()
        except EOFError:
            return self.socket.close_code

    async def close(self) -> None:
        """Leave, and see the socket closed."""
        self.socket.close()
        if self.socket.close_code is None:
            await self.closed()


def events_of(frames: list[dict[str, Any]]) -> list[Event]:
    """Return the events of a stream among the frames."""
    return [Event(frame["event"], frame["data"], frame["id"]) for frame in frames if "stream" in frame]


def refusal_of(frame: dict[str, Any]) -> tuple[int, str]:
    """Return (status, code) of an error frame."""
    assert frame["event"] == "error", frame
    return frame["status"], json.loads(frame["data"])["code"]
