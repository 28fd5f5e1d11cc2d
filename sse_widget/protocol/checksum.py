"""Length and CRC-32 of a text that arrives in pieces: what `done` states and a reader checks."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from sse_widget.protocol.events import Done


class Stated(msgspec.Struct, frozen=True):
    """What an end says of the text."""

    chars: int | None = None
    crc32: int | None = None


class Checksum:
    """`chars` counts code points, `crc32` covers the UTF-8 bytes (zlib's polynomial) of all that was added."""

    __slots__ = ("chars", "crc32")

    def __init__(self) -> None:
        self.chars = 0
        self.crc32 = 0

    def add(self, text: str) -> None:
        """Take the next piece of the text."""
        self.chars += len(text)
        self.crc32 = zlib.crc32(text.encode("utf-8", "replace"), self.crc32)

    def matches(self, done: Done | Stated) -> bool:
        """Whether the text is the one that `done` speaks of."""
        return done.chars == self.chars and done.crc32 == self.crc32

    def agrees(self, data: str) -> bool:
        """Whether the data of `done` state this text, or nothing of a text; data that were spoilt agree with none."""
        try:
            stated = msgspec.json.decode(data, type=Stated)
        except msgspec.DecodeError:
            return False
        return stated == Stated() or self.matches(stated)
