"""A text that is written piece by piece, where there is no iterator to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from sse_widget.chunks import piece_of
from sse_widget.errors import Stopped
from sse_widget.feed import Ending
from sse_widget.pull import Pull
from sse_widget.shown import Shown

if TYPE_CHECKING:
    from types import TracebackType


class Writer(Shown):
    """What `show()` without an iterator returns: `with sw.show() as out: out.write("text")`.

    The end of the `with` ends the text: well, or as an error when an exception leaves it. When the reader presses
    Stop, the next `write` ends the `with`, quietly. Also `print(…, file=out)` writes.
    """

    def write(self, chunk: object) -> int:
        """Add a text, or a chunk of the kinds that `show` takes; return how many characters it has.

        Never waits for the network, unless 256 Ki characters wait for it already. Raises Stopped when the reader has
        stopped it, the error of the run when that has failed, TypeError for what is no chunk.
        """
        text = piece_of(chunk).text
        try:
            room = self._feed.put(text)
        except Stopped:
            if self.future.done():
                self.future.result()  # raises what has ended it
            raise
        if room is not None:
            room.result()
        return len(text)

    def flush(self) -> None:
        """Do nothing: what is written is on its way."""

    def close(self) -> None:
        """End the text."""
        self._feed.close(Ending())

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
            self._feed.close(Ending(error=error))
        else:
            self.stop()
        return False

    def _pull_of(self, source: Any) -> Pull:  # noqa: ARG002 - there is none
        return Pull()
