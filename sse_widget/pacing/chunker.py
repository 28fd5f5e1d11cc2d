"""Tokens in, deltas out: when a piece of text is worth an event (design.md section 8).

Pure: `now` is seconds of any steady clock. Joined deltas equal joined tokens, always.
"""

from __future__ import annotations

import msgspec

BOUNDARIES = frozenset(".!?,;:،؛؟۔。！？，；：、…\n")
"""Sentence and clause punctuation of the supported scripts; a delta may end after any of them."""

_CLOSERS = "\"'”’»)]}）】」』 \t"


class Knobs(msgspec.Struct, frozen=True):
    """When deltas go out. Times in milliseconds.

    A delta is sent at `chunk_tokens` tokens, after punctuation (`flush_on_punctuation`), or `chunk_ms` after its first
    token. `delay_ms` is the least gap between two deltas; tokens that arrive in it join the next one.
    """

    chunk_tokens: int = 6
    chunk_ms: float = 250.0
    delay_ms: float = 0.0
    flush_on_punctuation: bool = True


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """The text of one delta, how many tokens it holds, and when the first and the last of them came."""

    text: str
    tokens: int
    first_s: float
    last_s: float


class Chunker:
    """Collects tokens of one run. `deadline` is when `poll` has something to do, None while nothing is held."""

    __slots__ = ("_first_at", "_gap", "_last_at", "_parts", "_ready", "_sent_at", "hold_until", "knobs")

    def __init__(self, knobs: Knobs) -> None:
        self.knobs = knobs
        self._parts: list[str] = []
        self._first_at = 0.0
        self._last_at = 0.0
        self._ready = False
        self._sent_at = float("-inf")
        self._gap = knobs.delay_ms / 1000.0
        self.hold_until = self._sent_at
        """The time before which `delay_ms` forbids another delta."""

    @property
    def deadline(self) -> float | None:
        """The time at which the held text goes out if nothing more arrives."""
        if not self._parts:
            return None
        due = self._first_at if self._ready else self._first_at + self.knobs.chunk_ms / 1000.0
        return max(due, self.hold_until)

    def push(self, token: str, now: float) -> Chunk | None:
        """Take one token; return the delta that it completes, if any."""
        if not self._parts:
            if self.knobs.chunk_tokens <= 1 and now >= self.hold_until:
                # What would be held and taken in the same breath.
                self._sent_at = now
                self.hold_until = now + self._gap
                return Chunk(token, 1, now, now)
            self._first_at = now
        self._last_at = now
        self._parts.append(token)
        knobs = self.knobs
        if len(self._parts) >= knobs.chunk_tokens or (knobs.flush_on_punctuation and ends_clause(token)):
            self._ready = True
        return self.poll(now)

    def poll(self, now: float) -> Chunk | None:
        """Return the held text as a delta if its time has come."""
        deadline = self.deadline
        return self._take(now) if deadline is not None and now >= deadline else None

    def finish(self, now: float) -> Chunk | None:
        """Return what is held: the source has ended. The caller waits for `hold_until` first."""
        return self._take(now) if self._parts else None

    def retune(self, knobs: Knobs) -> None:
        """Change the knobs of a run that is under way; they hold from the next delta on."""
        self.knobs = knobs
        self._gap = knobs.delay_ms / 1000.0
        self.hold_until = self._sent_at + self._gap
        if len(self._parts) >= knobs.chunk_tokens:
            self._ready = True

    def _take(self, now: float) -> Chunk:
        chunk = Chunk("".join(self._parts), len(self._parts), self._first_at, self._last_at)
        self._parts.clear()
        self._ready = False
        self._sent_at = now
        self.hold_until = now + self._gap
        return chunk


def ends_clause(token: str) -> bool:
    """Whether a token ends with punctuation, closing quotes and blanks after it not counted."""
    end = token.rstrip(_CLOSERS)
    return bool(end) and end[-1] in BOUNDARIES
