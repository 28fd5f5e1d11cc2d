"""A text that is written piece by piece, where there is no iterator to read."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any, Self

from sse_widget.errors import Stopped
from sse_widget.feed import Ending
from sse_widget.loop import submit
from sse_widget.measure.measured import Measured
from sse_widget.protocol.chunks import piece_of
from sse_widget.pull import Pull
from sse_widget.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Generator
    from concurrent.futures import Future
    from types import TracebackType

    from sse_widget.answer import Answer
    from sse_widget.feed import Feed
    from sse_widget.measure.spans import Received
    from sse_widget.protocol.events import TerminalState
    from sse_widget.widget import StreamWidget

MOST_OPEN = 24
"""Beside the iterators that are read at once, it leaves room for questions on a server with 64 runs, its default."""

_lock = threading.Lock()
_open: list[weakref.ref[Writer]] = []


class Writer(Measured):
    """What `show()` without an iterator returns: `with sw.show() as out: out.write("text")`.

    The end of the `with` ends the text: well, or as an error when an exception leaves it. When the reader presses
    Stop, the next `write` ends the `with`, quietly. Also `print(…, file=out)` writes. A text that was never closed ends
    as an error once nobody holds its writer any more.

    The rest is as in Shown: `await out` or `out.wait()`, `text`, `state`, `metrics`, `frame()`, `stop()`.
    """

    def __init__(self, question: str = "") -> None:
        self.run = _Written(None, question)
        self._feed = self.run.feed

    def begin(self, widget: StreamWidget, params: dict[str, Any]) -> None:
        """Have a widget show it. Raises RuntimeError when too many are open."""
        # Widget and loop hold the run, so that this can be what its writer alone holds.
        self._unclosed = weakref.finalize(self, _abandon, self.run)
        self._unclosed.atexit = False  # the end of the process is the end of everything
        try:
            _admit(self)
        except RuntimeError:
            self._unclosed.detach()
            raise
        self.run.widget = widget
        widget.follow(self.run, **params)

    @property
    def open(self) -> bool:
        """Whether more can be written."""
        return self._unclosed.alive and not self._feed.stopped

    def write(self, chunk: object) -> int:
        """Add a text, or a chunk of the kinds that `show` takes; return how many characters it has.

        Never waits for the network, unless 256 Ki characters wait for it already. Raises Stopped when the reader has
        stopped it, the error of the run when that has failed, TypeError for what is no chunk.
        """
        text = piece_of(chunk).text
        try:
            room = self._feed.put(text)
        except Stopped:
            if self.run.future.done():
                self.run.future.result()  # raises what has ended it
            raise
        if room is not None:
            room.result()
        return len(text)

    def flush(self) -> None:
        """Do nothing: what is written is on its way."""

    def close(self) -> None:
        """End the text."""
        self._end(Ending())

    def stop(self) -> Future[None]:
        """See Run."""
        self._unclosed.detach()
        return self.run.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            self.close()
        elif isinstance(error, Stopped) and self._feed.stopped:
            return True
        elif isinstance(error, Exception):
            self._end(Ending(error=error))
        else:
            self.stop()
        return False

    def __await__(self) -> Generator[Any, None, Answer]:
        return (yield from self.run.__await__())

    def __repr__(self) -> str:
        return repr(self.run)

    def wait(self, timeout_s: float | None = None) -> Answer:
        """See Shown."""
        return self.run.wait(timeout_s)

    async def reach(self, characters: int) -> str:
        """See Run."""
        return await self.run.reach(characters)

    @property
    def question(self) -> str:
        """What stands above the text."""
        return self.run.question

    @property
    def stream_id(self) -> str:
        """The id of the run, empty until the server has said it."""
        return self.run.stream_id

    @property
    def text(self) -> str:
        """What has come back from the server."""
        return self.run.text

    def seen(self, reader: str = "") -> Received:
        """See Run."""
        return self.run.seen(reader)

    @property
    def state(self) -> TerminalState | None:
        """The terminal state, None while the run goes on."""
        return self.run.state

    @property
    def widget(self) -> StreamWidget:
        """The widget that shows it."""
        return self.run.widget

    def _end(self, ending: Ending) -> None:
        self._unclosed.detach()
        self._feed.close(ending)

    def _ipython_display_(self) -> None:
        self.run._ipython_display_()

    def _display_(self) -> StreamWidget:
        """What marimo displays."""
        return self.widget


class _Written(Shown):
    """The run of a writer."""

    @property
    def feed(self) -> Feed:
        """Where the writer puts its texts."""
        return self._feed

    async def abandon(self) -> None:
        """End the text after what has been written: no more can come."""
        self._feed.close(
            Ending(error=RuntimeError("it was never closed; write `with sw.show() as out:`, or end it by out.close()"))
        )

    def _pull_of(self, source: Any) -> Pull:  # noqa: ARG002 - there is none
        return Pull()

    async def _take_slot(self) -> None:
        """It needs no thread, and waiting for others to end would be waiting for whoever writes them."""


def _admit(writer: Writer) -> None:
    with _lock:
        _open[:] = [ref for ref in _open if _is_open(ref)]
        if len(_open) >= MOST_OPEN:
            raise RuntimeError(
                f"{MOST_OPEN} texts of sw.show() are open, and each holds a run of the server: "
                "write them as `with sw.show() as out:`, or end each by out.close()"
            )
        _open.append(weakref.ref(writer))


def _is_open(ref: weakref.ref[Writer]) -> bool:
    writer = ref()
    return writer is not None and writer.open


def _abandon(run: _Written) -> None:
    submit(run.abandon())
