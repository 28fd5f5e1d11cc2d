"""Text that was received and is not shown yet, as grapheme clusters.

Pure: the segmenter is an argument. Its twin is js/pacing/backlog.js.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import lru_cache
from math import floor, inf
from typing import TYPE_CHECKING, Final

import msgspec

from .punctuation import CLAUSE, LETTER, SENTENCE, kind_of

if TYPE_CHECKING:
    from .pace import PacerOptions

Segment = Callable[[str], list[str]]
"""Text to its grapheme clusters (UAX 29), joined the same text: `regex.compile(r"\\X").findall`."""

Weights = tuple[float, float, float]
"""The unhurried time (ms) that showing one cluster of each kind takes."""

MAX_CLUSTER: Final = 64
"""Code points up to which a cluster may be extended, so that endless combining marks cost linear time."""

SLACK_MS: Final = 1e-3
"""Less time than this is none: rounding must not cost a frame."""

_READ: Final = 8192
_SEGMENTERS: Final = 8
_SHOWN_AT_MOST: Final = 4096


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What a delta is made of, which is the same whenever it comes after the same text.

    `grown` is what became of the cluster before it, `clusters` are the further ones, `counts` how many of these are
    of each kind, and `marks` (place, kind) of the punctuation. `last` is the last cluster, grown or not.
    """

    grown: str
    clusters: tuple[str, ...]
    counts: tuple[int, int, int]
    marks: tuple[tuple[int, int], ...]
    last: str


@lru_cache(_SEGMENTERS)
def _reader(segment: Segment) -> Callable[[str, bool], Reading]:
    """Return what reads (tail and delta, whether there is a tail), each once: sweeps send the same text often."""

    @lru_cache(_READ)
    def read(text: str, tailed: bool) -> Reading:  # noqa: FBT001 - a key of the cache
        clusters = segment(text)
        further = tuple(clusters[tailed:])
        kinds = list(map(kind_of, further))
        marks = tuple([(place, kind) for place, kind in enumerate(kinds) if kind != LETTER])
        counts = (kinds.count(LETTER), kinds.count(CLAUSE), kinds.count(SENTENCE))
        return Reading(clusters[0] if tailed else "", further, counts, marks, clusters[-1])

    return read


class Delta:
    """What waits of the deltas of one millisecond: when they came, where they end, and what showing them costs."""

    __slots__ = ("arrival_ms", "clauses", "cost_ms", "end", "letters", "sentences")

    def __init__(self, arrival_ms: float) -> None:
        self.arrival_ms = arrival_ms
        self.cost_ms = 0.0
        self.end = 0
        self.letters = self.clauses = self.sentences = 0

    def weigh(self, weights_ms: Weights) -> None:
        """Set `cost_ms`, the unhurried time that showing it takes."""
        self.cost_ms = (
            self.letters * weights_ms[LETTER]
            + self.clauses * weights_ms[CLAUSE]
            + self.sentences * weights_ms[SENTENCE]
        )


