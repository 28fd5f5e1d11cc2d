"""A virtual run from its tokens to the screen, each stage computed once for all runs that share it. Pure."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from sse_widget.pacing.chunker import Knobs
from sse_widget.pacing.pace import PacerOptions
from sse_widget.protocol.events import TerminalState

from .network import Network, arrivals
from .page import Page, Shown, show
from .reading import Read, read
from .serving import Served, Tokens, serve, wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from sse_widget.pacing.typewriter import Segment

_SERVED = 64
_SEGMENTED = 16_384


class Setting(msgspec.Struct, frozen=True):
    """All that a virtual run depends on besides its tokens and its seed."""

    knobs: Knobs = Knobs()
    network: Network = Network()
    pace: PacerOptions = PacerOptions()
    page: Page = Page()


class VirtualRun(msgspec.Struct, frozen=True):
    """When each delta was where: one item a delta, in seconds from the moment at which the server began the run.

    The question was asked at `asked_s`, one latency before. `model_first_s` and `model_last_s` are the times of the
    first and the last of the delta's `tokens`; it was cut at `chunk_s`, written at `write_s`, received at `receive_s`;
    `show_first_s` and `show_last_s` are the frames of its first and its last character, and `paint_s` is when the
    latter was on the screen. By each of `frames_s`, `frame_chars` code points were on show. The stream ended for the
    reader at `end_s`, in `state`.
    """

    asked_s: float
    texts: tuple[str, ...]
    tokens: tuple[int, ...]
    model_first_s: tuple[float, ...]
    model_last_s: tuple[float, ...]
    chunk_s: tuple[float, ...]
    write_s: tuple[float, ...]
    receive_s: tuple[float, ...]
    show_first_s: tuple[float, ...]
    show_last_s: tuple[float, ...]
    paint_s: tuple[float, ...]
    frames_s: tuple[float, ...]
    frame_chars: tuple[int, ...]
    end_s: float
    state: TerminalState

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.texts)


class Rehearsal:
    """Runs the same tokens under many settings.

    `segment` splits a text into grapheme clusters; `randomness` gives for a seed a source of numbers from 0 up to 1,
    always the same. Without faults bytes change nothing but sizes, so they are only made for a link that is not
    infinitely fast; `by_bytes` has each run go through them, the parser and the session.
    """

    def __init__(
        self,
        tokens: Tokens,
        segment: Segment,
        randomness: Callable[[int], Callable[[], float]],
        *,
        by_bytes: bool = False,
    ) -> None:
        self._tokens = tokens
        self._segment = lru_cache(_SEGMENTED)(segment)
        self._randomness = randomness
        self._by_bytes = by_bytes
        # Runs that share a stage follow each other when parameters are crossed, the page's the fastest.
        self._serve = lru_cache(_SERVED)(self._served)
        self._wire = lru_cache(_SERVED)(self._bytes)
        self._read = lru_cache(1)(self._received)
        self._show = lru_cache(1)(self._shown)

    def run(self, setting: Setting, seed: int = 0) -> VirtualRun:
        """Compute one run."""
        knobs, network, page = setting.knobs, setting.network, setting.page
        # A seed that nothing draws from makes no difference, so such runs share what they read.
        drawn = seed if network.jitter_ms or self._by_bytes else None
        served = self._serve(knobs)
        received = self._read(knobs, network, drawn)
        shown = self._show(knobs, network, drawn, setting.pace, page)
        return VirtualRun(
            asked_s=-network.latency_ms / 1000.0,
            texts=received.texts,
            tokens=served.tokens,
            model_first_s=served.first_s,
            model_last_s=served.last_s,
            chunk_s=served.chunk_s,
            write_s=tuple([served.writes_s[at] for at in served.write]),
            receive_s=received.receive_s,
            show_first_s=shown.first_s,
            show_last_s=shown.last_s,
            paint_s=tuple([at_s + page.paint_ms / 1000.0 for at_s in shown.last_s]),
            frames_s=shown.frames_s,
            frame_chars=shown.chars,
            end_s=received.end_s,
            state=received.state,
        )

    def _served(self, knobs: Knobs) -> Served:
        return serve(self._tokens, knobs)

    def _bytes(self, knobs: Knobs) -> tuple[bytes, ...]:
        return wire(self._serve(knobs))

    def _received(self, knobs: Knobs, network: Network, seed: int | None) -> Read:
        served = self._serve(knobs)
        unit_random = self._randomness(seed or 0)
        sized = network.bytes_per_s < math.inf
        sizes = map(len, self._wire(knobs)) if sized else (0 for _ in served.writes_s)
        arrived_s = arrivals(served.writes_s, sizes, network, unit_random)
        if self._by_bytes:
            return read(zip(arrived_s, self._wire(knobs), strict=True), unit_random)
        return Read(served.texts, tuple([arrived_s[at] for at in served.write]), arrived_s[-1], "done")

    def _shown(self, knobs: Knobs, network: Network, seed: int | None, pace: PacerOptions, page: Page) -> Shown:
        return show(self._read(knobs, network, seed), pace, page, self._segment)
