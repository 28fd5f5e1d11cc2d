"""Takes down what a reader receives, as it does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sse_widget.measure.spans import Received, Span

if TYPE_CHECKING:
    from collections.abc import Callable


class Record:
    """One run's spans; it begins when the question is asked. `clock` gives seconds of any steady clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked_s = clock()
        self._spans: list[Span] = []

    @property
    def text(self) -> str:
        """What was received."""
        return "".join([span.text for span in self._spans])

    def add(self, seq: int, text: str) -> None:
        """Take down a delta."""
        self._spans.append(Span(seq, text, self._clock()))

    def clear(self) -> None:
        """Forget the text: it is read again from its start."""
        self._spans.clear()

    def received(self, tokens: int | None = None, first_tokens: int | None = None) -> Received:
        """Return what was received so far."""
        return Received(self._asked_s, tuple(self._spans), tokens, first_tokens)

    @property
    def first(self) -> Span | None:
        """The first delta."""
        return self._spans[0] if self._spans else None
