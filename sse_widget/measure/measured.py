"""Figures and table of whatever knows what it received. Their modules load when they are asked for."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sse_widget.measure.frame import Frame
    from sse_widget.measure.metrics import Metrics
    from sse_widget.measure.spans import Received


class Measured:
    """Base of runs and answers."""

    __slots__ = ()

    @abstractmethod
    def seen(self, reader: str = "") -> Received:
        """Return what one page received and showed, or where none did, what was delivered to this process.

        `reader` names the page; without it, it is the one that saw most of the text come. Raises ValueError for one
        that is not known.
        """

    @property
    def received(self) -> Received:
        """What the reader saw, delta by delta, and when.

        When the run has just ended and a page shows it, this waits for the last of what it saw, for 2 seconds at most.
        `metrics` and `frame()` are made of it.
        """
        return self.seen()

    @property
    def metrics(self) -> Metrics:
        """The figures of it: TTFT, gaps, stalls, quality of experience and so on."""
        from sse_widget.measure.graphemes import segment  # noqa: PLC0415 - who never measures need not load it
        from sse_widget.measure.metrics import metrics_of  # noqa: PLC0415

        return metrics_of(self.received, segment)

    def frame(self, reader: str = "") -> Frame:
        """Return a table of it, one row a delta, as `measure.frame.frame_of` describes it; needs pandas.

        `reader` is as in `seen`: `frame().attrs["readers"]` has those that are known.
        """
        from sse_widget.measure.frame import frame_of  # noqa: PLC0415

        return frame_of(self.seen(reader))
