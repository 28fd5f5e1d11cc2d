"""When received text is shown: a pace that punctuation slows and a lag cap hurries (design.md section 6).

Showing a cluster takes time: a letter `base_delay_ms / chars_per_step`, punctuation `base_delay_ms` times
its multiplier. These times are weights, and they add up, so that the pace does not depend on how text was
cut into deltas. The pacer spends them at a speed:

- 1 at most while there is slack, so that `base_delay_ms` is the fastest unhurried pace;
- below 1 when the source is slow, so that the backlog lasts until the next delta is expected;
- as high as the deadlines ask, `arrival + max_lag_ms` for every delta. Needed is the largest, over the
  deltas that wait, of the time up to the end of the delta divided by the time left to its deadline: the
  least constant speed that meets all of them (Yao, Demers, Shenker: A scheduling model for reduced CPU
  energy, FOCS 1995).

Pure: times are milliseconds of any steady clock. Its twin is js/pacing/typewriter.js, with the same
arithmetic in the same order; tests/vectors/typewriter.json holds both to it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from .arrivals import FRAME_MS, Arrivals
from .backlog import SLACK_MS, Backlog, Segment
from .pace import PacerOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Pacer", "PacerOptions", "Segment"]

_LEAST_STEP_MS: Final = 0.1


class Pacer:
    """Takes deltas as they come and says which text is on show at a time.

    Joined, what it returns is what it was given. Only whole grapheme clusters come out, judged against the
    text received so far; the last one, which the next delta may extend, is held until that delta, the end,
    or its deadline. One that was shown and then grows is completed at once. A take costs O(clusters shown +
    deltas that wait), and at most one delta waits for each millisecond of `max_lag_ms`.
    """

    def __init__(self, options: PacerOptions, segment: Segment) -> None:
        self._segment = segment
        self._options = options
        self._weights_ms = options.weights_ms
        self._backlog = Backlog(segment, options.weights_ms)
        self._arrivals = Arrivals()
        self._now_ms = -math.inf
        # The time up to which `_wait_ms`, the weight still to spend before the next step, is accounted for.
        self._since_ms = -math.inf
        self._wait_ms = 0.0

    @property
    def options(self) -> PacerOptions:
        """The options in force."""
        return self._options

    @property
    def backlog(self) -> int:
        """How many clusters wait."""
        return self._backlog.waiting

    @property
    def idle(self) -> bool:
        """Whether no text waits, so that there is nothing to take until the next delta."""
        return not self._backlog.deltas and not self._backlog.extension

    @property
    def ended(self) -> bool:
        """Whether `finish` said that no delta follows."""
        return self._backlog.ended

    @property
    def oldest_ms(self) -> float | None:
        """When the oldest waiting text came, None when nothing waits."""
        return self._backlog.oldest_ms

    @property
    def rests_ms(self) -> float | None:
        """The time before which takes change nothing, if no delta comes and no end; None when any may."""
        backlog = self._backlog
        if backlog.waiting != 1 or backlog.growing_ms == -math.inf or backlog.extension or self._wait_ms:
            return None
        return backlog.deltas[-1].arrival_ms + self._options.max_lag_ms

    def append(self, text: str, now_ms: float) -> None:
        """Take one delta. After `finish` it goes on: the text gets a new end."""
        if not text:
            return
        now_ms = self._now_ms = max(self._now_ms, now_ms)
        if not self._ready(now_ms):
            self._advance(now_ms)
        self._arrivals.note(now_ms, self._options.max_lag_ms)
        self._backlog.add(text, now_ms)

    def finish(self, now_ms: float) -> None:
        """No delta follows: the rest is shown at the unhurried pace or faster, within `max_lag_ms`."""
        self._now_ms = max(self._now_ms, now_ms)
        self._advance(self._now_ms)
        self._backlog.finish()

    def take(self, now_ms: float) -> str:
        """Return the text to show now, after what was returned before."""
        _, shown = self.takes((now_ms,))
        return shown[0][1] if shown else ""

    def takes(self, times_ms: Iterable[float]) -> tuple[int, list[tuple[float, str]]]:
        """Take at one time after the other, until nothing waits or it rests; return how often, and what was shown when.

        A sweep spends most of its time in this loop, so its state is in local variables.
        """
        backlog, now_ms, since_ms, wait_ms = self._backlog, self._now_ms, self._since_ms, self._wait_ms
        clusters, head, size = backlog.clusters, backlog.head, len(backlog.clusters)
        pace, lag_ms, deltas = self._options, self._options.max_lag_ms, backlog.deltas
        spent_ms, next_ms, held_ms = self._spent_ms, self._arrivals.next_ms, backlog.growing_ms + lag_ms
        count = 0
        shown: list[tuple[float, str]] = []
        for at_ms in times_ms:
            count += 1
            if at_ms > now_ms:
                now_ms = at_ms
            if size - head > (since_ms < held_ms):
                wait_ms -= spent_ms(wait_ms, since_ms, now_ms, next_ms)
            else:
                # Nothing could be shown meanwhile: the pause after the last step passes, no credit is saved up.
                wait_ms = max(0.0, wait_ms - (now_ms - since_ms))
            since_ms = now_ms
            extension = backlog.take_extension() if backlog.extension else ""
            ready = size - head - (now_ms < held_ms)
            if ready <= 0:
                if wait_ms < 0.0:
                    wait_ms = 0.0
            elif wait_ms <= SLACK_MS or deltas[0].arrival_ms + lag_ms <= now_ms:
                wait_ms = backlog.take_steps(ready, wait_ms, now_ms, pace)
            if extension or backlog.head > head:
                shown.append((at_ms, extension + "".join(clusters[head : backlog.head])))
                head = backlog.head
                if head == size:
                    break
            elif size - head <= 1 and not wait_ms:
                break
        self._now_ms, self._since_ms, self._wait_ms = now_ms, since_ms, wait_ms
        return count, shown

    def next_ms(self, now_ms: float) -> float | None:
        """Return the time before which no take shows anything, if no delta comes; None when nothing waits."""
        if self.idle:
            return None
        ready = self._ready(now_ms)
        if self._backlog.extension or (ready and self._wait_ms <= SLACK_MS):
            return now_ms
        if not ready:
            return max(now_ms, self._backlog.deltas[-1].arrival_ms + self._options.max_lag_ms)
        return max(now_ms, self._since_ms + _LEAST_STEP_MS, self._due_ms())

    def flush(self) -> str:
        """Return all text that waits."""
        self._wait_ms = 0.0
        return self._backlog.flush()

    def clear(self) -> None:
        """Forget everything but the options: a new text begins."""
        self._backlog = Backlog(self._segment, self._weights_ms)
        self._arrivals = Arrivals()
        self._now_ms = -math.inf
        self._since_ms = -math.inf
        self._wait_ms = 0.0

    def update(self, options: PacerOptions) -> None:
        """Change the options while text runs; they hold for all text that waits."""
        if self._options.base_delay_ms > 0:
            self._wait_ms = self._wait_ms * (options.base_delay_ms / self._options.base_delay_ms)
        self._options = options
        self._weights_ms = options.weights_ms
        self._backlog.weigh(self._weights_ms)

    def _ready(self, now_ms: float) -> bool:
        """Whether any cluster may be shown: the last one is held while a delta may extend it."""
        backlog = self._backlog
        held = now_ms < backlog.growing_ms + self._options.max_lag_ms
        return len(backlog.clusters) - backlog.head > held

    def _advance(self, now_ms: float) -> None:
        if self._ready(self._since_ms):
            self._wait_ms -= self._spent_ms(self._wait_ms, self._since_ms, now_ms, self._arrivals.next_ms)
        else:
            self._wait_ms = max(0.0, self._wait_ms - (now_ms - self._since_ms))
        self._since_ms = now_ms

    def _spent_ms(self, wait_ms: float, start_ms: float, now_ms: float, next_ms: float) -> float:
        deltas, max_lag_ms = self._backlog.deltas, self._options.max_lag_ms
        passed_ms = now_ms - start_ms
        cost_ms = whole_ms = wait_ms
        for delta in deltas:
            whole_ms += delta.cost_ms
        speed = 1.0 if self._backlog.ended else _even_speed(whole_ms, next_ms - start_ms)
        even_ms = passed_ms * speed
        needed_ms = 0.0
        # Once all have come, one that the whole cost would not hurry ends the search: no later one costs more, or is
        # due sooner.
        come = deltas[-1].arrival_ms <= start_ms
        for delta in deltas:
            arrival_ms = delta.arrival_ms
            if arrival_ms > start_ms:
                # No delta is shown in time that passed before it came.
                start_ms, passed_ms = arrival_ms, now_ms - arrival_ms
                even_ms = min(even_ms, cost_ms + passed_ms * speed)
            cost_ms += delta.cost_ms
            deadline_ms = arrival_ms + max_lag_ms
            if now_ms >= deadline_ms:
                needed_ms = cost_ms if cost_ms > needed_ms else needed_ms
                continue
            share = passed_ms / (deadline_ms - start_ms)
            if whole_ms * share <= even_ms and come:
                break
            if cost_ms * share > needed_ms:
                needed_ms = cost_ms * share
        return even_ms if even_ms > needed_ms else needed_ms

    def _due_ms(self) -> float:
        cost_ms = self._wait_ms
        due_ms = math.inf
        for delta in self._backlog.deltas:
            cost_ms += delta.cost_ms
            start_ms = max(self._since_ms, delta.arrival_ms)
            left_ms = max(0.0, delta.arrival_ms + self._options.max_lag_ms - start_ms)
            due_ms = min(due_ms, start_ms + left_ms * (self._wait_ms / cost_ms))
        speed = 1.0 if self._backlog.ended else _even_speed(cost_ms, self._arrivals.next_ms - self._since_ms)
        return min(due_ms, self._since_ms + self._wait_ms / speed)


def _even_speed(whole_ms: float, left_ms: float) -> float:
    """Return the speed at which what waits lasts until the next delta is expected."""
    speed = whole_ms / (left_ms if left_ms > FRAME_MS else FRAME_MS)
    return speed if speed < 1.0 else 1.0