class Backlog:
    """A queue of clusters in the order of the text: those of `clusters` from `head` on wait.

    The last cluster may still grow by the next delta. Text is segmented once, from that cluster on: starting
    at a cluster boundary gives the boundaries of the whole text, since no rule of UAX 29 looks further back.
    """

    def __init__(self, segment: Segment, weights_ms: Weights) -> None:
        self.deltas: deque[Delta] = deque()
        self.clusters: list[str] = []
        self.head = 0
        self.ended = False
        # When the last delta that waits came, if a further one may still extend its last cluster.
        self.growing_ms = -inf
        self._read = _reader(segment)
        self._weights_ms = weights_ms
        # Where punctuation stands in `clusters`, and of which kind it is.
        self._marks: deque[tuple[int, int]] = deque()
        # The last cluster of the text, shown or not; empty when nothing may extend it.
        self._tail = ""
        # What a delta added to a cluster that was on show already.
        self.extension = ""
        self._extension_ms = 0.0

    @property
    def waiting(self) -> int:
        """How many clusters wait."""
        return len(self.clusters) - self.head

    @property
    def oldest_ms(self) -> float | None:
        """When the oldest waiting text came, None when nothing waits."""
        if self.extension:
            return self._extension_ms
        return self.deltas[0].arrival_ms if self.deltas else None

    def add(self, text: str, now_ms: float) -> None:
        """Take one delta; `now_ms` never goes back. Costs O(len(text))."""
        self.ended = False
        tail = self._tail
        reading = self._read(tail + text, tail != "")
        if tail:
            if self.head < len(self.clusters):
                self.clusters[-1] = reading.grown
            elif len(reading.grown) > len(tail):
                self._extend(reading.grown[len(tail) :], now_ms)
        if reading.clusters:
            self._push(reading, now_ms)
        self._tail = reading.last if len(reading.last) <= MAX_CLUSTER else ""
        self.growing_ms = self.deltas[-1].arrival_ms if self._tail and self.deltas else -inf

    def finish(self) -> None:
        """No delta follows."""
        self.ended = True
        self.growing_ms = -inf

    def take_steps(self, ready: int, wait_ms: float, now_ms: float, pace: PacerOptions) -> float:
        """Show a step, and more until there is a time to wait for or no cluster is ready; return that time.

        A step is `chars_per_step` clusters, none after punctuation. What is shown is what `head` moves over.
        """
        deltas, weights_ms, most = self.deltas, self._weights_ms, pace.chars_per_step
        letter_ms, max_lag_ms = weights_ms[LETTER], pace.max_lag_ms
        while ready:
            taken, kind = self._take_step(most if most < ready else ready)
            ready -= taken
            while taken > 1:
                wait_ms += letter_ms
                taken -= 1
            wait_ms += weights_ms[kind]
            if wait_ms > SLACK_MS and ready and deltas[0].arrival_ms + max_lag_ms > now_ms:
                return wait_ms
        return wait_ms if wait_ms > 0.0 else 0.0

    def _take_step(self, most: int) -> tuple[int, int]:
        head, marks, kind = self.head, self._marks, LETTER
        if marks and marks[0][0] < head + most:
            place, kind = marks.popleft()
            most = place + 1 - head
        self.head = end = head + most
        deltas = self.deltas
        delta = deltas[0]
        while delta.end < end:
            head = delta.end
            deltas.popleft()
            delta = deltas[0]
        if delta.end == end:
            deltas.popleft()
            return most, kind
        delta.letters -= end - head
        if kind != LETTER:
            delta.letters += 1
            delta.clauses -= kind == CLAUSE
            delta.sentences -= kind == SENTENCE
        delta.weigh(self._weights_ms)
        return most, kind

    def take_extension(self) -> str:
        """Return what a delta added to the cluster on show, usually nothing."""
        extension = self.extension
        self.extension = ""
        return extension

    def flush(self) -> str:
        """Return all text that waits."""
        text = self.take_extension() + "".join(self.clusters[self.head :])
        self.clusters.clear()
        self.head = 0
        self._marks.clear()
        self.deltas.clear()
        self.growing_ms = -inf
        return text

    def weigh(self, weights_ms: Weights) -> None:
        """Change what showing a cluster costs."""
        self._weights_ms = weights_ms
        for delta in self.deltas:
            delta.weigh(weights_ms)

    def _extend(self, extension: str, now_ms: float) -> None:
        if not self.extension:
            self._extension_ms = now_ms
        self.extension += extension

    def _push(self, reading: Reading, now_ms: float) -> None:
        if self.head > _SHOWN_AT_MOST:
            self._forget_shown()
        # One delta a millisecond bounds the work of a take, however small the deltas are.
        if not self.deltas or floor(self.deltas[-1].arrival_ms) != floor(now_ms):
            self.deltas.append(Delta(now_ms))
        start = len(self.clusters)
        self.clusters += reading.clusters
        delta = self.deltas[-1]
        delta.end = len(self.clusters)
        letters, clauses, sentences = reading.counts
        delta.letters += letters
        if reading.marks:
            delta.clauses += clauses
            delta.sentences += sentences
            self._marks.extend([(start + place, kind) for place, kind in reading.marks])
        delta.weigh(self._weights_ms)

    def _forget_shown(self) -> None:
        shown, self.head = self.head, 0
        del self.clusters[:shown]
        for delta in self.deltas:
            delta.end -= shown
        self._marks = deque([(place - shown, kind) for place, kind in self._marks])
