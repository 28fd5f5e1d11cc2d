"""Who iterates: a thread for synchronous sources, which may block, an event loop for asynchronous ones."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import aclosing, closing, suppress
from contextvars import copy_context
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any

from sse_widget.errors import Stopped
from sse_widget.feed import Ending
from sse_widget.iterators import aclose, async_pieces, close, pieces

if TYPE_CHECKING:
    from collections.abc import Callable

    from sse_widget.feed import Feed
    from sse_widget.protocol.chunks import Piece
    from sse_widget.push import End


class Pull:
    """Nobody: the text is written. `begin` and `halt` are for the loop of `loop.py`."""

    loop: asyncio.AbstractEventLoop | None = None
    """The loop that must run for the source to be read, when it is not our own."""

    def begin(self) -> None:
        """Read the source into the feed, from now on."""

    def halt(self) -> None:
        """Close the source, as soon as it can be, and read it no further. Comes after the feed was stopped."""


class ThreadPull(Pull):
    """Reads a synchronous source on a thread of its own, in the context of whoever made this.

    A source that blocks is closed when it has given its next chunk: nothing can be done to it before.
    """

    def __init__(self, source: Any, feed: Feed) -> None:
        self._source = source
        self._feed = feed
        self._thread = threading.Thread(target=copy_context().run, args=(self._pull,), name="sse-widget-show")
        self._thread.daemon = True  # one that blocks for ever must not hold up the end of the process
        self._began = False

    def begin(self) -> None:
        """See Pull."""
        self._began = True
        self._thread.start()

    def halt(self) -> None:
        """See Pull."""
        if not self._began:
            close(self._source)

    def _pull(self) -> None:
        end: End = "stop"
        try:
            with closing(pieces(self._source)) as found:
                for piece in found:
                    end = piece.end or end
                    room = _fed(self._feed, piece)
                    if room is not None:
                        room.result()
        except Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the asker's
            self._feed.close(Ending(error=_raised(error)))
        else:
            self._feed.close(Ending(end))


class LoopPull(Pull):
    """Reads an asynchronous source: on the loop that runs where this is made, else on our own.

    Clients of SDKs are bound to the loop that they were used on. `lost` is called when that loop ends the reading.
    """

    def __init__(self, source: Any, feed: Feed, lost: Callable[[], object]) -> None:
        self._source = source
        self._feed = feed
        self._lost = lost
        self._may = Future[None]()
        self._touched = False
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        with suppress(RuntimeError):
            self.loop = asyncio.get_running_loop()
        if self.loop is not None:
            # Made at once: the end of asyncio.run cancels the tasks that it knows.
            self._task = self.loop.create_task(self._when_it_may())
            self._task.add_done_callback(self._ended)

    def begin(self) -> None:
        """See Pull."""
        if self.loop is None:
            self._task = asyncio.get_running_loop().create_task(self._pull())
        else:
            self._may.set_result(None)

    def halt(self) -> None:
        """See Pull."""
        if self.loop is not None and self._task is not None:
            with suppress(RuntimeError):  # the loop was closed, and had cancelled it
                self.loop.call_soon_threadsafe(self._task.cancel)
            return
        if self._task is not None:
            self._task.cancel()
        if not self._touched:
            self._touched = True
            self._closing = asyncio.get_running_loop().create_task(aclose(self._source))

    async def _when_it_may(self) -> None:
        self._touched = True
        try:
            await asyncio.shield(asyncio.wrap_future(self._may))
        except asyncio.CancelledError:
            await aclose(self._source)
            raise
        await self._pull()

    async def _pull(self) -> None:
        self._touched = True
        end: End = "stop"
        try:
            async with aclosing(async_pieces(self._source)) as found:
                async for piece in found:
                    end = piece.end or end
                    room = _fed(self._feed, piece)
                    if room is not None:
                        await asyncio.shield(asyncio.wrap_future(room))
        except Stopped:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the asker's
            self._feed.close(Ending(error=error))
        else:
            self._feed.close(Ending(end))

    def _ended(self, task: asyncio.Task[None]) -> None:
        """The caller's loop has ended the task, if not the source; one that took no step can say nothing itself."""
        if not self._touched and iscoroutine(self._source):
            self._source.close()
        if task.cancelled() or task.exception() is not None:
            self._lost()


def _fed(feed: Feed, piece: Piece) -> Future[None] | None:
    if feed.stopped:
        raise Stopped("the reader has stopped it")
    return feed.put(piece.text) if piece.text else None


def _raised(error: BaseException) -> Exception:
    if isinstance(error, Exception):
        return error
    ended = RuntimeError(f"the iterator ended by {error!r}")
    ended.__cause__ = error
    return ended
