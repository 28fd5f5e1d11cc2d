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

MAX_CLUSTER: Final = 64
"""Code points up to which a cluster may be extended, so that endless combining marks cost linear time."""


class Delta:
    """What waits of the deltas of one millisecond: how many clusters of each kind, and when they came."""

    __slots__ = ("arrival_ms", "counts")

    def __init__(self, arrival_ms: float) -> None:
        self.arrival_ms = arrival_ms
        self.counts = [0, 0, 0]

    def cost_ms(self, weights_ms: tuple[float, float, float]) -> float:
        """Return the unhurried time that showing it takes, for the time of one cluster of each kind."""
        counts = self.counts
        return (
            counts[LETTER] * weights_ms[LETTER]
            + counts[CLAUSE] * weights_ms[CLAUSE]
            + counts[SENTENCE] * weights_ms[SENTENCE]
        )


class Backlog:
    """A queue of clusters in the order of the text.

    The last cluster may still grow by the next delta. Text is segmented once, from that cluster on: starting
    at a cluster boundary gives the boundaries of the whole text, since no rule of UAX 29 looks further back.
    """

    def __init__(self, segment: Segment) -> None:
        self.deltas: deque[Delta] = deque()
        self.ended = False
        self._segment = segment
        self._clusters: deque[str] = deque()
        # The last cluster of the text, shown or not; empty when nothing may extend it.
        self._tail = ""
        self._extension = ""
        self._extension_ms = 0.0

    def __len__(self) -> int:
        """Count the clusters that wait."""
        return len(self._clusters)

    @property
    def held(self) -> bool:
        """Whether the last cluster waits for the delta that may extend it."""
        return bool(self._clusters) and bool(self._tail) and not self.ended

    @property
    def extension(self) -> str:
        """What a delta added to a cluster that was on show already."""
        return self._extension

    @property
    def oldest_ms(self) -> float | None:
        """When the oldest waiting text came, None when nothing waits."""
        if self._extension:
            return self._extension_ms
        return self.deltas[0].arrival_ms if self.deltas else None

    def add(self, text: str, now_ms: float) -> None:
        """Take one delta; `now_ms` never goes back. Costs O(len(text))."""
        self.ended = False
        clusters = self._segment(self._tail + text)
        last = clusters[-1]
        if self._tail:
            grown, *clusters = clusters
            if self._clusters:
                self._clusters[-1] = grown
            else:
                self._extend(grown[len(self._tail) :], now_ms)
        if clusters:
            self._push(clusters, now_ms)
        self._tail = last if len(last) <= MAX_CLUSTER else ""

    def take(self) -> tuple[str, int]:
        """Return the next cluster and its kind."""
        cluster = self._clusters.popleft()
        kind = kind_of(cluster)
        counts = self.deltas[0].counts
        counts[kind] -= 1
        if not any(counts):
            self.deltas.popleft()
        return cluster, kind

    def take_extension(self) -> str:
        """Return what a delta added to the cluster on show, usually nothing."""
        extension = self._extension
        self._extension = ""
        return extension

    def flush(self) -> str:
        """Return all text that waits."""
        text = self.take_extension() + "".join(self._clusters)
        self._clusters.clear()
        self.deltas.clear()
        return text

    def _extend(self, extension: str, now_ms: float) -> None:
        if extension and not self._extension:
            self._extension_ms = now_ms
        self._extension += extension

    def _push(self, clusters: list[str], now_ms: float) -> None:
        # One delta a millisecond bounds the work of a take, however small the deltas are.
        if not self.deltas or floor(self.deltas[-1].arrival_ms) != floor(now_ms):
            self.deltas.append(Delta(now_ms))
        counts = self.deltas[-1].counts
        for cluster in clusters:
            counts[kind_of(cluster)] += 1
        self._clusters.extend(clusters)
