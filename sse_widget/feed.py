"""Text on its way from whoever makes it, on any thread or loop, to the one who pushes it on the loop of `loop.py`."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import msgspec

from sse_widget.errors import Stopped
from sse_widget.push import MAX_BATCH_TOKENS, MAX_TOKEN_LENGTH, End

HOLD_CHARS = 256 << 10
"""When so much waits to be pushed, whoever makes the text waits too."""

BATCH_CHARS = 64 << 10


class Ending(msgspec.Struct, frozen=True):
    """How a text ends: well, or by an error of whoever made it."""

    end: End = "stop"
    error: Exception | None = None


class Feed:
    """A bounded queue with one end for each side; `put`, `close` and `stop` are safe on any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: list[str] = []
        self._held = 0
        self._ending: Ending | None = None
        self._stopped = False
        self._room: Future[None] | None = None
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    @property
    def stopped(self) -> bool:
        """Whether nothing more is wanted."""
        return self._stopped

    @property
    def ending(self) -> Ending | None:
        """How the text ends, None while it goes on."""
        return self._ending

    def put(self, text: str) -> Future[None] | None:
        """Add a text, and return what to wait for before the next one, None when there is room for it.

        Raises ValueError after `close`, Stopped when nothing more is wanted.
        """
        text = text.encode("utf-8", "replace").decode()  # also of subclasses of str, as LangChain's
        with self._lock:
            if self._ending is not None:
                raise ValueError("it was closed: nothing can be written any more")
            if self._stopped:
                raise Stopped("nothing more is wanted: a reader has stopped it")
            if not text:
                return None
            self._texts.extend(_divided(text))
            self._held += len(text)
            if self._held > HOLD_CHARS and self._room is None:
                self._room = Future()
            self._wake()
            return self._room

    def close(self, ending: Ending) -> None:
        """Say that no more comes; a second time it is ignored."""
        with self._lock:
            if self._ending is None:
                self._ending = ending
                self._wake()

    def stop(self) -> None:
        """Say that no more is wanted, and let go of whoever waits for room."""
        with self._lock:
            self._stopped = True
            self._wake()
            self._release()

    async def take(self, wait_s: float) -> list[str]:
        """Return the next texts, as many as one batch may hold; none after `wait_s`, at the end, or when stopped."""
        with self._lock:
            if not (self._texts or self._ending or self._stopped):
                event = asyncio.Event()
                self._waiting = (asyncio.get_running_loop(), event)
            else:
                event = None
        if event is not None:
            await _set_within(event, wait_s)
        with self._lock:
            self._waiting = None
            return self._next()

    @property
    def over(self) -> bool:
        """Whether all has been taken and no more comes."""
        return self._ending is not None and not self._texts

    def _next(self) -> list[str]:
        count = size = 0
        for text in self._texts[:MAX_BATCH_TOKENS]:
            if count and size + len(text) > BATCH_CHARS:
                break
            count += 1
            size += len(text)
        taken, self._texts = self._texts[:count], self._texts[count:]
        self._held -= size
        if self._held <= HOLD_CHARS // 2:
            self._release()
        return taken

    def _wake(self) -> None:
        if self._waiting is not None:
            loop, event = self._waiting
            self._waiting = None
            loop.call_soon_threadsafe(event.set)

    def _release(self) -> None:
        room, self._room = self._room, None
        if room is not None and room.set_running_or_notify_cancel():
            room.set_result(None)


async def _set_within(event: asyncio.Event, wait_s: float) -> None:
    try:
        async with asyncio.timeout(wait_s):
            await event.wait()
    except TimeoutError:
        pass


def _divided(text: str) -> list[str]:
    if len(text) <= MAX_TOKEN_LENGTH:
        return [text]
    return [text[at : at + MAX_TOKEN_LENGTH] for at in range(0, len(text), MAX_TOKEN_LENGTH)]
