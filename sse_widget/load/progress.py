"""What is told while a load is on: a bar on a terminal or in a notebook, few lines where output is kept."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from sse_widget.measure.bar import bar_on

if TYPE_CHECKING:
    from sse_widget.load.drive import Progress
    from sse_widget.load.plan import Plan

_LOG_EVERY_S = 5.0


def line(progress: Progress) -> str:
    """Return progress in words."""
    if progress.warming:
        return f"warming up, {progress.open} open"
    return f"{progress.elapsed_s:.0f} s: {progress.ended} ended, {progress.failed} failed, {progress.open} open"


class Bar:
    """Shows how far a load is, by requests or, where only the time is limited, by seconds.

    A bar of tqdm where `stream` is a terminal or this is a notebook, and tqdm is installed; else a line every 5 s.
    """

    def __init__(self, plan: Plan, stream: TextIO, *, quiet: bool = False) -> None:
        self._by_time = plan.duration_s is not None
        self._total = plan.duration_s if self._by_time else plan.requests
        self._stream = stream
        self._quiet = quiet
        self._next_s = _LOG_EVERY_S
        self._bar: Any = None
        if not quiet and (stream.isatty() or _in_notebook()):
            with suppress(ImportError):
                form = None if not self._by_time else "{l_bar}{bar}| {n:.0f}/{total:.0f} s{postfix}"
                self._bar = bar_on(stream, total=self._total, leave=False, unit=" requests", bar_format=form)

    def tell(self, progress: Progress) -> None:
        """Show it."""
        if self._quiet:
            return
        with suppress(OSError, ValueError):  # whoever read it has gone
            if self._bar is not None:
                self._bar.set_postfix_str("warming up" if progress.warming else _beside(progress), refresh=False)
                reached = progress.elapsed_s if self._by_time else progress.ended
                self._bar.update(min(reached, self._total or reached) - self._bar.n)
                self._bar.refresh()
            elif progress.elapsed_s >= self._next_s:
                self._next_s = progress.elapsed_s + _LOG_EVERY_S
                self._stream.write(f"{line(progress)}\n")
                self._stream.flush()

    def done(self) -> None:
        """Take it away."""
        if self._bar is not None:
            with suppress(OSError, ValueError):
                self._bar.close()


def _beside(progress: Progress) -> str:
    failed = f", {progress.failed} failed" if progress.failed else ""
    return f"{progress.open} open{failed}"


def _in_notebook() -> bool:
    return "ipykernel" in sys.modules
