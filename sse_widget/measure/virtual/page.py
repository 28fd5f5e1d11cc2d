"""The page of a virtual run: received deltas -> the frames in which their text appears. Pure.

The twin of js/view/typewriter.js for a visible page whose reader has nothing against motion: a frame is asked for when
text comes and after each frame that leaves some waiting, and every frame takes from the pacer what is due.
"""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

from sse_widget.pacing.typewriter import Pacer, PacerOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sse_widget.pacing.typewriter import Segment

    from .reading import Read


class Page(msgspec.Struct, frozen=True):
    """When a browser draws: at `phase_ms` and every `frame_ms` after it; `paint_ms` later the frame is on the screen.

    Raises ValueError for a value that is negative or not finite, and for frames of no length.
    """

    frame_ms: float = 1000.0 / 60.0
    phase_ms: float = 0.0
    paint_ms: float = 0.0

    def __post_init__(self) -> None:
        """Check the values."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be a finite number, 0 or more; got {value!r}")
        if not self.frame_ms:
            raise ValueError("frame_ms must be more than 0")


class Shown(msgspec.Struct, frozen=True):
    """What appeared: for each delta the frames (seconds) of its first and its last character, and the whole curve.

    By `frames_s`, the frames in which text was added, `chars` code points were on show.
    """

    first_s: tuple[float, ...]
    last_s: tuple[float, ...]
    frames_s: tuple[float, ...]
    chars: tuple[int, ...]


def show(received: Read, pace: PacerOptions, page: Page, segment: Segment) -> Shown:
    """Type what was received, each delta from when it came, to the end of the stream and beyond."""
    screen = _Screen(Pacer(pace, segment), page)
    for text, at_s in zip(received.texts, received.receive_s, strict=True):
        screen.append(text, at_s * 1000.0)
    screen.finish(received.end_s * 1000.0)
    frames_s = [at_ms / 1000.0 for at_ms in screen.frames_ms]
    first_s, last_s = _spans(received.texts, frames_s, screen.chars)
    return Shown(first_s, last_s, tuple(frames_s), tuple(screen.chars))


class _Screen:
    """Frames that take from a pacer. What comes at the very time of a frame is in time for it."""

    def __init__(self, pacer: Pacer, page: Page) -> None:
        self.frames_ms: list[float] = []
        self.chars: list[int] = []
        self._pacer = pacer
        self._page = page
        self._next = 0
        self._count = 0

    def append(self, text: str, now_ms: float) -> None:
        self._play(now_ms)
        if self._pacer.idle:
            self._next = self._first(now_ms)
        self._pacer.append(text, now_ms)

    def finish(self, now_ms: float) -> None:
        self._play(now_ms)
        self._pacer.finish(now_ms)
        self._play(math.inf)

    def _play(self, until_ms: float) -> None:
        """Draw the frames before a time, as long as text waits."""
        pacer, phase_ms, frame_ms = self._pacer, self._page.phase_ms, self._page.frame_ms
        while not pacer.idle and phase_ms + self._next * frame_ms < until_ms:
            count, shown = pacer.takes(self._times_ms(until_ms))
            self._next += count
            for at_ms, text in shown:
                self.frames_ms.append(at_ms)
                self._count += len(text)
                self.chars.append(self._count)
            if len(shown) < count and (rests_ms := pacer.rests_ms) is not None:
                # Frames before that change nothing, but the last of them leaves its time with the pacer.
                self._next = max(self._next, self._first(min(until_ms, rests_ms)) - 1)

    def _times_ms(self, until_ms: float) -> Iterator[float]:
        """Yield the times of the next frames, those before a time."""
        phase_ms, frame_ms, number = self._page.phase_ms, self._page.frame_ms, self._next
        while (at_ms := phase_ms + number * frame_ms) < until_ms:
            yield at_ms
            number += 1

    def _first(self, now_ms: float) -> int:
        """Return the number of the first frame that is not before a time."""
        phase_ms, frame_ms = self._page.phase_ms, self._page.frame_ms
        frame = max(0, math.ceil((now_ms - phase_ms) / frame_ms))
        while phase_ms + frame * frame_ms < now_ms:
            frame += 1
        while frame and phase_ms + (frame - 1) * frame_ms >= now_ms:
            frame -= 1
        return frame


def _spans(
    texts: Sequence[str], frames_s: Sequence[float], chars: Sequence[int]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return for each text the frames of its first and of its last character."""
    first_s, last_s = [], []
    start = frame = 0
    for end in accumulate(map(len, texts)):
        while chars[frame] <= start:
            frame += 1
        first_s.append(frames_s[frame])
        while chars[frame] < end:
            frame += 1
        last_s.append(frames_s[frame])
        start = end
    return tuple(first_s), tuple(last_s)
