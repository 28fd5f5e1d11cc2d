"""One asyncio loop on one daemon thread: the kernel's readers run there, so they go on while a cell runs."""

from __future__ import annotations

import asyncio
import atexit
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from concurrent.futures import Future

T = TypeVar("T")

CLOSE_TIMEOUT_S = 2.0
"""How long the end of the process waits for readers to let go of their connections."""

AWAKE_S = 0.5
"""How often whoever waits looks up: ipykernel (7.4) hears an interrupt only when its loop wakes."""

_lock = threading.RLock()  # the garbage collector, which may strike anywhere, ends writers by `submit`
_loop: asyncio.AbstractEventLoop | None = None


def submit(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Run a coroutine on the loop, in the context of the caller; the future is safe to wait for on any other thread."""
    return asyncio.run_coroutine_threadsafe(coroutine, _running())


def on_loop() -> bool:
    """Whether this is the loop's own thread, on which nobody may wait for it."""
    try:
        return asyncio.get_running_loop() is _loop
    except RuntimeError:
        return False


async def result_of(future: Future[T]) -> T:
    """Wait, on any loop, for a future of another thread. Who stops waiting leaves it as it is."""
    waiting = asyncio.wrap_future(future)
    waiting.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody need be left to hear of it
    while not waiting.done():
        await asyncio.wait({waiting}, timeout=AWAKE_S)
    return waiting.result()


def _running() -> asyncio.AbstractEventLoop:
    global _loop  # noqa: PLW0603 - one loop for the process
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            thread = threading.Thread(target=_run, args=(_loop,), name="sse-widget", daemon=True)
            thread.start()
            atexit.register(_close, _loop, thread)
        return _loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        while tasks := asyncio.all_tasks(loop):  # again: what is cancelled may begin another one
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _close(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    loop.call_soon_threadsafe(loop.stop)
    thread.join(CLOSE_TIMEOUT_S)
