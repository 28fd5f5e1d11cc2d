"""The way out of a streamed response, past the layers that would each hold an event up a little."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tornado.iostream import IOStream, StreamClosedError

if TYPE_CHECKING:
    from collections.abc import Awaitable


class Outlet:
    """Writes the rest of a body whose head has left. `chunked` is how HTTP/1.1 frames it (RFC 9112, 7.1).

    What the socket takes at once costs one system call and neither a future nor a callback. What it does not take
    waits in Tornado's buffer, which holds no more than that one write.
    """

    def __init__(self, stream: IOStream, *, chunked: bool) -> None:
        self._stream = stream
        self._chunked = chunked
        # TLS has records of its own, which Tornado writes.
        self._direct = type(stream) is IOStream

    def write(self, data: bytes) -> Awaitable[None] | None:
        """Write; None when the operating system has it all, else what to wait for. Raises StreamClosedError."""
        if not data:
            return None
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        stream = self._stream
        if not self._direct or stream.writing() or stream.closed():
            return asyncio.shield(stream.write(data))
        try:
            taken = stream.socket.send(data)
        except BlockingIOError:
            taken = 0
        except OSError as error:
            stream.close(exc_info=error)
            raise StreamClosedError(error) from error
        return None if taken == len(data) else asyncio.shield(stream.write(memoryview(data)[taken:]))
