"""A fault plan at work on one connection: frames in, what leaves and when out. Twin of js/protocol/disturbance.js.

It is incremental and holds back only what `reorder` and `buffer` hold, which is bounded. The way of a frame:
`truncate` and `corrupt` change it, `cut` ends the connection at it, `duplicate` and `reorder` change the sequence,
`stall`, `delay`, `jitter` and `drip` the times, and `buffer` stands last, as the proxy next to the reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from sse_widget.protocol.chance import Chance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sse_widget.protocol.fault_steps import Kind, Step

MAX_PIECES = 4096
"""A frame drips in at most this many pieces; a longer one in larger pieces at the same rate."""

_PINGS = (b"event: ping\n", b"event: ping\r")
_UNNUMBERED = (*_PINGS, b"event: timing\n", b"event: timing\r")
_CR, _LF = 0x0D, 0x0A


class Sent(msgspec.Struct, frozen=True, tag_field="do", tag="sent"):
    """These bytes leave at this time, in ms."""

    at_ms: float
    data: bytes


class Over(msgspec.Struct, frozen=True, tag_field="do", tag="over"):
    """The body ends at this time, in ms; or, `broken`, the connection does without an end."""

    at_ms: float
    broken: bool


Happening = Sent | Over


@dataclass(slots=True)
class _Lane:
    """A step with randomness of its own, so that no other step changes what it does."""

    step: Step
    chance: Chance
    count: int = 0


class Disturbance:
    """One connection under the steps that name it; `steps` come with their places in the plan.

    Times are ms of any steady clock and never run backward in what it returns. After `Over`, nothing is returned.
    """

    def __init__(self, seed: int, steps: Sequence[tuple[int, Step]]) -> None:
        self.over = False
        self._lanes = [_Lane(step, Chance(seed, place)) for place, step in steps]
        self._index = -1
        self._free_ms = 0.0
        self._late: list[tuple[int, bytes]] = []
        self._held: list[bytes] = []
        self._held_bytes = 0

    def feed(self, frame: bytes, at_ms: float) -> list[Happening]:
        """Take the next frame, at the time when the undisturbed server writes it."""
        if self.over or not frame:
            return []
        if frame.startswith(_UNNUMBERED):
            lost = frame.startswith(_PINGS) and self._swallows()
            return [] if lost else self._send(frame, at_ms)
        self._index += 1
        frame = self._altered(frame)
        for lane in self._struck("stall"):
            self._free_ms = max(self._free_ms, at_ms) + lane.step.ms
        for lane in self._lanes:
            if lane.step.kind == "cut" and (kept := _kept(lane, frame, self._index)) is not None:
                return [*self._send(frame[:kept], at_ms), *self._close(at_ms, broken=not lane.step.clean)]
        copies = 1 + sum(lane.step.times for lane in self._struck("duplicate"))
        late = max((lane.step.by for lane in self._struck("reorder")), default=0)
        happenings: list[Happening] = []
        if late:
            self._late.append((self._index + late, frame * copies))
        else:
            happenings += self._send(frame * copies, at_ms)
        for due in [late for late in self._late if late[0] <= self._index]:
            self._late.remove(due)
            happenings += self._send(due[1], at_ms)
        return happenings

    def end(self, at_ms: float) -> list[Happening]:
        """Take the end of the undisturbed body: what was held back leaves, and the body ends."""
        return [] if self.over else self._close(at_ms, broken=False)

    def _struck(self, kind: Kind) -> Iterator[_Lane]:
        """The lanes of a kind that act on this frame alone."""
        return (lane for lane in self._lanes if lane.step.kind == kind and lane.step.event == self._index)

    def _ranged(self, kind: Kind) -> Iterator[_Lane]:
        """The lanes of a kind that act on a range of frames in which this one is; a ping counts with the one before."""
        for lane in self._lanes:
            step = lane.step
            begun = step.kind == kind and step.event <= self._index
            if begun and (step.events == 0 or self._index < step.event + step.events):
                yield lane

    def _swallows(self) -> bool:
        for lane in self._ranged("heartbeat_loss"):
            if lane.step.pings == 0 or lane.count < lane.step.pings:
                lane.count += 1
                return True
        return False

    def _altered(self, frame: bytes) -> bytes:
        for lane in self._struck("truncate"):
            if len(frame) > 1:
                dropped = lane.step.bytes or 1 + lane.chance.below(len(frame) - 1)
                frame = frame[: max(1, len(frame) - dropped)]
        for lane in self._struck("corrupt"):
            offset, mask = lane.step.offset, lane.step.mask
            at = lane.chance.below(len(frame)) if offset is None else offset % len(frame)
            changed = frame[at] ^ (1 + lane.chance.below(255) if mask is None else mask)
            frame = frame[:at] + bytes((changed,)) + frame[at + 1 :]
        return frame

    def _send(self, data: bytes, at_ms: float) -> list[Happening]:
        """Let bytes leave when the times allow, and no earlier than what left before."""
        if not data:
            return []
        for lane in self._ranged("delay"):
            at_ms += lane.step.ms
        for lane in self._ranged("jitter"):
            at_ms += lane.chance.below(lane.step.ms + 1)
        self._free_ms = max(self._free_ms, at_ms)
        sent = self._dripping(data)
        limit = max((lane.step.bytes or 0 for lane in self._ranged("buffer")), default=0)
        return list(sent) if limit == 0 else [kept for one in sent for kept in self._buffered(one, limit)]

    def _dripping(self, data: bytes) -> Iterator[Sent]:
        step = next((lane.step for lane in self._ranged("drip")), None)
        if step is None:
            yield Sent(self._free_ms, data)
            return
        rate = step.bytes or 1
        size = max(rate, -(-len(data) // MAX_PIECES))
        begin_ms = self._free_ms
        for at in range(0, len(data), size):
            self._free_ms = begin_ms + at // rate * step.ms
            yield Sent(self._free_ms, data[at : at + size])

    def _buffered(self, sent: Sent, limit: int) -> list[Happening]:
        self._held.append(sent.data)
        self._held_bytes += len(sent.data)
        return self._flushed() if self._held_bytes >= limit else []

    def _flushed(self) -> list[Happening]:
        data = b"".join(self._held)
        self._held.clear()
        self._held_bytes = 0
        return [Sent(self._free_ms, data)] if data else []

    def _close(self, at_ms: float, *, broken: bool) -> list[Happening]:
        happenings: list[Happening] = []
        if not broken:
            for _, frame in self._late:
                happenings += self._send(frame, at_ms)
        self._free_ms = max(self._free_ms, at_ms)
        if not broken:
            happenings += self._flushed()
        self._late.clear()
        self._held.clear()
        self.over = True
        return [*happenings, Over(self._free_ms, broken)]


def _kept(lane: _Lane, frame: bytes, index: int) -> int | None:
    """Return how many bytes of the frame a cut lets through; None when it does not cut here."""
    step = lane.step
    if index < step.event:
        return None
    match step.where:
        case "before" | "after" | "inside" if index > step.event:
            return None
        case "before":
            return 0
        case "after":
            return len(frame)
        case "inside":
            if len(frame) < 2:
                return 0
            return min(step.offset, len(frame) - 1) if step.offset else 1 + lane.chance.below(len(frame) - 1)
        case "character" | "line_end" as place:
            places = _places(frame, place)
            return places[lane.chance.below(len(places))] if places else None


def _places(frame: bytes, where: Literal["character", "line_end"]) -> list[int]:
    """Return the offsets of continuation bytes of UTF-8, or of each LF after a CR."""
    if where == "character":
        return [at for at in range(1, len(frame)) if frame[at] & 0xC0 == 0x80]
    return [at for at in range(1, len(frame)) if frame[at - 1] == _CR and frame[at] == _LF]
