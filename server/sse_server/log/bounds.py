"""How much a log keeps: what all stores have in common. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TERMINAL = frozenset({"done", "error"})
BATCH_BYTES = 64 << 10
"""A batch ends with the first event that reaches this, so that a reader far behind costs little memory."""

MAX_TEXT_BYTES = 16 << 20
"""The longest text so far that is kept: a snapshot is one event, and clients take none that is longer."""

REMEMBERED = 10_000
"""Of how many expired streams the ids and keys are known."""


def over_share(sizes: Mapping[str, int], max_bytes: int) -> dict[str, int]:
    """Return which of the running streams must let events go, and to what size.

    Each has an equal share of `max_bytes`; nothing goes while all of them together keep to it. What is trimmed goes
    an eighth of the share below it, so that a stream at its bound is not trimmed again with every event.
    """
    if sum(sizes.values()) <= max_bytes:
        return {}
    share = max_bytes // len(sizes)
    return {stream_id: share - share // 8 for stream_id, size in sizes.items() if size > share}


def text_fits(text_bytes: int, target_bytes: int) -> bool:
    """Whether the text so far may stay with a stream that is trimmed to this size: it takes half of it at most."""
    return text_bytes <= min(MAX_TEXT_BYTES, target_bytes // 2)
