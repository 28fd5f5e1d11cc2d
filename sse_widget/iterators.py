"""Any stream as an iterator of pieces: synchronous or not, an iterator, a context manager of one, an awaitable of one.

The iterators made here close what they read when they are closed early: by `close`, `aclose`, the end of its `with`.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Iterable, Mapping
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING, Any

from sse_widget.protocol.chunks import TAKEN, piece_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from sse_widget.protocol.chunks import Piece


def is_async(source: object) -> bool:
    """Whether a source needs an event loop. Raises TypeError when it is no stream at all."""
    if isinstance(source, bytes | bytearray | Mapping) or _is_whole(source):
        raise _no_stream(source)
    if isinstance(source, AsyncIterable) or inspect.isawaitable(source):
        return True
    if isinstance(source, Iterable):
        return False
    if hasattr(source, "__aenter__"):
        return True
    if hasattr(source, "__enter__") or hasattr(source, "__next__"):
        return False
    raise _no_stream(source)


def pieces(source: Any) -> Generator[Piece, None, None]:
    """Yield the pieces of a synchronous source; closing early closes the source."""
    with ExitStack() as stack:
        if not isinstance(source, Iterable) and hasattr(source, "__enter__"):
            source = stack.enter_context(source)
        chunks = (source,) if isinstance(source, str) else source
        iterator = iter(chunks) if isinstance(chunks, Iterable) else chunks
        ended = False
        try:
            while True:
                try:
                    chunk = next(iterator)
                except StopIteration:
                    ended = True
                    return
                yield piece_of(chunk)
        finally:
            if not ended:
                close(iterator, source)


async def async_pieces(source: Any) -> AsyncGenerator[Piece, None]:
    """Yield the pieces of an asynchronous source, on the loop that this runs on; closing early closes the source."""
    async with AsyncExitStack() as stack:
        if inspect.isawaitable(source):
            source = await source
        if not isinstance(source, AsyncIterable) and hasattr(source, "__aenter__"):
            source = await stack.enter_async_context(source)
        if not isinstance(source, AsyncIterable):
            raise _no_stream(source)
        iterator = aiter(source)
        ended = False
        try:
            while True:
                try:
                    chunk = await anext(iterator)
                except StopAsyncIteration:
                    ended = True
                    return
                yield piece_of(chunk)
        finally:
            if not ended:
                await aclose(iterator, source)


def close(*ends: Any) -> None:
    """Close an iterator, and what it came from: some keep a response open that their iterator does not know of."""
    for end in ends:
        ending = getattr(end, "close", None)
        if callable(ending):
            ending()


async def aclose(*ends: Any) -> None:
    """Close what needs a loop for it."""
    for end in ends:
        ending = getattr(end, "aclose", None) or getattr(end, "close", None)
        if callable(ending):
            closing = ending()
            if inspect.isawaitable(closing):
                await closing


def _is_whole(source: object) -> bool:
    """Whether this is an answer rather than a stream of one: such objects iterate over their fields."""
    return hasattr(source, "model_dump") and not hasattr(source, "__next__")


def _no_stream(source: object) -> TypeError:
    kind = type(source).__name__
    hint = f"{kind} is a whole answer; ask for it with stream=True" if _is_whole(source) else f"got {kind}"
    return TypeError(f"show() takes an iterator, synchronous or not, whose chunks are {TAKEN}: {hint}")
