"""What one reader saw of a run, as it was taken down: what every figure and table is made from. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Segment = Callable[[str], list[str]]


class Span(msgspec.Struct, frozen=True, gc=False):
    """One delta: its seq in the stream, its text, and its times, in seconds of the reader's clock.

    `received_s` is when it was delivered; `painted_s` when its last character (grapheme cluster) was displayed, and
    `shown_s` when its first one was. These two are None when that did not happen or is not known. With `painted_s`
    alone, all of the delta counts as displayed then.

    The others are the flight recorder's, for the table alone, and None where nothing was recorded. `protocol.trace`
    says what each stamp is; `kernel_s` is when the kernel had the delta. A snapshot is the text up to its seq, which a
    reader that came later had in one piece. `connection` counts the reader's from 1, `attempt` those since the last
    progress.
    """

    seq: int
    text: str
    received_s: float
    painted_s: float | None = None
    shown_s: float | None = None
    kind: Literal["delta", "snapshot"] = "delta"
    connection: int | None = None
    attempt: int | None = None
    model_first_s: float | None = None
    model_last_s: float | None = None
    chunk_s: float | None = None
    append_s: float | None = None
    write_s: float | None = None
    parse_s: float | None = None
    show_last_s: float | None = None
    kernel_s: float | None = None


class Note(msgspec.Struct, frozen=True, gc=False):
    """What happened to a reader beside deltas: a heartbeat (`ping`) came, or its `state` became another one."""

    kind: Literal["ping", "state"]
    at_s: float
    connection: int | None = None
    attempt: int | None = None
    state: str | None = None
    reason: str | None = None


class Received(msgspec.Struct, frozen=True):
    """All that one reader received of a run that was asked at `asked_s`.

    `tokens` is how many the text is of, `first_tokens` how many of them the first delta holds, `wire_bytes` what came
    over the network for it, and `ended_s` when its end was known; each is None when unknown.

    `reader` is the page whose times these are, None where they are the kernel's own, `readers` all pages of which
    anything is known. The question's time is the page's or the kernel's (`asked_by`). Times of the page may be wrong
    against the server's by `clock_error_s`, those of the kernel by `kernel_error_s`.
    """

    asked_s: float
    spans: tuple[Span, ...] = ()
    tokens: int | None = None
    first_tokens: int | None = None
    wire_bytes: int | None = None
    ended_s: float | None = None
    notes: tuple[Note, ...] = ()
    reader: str | None = None
    readers: tuple[str, ...] = ()
    clock_error_s: float | None = None
    kernel_error_s: float | None = None
    asked_by: Literal["kernel", "page"] = "kernel"


class Moment(msgspec.Struct, frozen=True, gc=False):
    """When a delta came somewhere, from its first to its last character, in seconds, and how many it has."""

    first_s: float
    last_s: float
    chars: int


def added_chars(texts: Iterable[str], segment: Segment) -> Iterable[int]:
    """Yield how many characters each text adds to those before it, which may have cut a cluster."""
    last = ""
    for text in texts:
        if not text:
            yield 0
            continue
        clusters = segment(last + text)
        yield len(clusters) - bool(last)
        last = clusters[-1]
