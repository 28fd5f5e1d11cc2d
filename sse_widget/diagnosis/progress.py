"""What is told while the doctor works: one line that changes on a terminal or in a notebook, few lines in a log."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from sse_widget.diagnosis import words

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from sse_widget.diagnosis.judgement import Figure
    from sse_widget.diagnosis.words import Lang

DOING = words.Words(
    "{seconds:.0f} s of at most {limit:.0f} s: {probes}", "{seconds:.0f} ث من {limit:.0f} ث على الأكثر: {probes}"
)
_LOG_EVERY_S = 10.0


class Progress(msgspec.Struct, frozen=True):
    """The probes that run now, and for how long the examination has been running."""

    probes: tuple[str, ...]
    elapsed_s: float
    limit_s: float


class Teller(Protocol):
    """Something that shows progress."""

    def tell(self, progress: Progress) -> None:
        """Show it."""

    def done(self) -> None:
        """Take it away."""


def line(progress: Progress, lang: Lang) -> str:
    """Return progress in words."""
    probes = ", ".join(words.TITLES[probe].plain(lang) for probe in progress.probes)
    figures: dict[str, Figure] = {"seconds": progress.elapsed_s, "limit": progress.limit_s, "probes": probes}
    return words.say(DOING, figures, lang)


class Terminal:
    """One line that is written over on a terminal; a line every 10 s where output is kept."""

    def __init__(self, stream: TextIO, lang: Lang) -> None:
        self._stream = stream
        self._lang = lang
        self._live = stream.isatty()
        self._next_s = _LOG_EVERY_S

    def tell(self, progress: Progress) -> None:
        """See Teller."""
        if not progress.probes:
            return
        if self._live:
            self._write(f"\r\x1b[K{line(progress, self._lang)[:100]}")
        elif progress.elapsed_s >= self._next_s:
            self._next_s = progress.elapsed_s + _LOG_EVERY_S
            self._write(f"{line(progress, self._lang)}\n")

    def done(self) -> None:
        """See Teller."""
        if self._live:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # whoever read it has gone
            self._stream.write(text)
            self._stream.flush()


class Notebook:
    """A line of a cell's output, which is taken away at the end. Only the thread that runs the cell may call it."""

    def __init__(self, display: Callable[..., Any], lang: Lang) -> None:
        self._lang = lang
        self._handle = display({"text/plain": ""}, raw=True, display_id=True)

    def tell(self, progress: Progress) -> None:
        """See Teller."""
        if progress.probes:
            self._handle.update({"text/plain": line(progress, self._lang)}, raw=True)

    def done(self) -> None:
        """See Teller."""
        self._handle.update({"text/plain": ""}, raw=True)


def teller(lang: Lang) -> Teller:
    """Return what suits where we are: a kernel's cell, or standard error."""
    if "IPython" in sys.modules:
        from IPython import get_ipython  # noqa: PLC0415 - only where it is in use already
        from IPython.display import display  # noqa: PLC0415

        if get_ipython() is not None and hasattr(get_ipython(), "kernel"):
            return Notebook(display, lang)
    return Terminal(sys.stderr, lang)
