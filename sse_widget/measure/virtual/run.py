"""A virtual run from its tokens to the screen, each stage computed once for all runs that share it. Pure."""

from __future__ import annotations

from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, TypeVar

import msgspec

from sse_widget.measure.spans import Received, Span
from sse_widget.pacing.chunker import Knobs
from sse_widget.pacing.pace import PacerOptions
from sse_widget.protocol.events import TerminalState
from sse_widget.protocol.faults import FaultPlan

from .log import Log
from .network import Network, arrivals
from .page import Page, Shown, show
from .reading import Conditions, Read, Reconnection, read
from .serving import Served, Tokens, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from sse_widget.pacing.typewriter import Segment

_Item = TypeVar("_Item")
_Way = tuple[Knobs, Network, FaultPlan | None, Reconnection | None, int]

_SERVED = 64
_NO_FAULT = FaultPlan(0)
_SESSION = 1 << 64


class Setting(msgspec.Struct, frozen=True):
    """All that a virtual run depends on besides its tokens and its seed. Without a fault nobody has to reconnect."""

    knobs: Knobs = Knobs()
    network: Network = Network()
    pace: PacerOptions = PacerOptions()
    page: Page = Page()
    fault: FaultPlan | None = None
    reconnection: Reconnection = Reconnection()


class VirtualRun(msgspec.Struct, frozen=True):
    """When each delta was where: one item a delta, in seconds from the moment at which the server began the run.

    The question was asked at `asked_s`, one latency before. `model_first_s` and `model_last_s` are the times of the
    first and the last of the delta's `tokens`; it was cut at `chunk_s`, written at `write_s`, received at `receive_s`;
    `show_first_s` and `show_last_s` are the frames of its first and its last character, and `paint_s` is when the
    latter was on the screen. By each of `frames_s`, `frame_chars` code points were on show. The stream ended for the
    reader at `end_s`, in `state`, after so many `connections` that brought `wire_bytes`. Of what was read again after
    a checksum failed, the last time counts.
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
    connections: int = 1
    wire_bytes: int | None = None

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.texts)

    @property
    def received(self) -> Received:
        """The run as the measures take it, with the times of its page."""
        painting_s = self.paint_s[0] - self.show_last_s[0] if self.texts else 0.0
        first_s = [at_s + painting_s for at_s in self.show_first_s]
        spans = tuple(map(Span, count(2), self.texts, self.receive_s, self.paint_s, first_s))
        first_tokens = self.tokens[0] if self.tokens else None
        return Received(self.asked_s, spans, sum(self.tokens), first_tokens, self.wire_bytes, self.end_s)


class Rehearsal:
    """Runs the same tokens under many settings.

    `segment` splits a text into grapheme clusters; `randomness` gives for a seed a source of numbers from 0 up to 1,
    always the same. Without faults bytes change nothing but their number, so then they only count; `by_bytes` has
    each run go through them, the parser and the session all the same.
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
        self._segment = segment
        self._randomness = randomness
        self._by_bytes = by_bytes
        # Runs that share a stage follow each other when parameters are crossed, the page's the fastest.
        self._serve = lru_cache(_SERVED)(self._served)
        self._log = lru_cache(_SERVED)(self._logged)
        self._sizes = lru_cache(_SERVED)(self._sized)
        self._read = lru_cache(1)(self._received)
        self._show = lru_cache(1)(self._shown)

    def run(self, setting: Setting, seed: int = 0) -> VirtualRun:
        """Compute one run."""
        fault = setting.fault or (_NO_FAULT if self._by_bytes else None)
        # A seed that nothing draws from makes no difference, so such runs share what they read.
        drawn = seed if setting.network.jitter_ms or fault else 0
        way = (setting.knobs, setting.network, fault, setting.reconnection if fault else None, drawn)
        served, received = self._serve(setting.knobs), self._read(*way)
        shown = self._show(way, setting.pace, setting.page)
        paint_s = setting.page.paint_ms / 1000.0
        return VirtualRun(
            asked_s=received.asked_s,
            texts=received.texts,
            tokens=_at(received.places, served.tokens),
            model_first_s=_at(received.places, served.first_s),
            model_last_s=_at(received.places, served.last_s),
            chunk_s=_at(received.places, served.chunk_s),
            write_s=received.write_s,
            receive_s=received.receive_s,
            show_first_s=shown.first_s,
            show_last_s=shown.last_s,
            paint_s=tuple([at_s + paint_s for at_s in shown.last_s]),
            frames_s=shown.frames_s,
            frame_chars=shown.chars,
            end_s=received.end_s,
            state=received.state,
            connections=received.connections,
            wire_bytes=received.wire_bytes,
        )

    def _served(self, knobs: Knobs) -> Served:
        return serve(self._tokens, knobs)

    def _logged(self, knobs: Knobs) -> Log:
        return Log(self._serve(knobs))

    def _sized(self, knobs: Knobs) -> list[int]:
        return [len(write.data) for write in self._log(knobs).writes(0, 0.0)]

    def _received(
        self,
        knobs: Knobs,
        network: Network,
        fault: FaultPlan | None,
        reconnection: Reconnection | None,
        seed: int,
    ) -> Read:
        network_random = self._randomness(seed)
        if fault is not None and reconnection is not None:
            conditions = Conditions(network, fault, reconnection)
            return read(self._log(knobs), conditions, network_random, self._randomness(seed + _SESSION))
        served, sizes = self._serve(knobs), self._sizes(knobs)
        arrived_s = arrivals(served.writes_s, sizes, network, network_random)
        return Read(
            texts=served.texts,
            receive_s=tuple([arrived_s[at] for at in served.write]),
            end_s=arrived_s[-1],
            state="done",
            write_s=tuple([served.writes_s[at] for at in served.write]),
            asked_s=-network.latency_ms / 1000.0,
            wire_bytes=sum(sizes),
        )

    def _shown(self, way: _Way, pace: PacerOptions, page: Page) -> Shown:
        return show(self._read(*way), pace, page, self._segment)


def _at(places: tuple[int, ...] | None, column: tuple[_Item, ...]) -> tuple[_Item, ...]:
    return column if places is None else tuple([column[place] for place in places])
