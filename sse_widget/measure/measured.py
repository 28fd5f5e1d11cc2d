"""Figures and table of whatever knows what it received. Their modules load when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sse_widget.measure.frame import Frame
    from sse_widget.measure.metrics import Metrics
    from sse_widget.measure.spans import Received


class Measured:
    """Base of runs and answers."""

    __slots__ = ()

    received: Received
    """What this process had delivered, delta by delta, and when."""

    @property
    def metrics(self) -> Metrics:
        """The figures of it: TTFT, gaps, stalls, quality of experience and so on."""
        from sse_widget.measure.graphemes import segment  # noqa: PLC0415 - who never measures need not load it
        from sse_widget.measure.metrics import metrics_of  # noqa: PLC0415

        return metrics_of(self.received, segment)

    def frame(self) -> Frame:
        """Return a table of it with one row a delta, as `measure.frame` describes it; needs pandas."""
        from sse_widget.measure.frame import frame_of  # noqa: PLC0415

        return frame_of(self.received)
