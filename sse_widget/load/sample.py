"""One request of a load, as its reader saw it. Pure."""

from __future__ import annotations

import msgspec

from sse_widget.measure.metrics import Metrics


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """Its row in the report.

    Times are seconds after the load began: `planned_s` when it was due (None in a closed loop), `started_s` when it was
    sent, `ended_s` when it was over. `question` is its place among the questions. `state` is how it ended; `code` and
    `message` say why where that is not `done`. `reconnects` are the connections after its first one. `metrics` are its
    figures, counted from `started_s`.
    """

    number: int
    question: int
    started_s: float
    ended_s: float
    state: str
    metrics: Metrics
    planned_s: float | None = None
    code: str = ""
    message: str = ""
    reconnects: int = 0

    @property
    def ok(self) -> bool:
        """Whether its answer came whole."""
        return self.state == "done"

    @property
    def late_ms(self) -> float:
        """How much later than planned it was sent; 0 in a closed loop, where nothing is due."""
        return 0.0 if self.planned_s is None else 1000.0 * (self.started_s - self.planned_s)
