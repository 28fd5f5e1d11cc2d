"""Text that was received and is not shown yet, as grapheme clusters.

Pure: the segmenter is an argument. Its twin is js/pacing/backlog.js.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import floor
from typing import Final

from .punctuation import CLAUSE, LETTER, SENTENCE, kind_of

Segment = Callable[[str], list[str]]
"""Text to its grapheme clusters (UAX 29), joined the same text: `regex.compile(r"\\X").findall`."""

Weights = tuple[float, float, float]
"""The unhurried time (ms) that showing one cluster of each kind takes."""

MAX_CLUSTER: Final = 64
"""Code points up to which a cluster may be extended, so that endless combining marks cost linear time."""


class Delta:
    """What waits of the deltas of one millisecond: when they came, how many clusters, and what showing them costs."""

    __slots__ = ("arrival_ms", "cost_ms", "counts", "waiting")

    def __init__(self, arrival_ms: float) -> None:
        self.arrival_ms = arrival_ms
        self.cost_ms = 0.0
        self.waiting = 0
        self.counts = [0, 0, 0]

    def weigh(self, weights_ms: Weights) -> None:
        """Set `cost_ms`, the unhurried time that showing it takes."""
        counts = self.counts
        self.cost_ms = (
            counts[LETTER] * weights_ms[LETTER]
            + counts[CLAUSE] * weights_ms[CLAUSE]
            + counts[SENTENCE] * weights_ms[SENTENCE]
        )


class Backlog:
    """A queue of clusters in the order of the text.

    The last cluster may still grow by the next delta. Text is segmented once, from that cluster on: starting
    at a cluster boundary gives the boundaries of the whole text, since no rule of UAX 29 looks further back.
    """

    def __init__(self, segment: Segment, weights_ms: Weights) -> None:
        self.deltas: deque[Delta] = deque()
        self.clusters: deque[str] = deque()
        self.ended = False
        # Whether a delta may still extend the last cluster of the text.
        self.growing = False
        self._segment = segment
        self._weights_ms = weights_ms
        self._kinds: deque[int] = deque()
        # The last cluster of the text, shown or not; empty when nothing may extend it.
        self._tail = ""
        # What a delta added to a cluster that was on show already.
        self.extension = ""
        self._extension_ms = 0.0

    @property
    def oldest_ms(self) -> float | None:
        """When the oldest waiting text came, None when nothing waits."""
        if self.extension:
            return self._extension_ms
        return self.deltas[0].arrival_ms if self.deltas else None

    def add(self, text: str, now_ms: float) -> None:
        """Take one delta; `now_ms` never goes back. Costs O(len(text))."""
        self.ended = False
        clusters = self._segment(self._tail + text)
        last = clusters[-1]
        if self._tail:
            grown, *clusters = clusters
            if self.clusters:
                self.clusters[-1] = grown
            else:
                self._extend(grown[len(self._tail) :], now_ms)
        if clusters:
            self._push(clusters, now_ms)
        self._tail = last if len(last) <= MAX_CLUSTER else ""
        self.growing = self._tail != ""

    def finish(self) -> None:
        """No delta follows."""
        self.ended = True
        self.growing = False

    def take_step(self, most: int, shown: list[str]) -> tuple[int, int]:
        """Move up to `most` clusters to `shown`, none after punctuation; return how many, and the kind of the last."""
        clusters, kinds, deltas = self.clusters, self._kinds, self.deltas
        kind = LETTER
        for taken in range(1, most + 1):
            shown.append(clusters.popleft())
            kind = kinds.popleft()
            delta = deltas[0]
            delta.counts[kind] -= 1
            delta.waiting -= 1
            if not delta.waiting:
                deltas.popleft()
            if kind != LETTER:
                most = taken
                break
        if deltas:
            deltas[0].weigh(self._weights_ms)
        return most, kind

    def take_extension(self) -> str:
        """Return what a delta added to the cluster on show, usually nothing."""
        extension = self.extension
        self.extension = ""
        return extension

    def flush(self) -> str:
        """Return all text that waits."""
        text = self.take_extension() + "".join(self.clusters)
        self.clusters.clear()
        self._kinds.clear()
        self.deltas.clear()
        return text

    def weigh(self, weights_ms: Weights) -> None:
        """Change what showing a cluster costs."""
        self._weights_ms = weights_ms
        for delta in self.deltas:
            delta.weigh(weights_ms)

    def _extend(self, extension: str, now_ms: float) -> None:
        if extension and not self.extension:
            self._extension_ms = now_ms
        self.extension += extension

    def _push(self, clusters: list[str], now_ms: float) -> None:
        # One delta a millisecond bounds the work of a take, however small the deltas are.
        if not self.deltas or floor(self.deltas[-1].arrival_ms) != floor(now_ms):
            self.deltas.append(Delta(now_ms))
        kinds = list(map(kind_of, clusters))
        delta = self.deltas[-1]
        delta.waiting += len(kinds)
        for kind in (LETTER, CLAUSE, SENTENCE):
            delta.counts[kind] += kinds.count(kind)
        delta.weigh(self._weights_ms)
        self._kinds.extend(kinds)
        self.clusters.extend(clusters)
