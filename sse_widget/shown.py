"""Any iterator in a widget: its text is pushed to the server as a run, which pages and this kernel read as every other.

answer = await sw.show(client.chat.completions.create(model="…", messages=[…], stream=True))
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from IPython import get_ipython
from IPython.display import display

from sse_widget.errors import RemoteError, SSEWidgetError
from sse_widget.feed import Feed
from sse_widget.iterators import is_async
from sse_widget.pull import LoopPull, Pull, ThreadPull
from sse_widget.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from sse_widget.answer import Answer
    from sse_widget.client import Created, Status, StreamClient
    from sse_widget.push import Push
    from sse_widget.widget import StreamWidget

MOST_AT_ONCE = 32
"""More iterators than this wait for their turn: each has a run of the server, and some a thread."""

KEEPALIVES = 3
"""So many empty batches fit into the silence after which the server gives a producer up."""

_COUNTED = 2000
_LONGEST_MESSAGE = 1000
_slots = asyncio.Semaphore(MOST_AT_ONCE)


class Shown(Run):
    """What `show` returns: `await shown`, or `shown.wait()` in a script, for the Answer.

    `text`, `state`, `metrics` and `frame()` can be read while it goes on. `stop()` ends it, and closes the iterator;
    so does interrupting the kernel while something waits for it. An exception of the iterator ends the stream as an
    error; the text until then stays, and whoever waits gets the exception.
    """

    widget: StreamWidget

    def __init__(self, source: Any, question: str = "") -> None:
        super().__init__(question)
        self._feed = Feed()
        self._pull = self._pull_of(source)
        self._silence_s = 0.0
        self._has_slot = False
        self._sizes: list[int] = []
        self._cell = _cell()

    def begin(self, widget: StreamWidget, params: dict[str, Any]) -> None:
        """Have a widget show it."""
        self.widget = widget
        widget.follow(self, **params)

    def wait(self, timeout_s: float | None = None) -> Answer:
        """Block until the iterator has ended and its text is shown. Raises its error, or TimeoutError."""
        if self._pull.loop is not None and self._pull.loop is _running_loop() and not self.future.done():
            raise RuntimeError("wait() would block the event loop that reads this iterator; write `await` here")
        try:
            return super().wait(timeout_s)
        except KeyboardInterrupt:
            self.stop()
            raise

    def __await__(self) -> Generator[Any, None, Answer]:
        try:
            return (yield from super().__await__())
        except (asyncio.CancelledError, KeyboardInterrupt):
            self.stop()
            raise

    async def carry(self, answering: Coroutine[Any, Any, Answer]) -> None:
        """See Run."""
        try:
            await super().carry(self._let_go(answering))
        finally:
            if self._has_slot:
                _slots.release()

    async def start(self, client: StreamClient, **params: Any) -> Created | None:
        """See Run. The iterator is begun at once, while the server is asked for a run."""
        await self._take_slot()
        if not self._unwanted.is_set():
            self._pull.begin()
        created = await super().start(client, **params)
        if created is not None:
            self._silence_s = created.producer_timeout_s
        return created

    async def read(self, client: StreamClient, told: Callable[[Status], None]) -> Answer:
        """See Run. Meanwhile the text is pushed."""
        if not self.stream_id:
            return await super().read(client, told)
        pushing = asyncio.create_task(self._push(client.push(self.stream_id)))
        try:
            return await super().read(client, told)
        except RemoteError as error:
            failure = self._failure
            if failure is None or error.code != "upstream_error":
                raise
            raise failure from None
        finally:
            pushing.cancel()
            await asyncio.wait({pushing})

    async def halt(self) -> None:
        """See Run. The iterator is closed, whether the server hears of it or not."""
        self._feed.stop()
        self._pull.halt()
        await super().halt()

    def words_of(self, error: BaseException) -> tuple[str, str]:
        """See Run."""
        if error is self._failure and not isinstance(error, SSEWidgetError):
            return _named(error), "upstream_error"
        return super().words_of(error)

    @property
    def _failure(self) -> Exception | None:
        return None if self._feed.ending is None else self._feed.ending.error

    def _pull_of(self, source: Any) -> Pull:
        return LoopPull(source, self._feed, self.stop) if is_async(source) else ThreadPull(source, self._feed)

    async def _let_go(self, answering: Coroutine[Any, Any, Answer]) -> Answer:
        """By the time that whoever waits hears of the end, nothing more is taken."""
        try:
            return await answering
        finally:
            self._feed.stop()
            self._pull.halt()

    async def _take_slot(self) -> None:
        acquiring = asyncio.ensure_future(_slots.acquire())
        stopping = asyncio.ensure_future(self._unwanted.wait())
        await asyncio.wait({acquiring, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        self._has_slot = acquiring.done() or not acquiring.cancel()

    async def _create(self, client: StreamClient, params: dict[str, Any]) -> Created:
        return await client.create_pushed(self.question, **params)

    async def _push(self, push: Push) -> None:
        """Send the next batch when the one before was taken: what was made meanwhile goes out together."""
        try:
            wanted = True
            while wanted:
                texts = await self._feed.take(self._silence_s / KEEPALIVES)
                ending = self._feed.ending if self._feed.over else None
                if self._feed.stopped:
                    return
                self._sizes += [len(text) for text in texts[: _COUNTED - len(self._sizes)]]
                error = "" if ending is None or ending.error is None else _sayable(_named(ending.error))
                end = "" if ending is None or error else ending.end
                wanted = await push.send(texts, end=end, error=error) and ending is None
        except SSEWidgetError as error:
            self.leave(error)
        except Exception as error:  # noqa: BLE001 - a bug, which must not let readers wait
            lost = SSEWidgetError(f"the text could not be sent: {_named(error)}")
            lost.__cause__ = error
            self.leave(lost)
        finally:
            self._feed.stop()
            await push.aclose()

    def _first_count(self) -> int | None:
        """How many texts the first delta holds: it is made of whole ones."""
        first, left = self._recorder.record.first_text, 0
        if first is None:
            return None
        for count, size in enumerate(self._sizes, 1):
            left += size
            if left >= len(first):
                return count if left == len(first) else None
        return None

    def _ipython_display_(self) -> None:
        """Display it again; as the last word of the cell that shows it already, it adds nothing."""
        if self._cell != _cell():
            display(self.widget)  # type: ignore[no-untyped-call]

    def _display_(self) -> StreamWidget:
        """What marimo displays."""
        return self.widget


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _sayable(message: str) -> str:
    """Return what fits into a request, whatever an exception had to say."""
    return message[:_LONGEST_MESSAGE].encode("utf-8", "replace").decode()


def _cell() -> int | None:
    shell = get_ipython()
    return None if shell is None else int(shell.execution_count)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
