"""The way out of a streamed response, past the layers that would each hold an event up a little."""

from __future__ import annotations

import asyncio

from tornado.iostream import IOStream, StreamClosedError


class Outlet:
    """Writes the rest of a body whose `head` leaves. `chunked` is how HTTP/1.1 frames it (RFC 9112, 7.1).

    What the socket takes at once costs one system call and neither a future nor a callback. What it does not take
    waits in Tornado's buffer, which holds no more than that one write.
    """

    __slots__ = ("_chunked", "_direct", "_rest", "_send", "_stream")

    def __init__(self, stream: IOStream, head: asyncio.Future[None], *, chunked: bool) -> None:
        self._stream = stream
        self._rest = head
        self._chunked = chunked
        # TLS has records of its own, which Tornado writes.
        self._direct = type(stream) is IOStream
        self._send = stream.socket.send

    def write(self, data: bytes) -> asyncio.Future[None] | None:
        """Write; None when the operating system has it all, else what to wait for. Raises StreamClosedError."""
        if not data:
            return None
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if not self._direct or not self._rest.done():
            return self._leave_to_tornado(data)
        try:
            taken = self._send(data)
        except BlockingIOError:
            taken = 0
        except OSError as error:  # also that the stream was closed here, and its socket with it
            self._stream.close(exc_info=error)
            raise StreamClosedError(error) from error
        return None if taken == len(data) else self._leave_to_tornado(memoryview(data)[taken:])

    def _leave_to_tornado(self, data: bytes | memoryview) -> asyncio.Future[None]:
        self._rest = self._stream.write(data)
        return asyncio.shield(self._rest)
