"""What a process knows of a stream that it produces into a store elsewhere."""

from __future__ import annotations

import asyncio
from itertools import zip_longest
from typing import TYPE_CHECKING

import msgspec

from sse_server.log.bounds import TERMINAL
from sse_widget.protocol.events import TEXT, event_id, text_of
from sse_widget.protocol.sse import Event, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sse_server.log.base import Origin


class Row(msgspec.Struct, frozen=True, gc=False):
    """An event on its way to the store, with its stamps as whole numbers of ns, empty without any."""

    event: Event
    stamps: bytes


class Caller:
    """Whoever waits for an append. One who `left` will not send it again."""

    left = False


class Holding:
    """A stream that this process holds the lease of. `last` is the last event that is known to have landed.

    `owed` are rows whose caller left before the store took them. `texts` is None where others have to be asked for
    the text.
    """

    def __init__(self, stream_id: str) -> None:
        self.stream_id = stream_id
        self.last = 0
        self.text_seq = 0
        self.texts: list[str] | None = []
        self.owed: list[Row] = []
        self.lock = asyncio.Lock()

    def frames(self, rows: Sequence[Row]) -> list[bytes]:
        """Return the rows as they are on the wire, numbered behind the last event."""
        return [
            encode(Event(row.event.event, row.event.data, event_id(self.stream_id, seq)))
            for seq, row in enumerate(rows, self.last + 1)
        ]

    def text(self, rows: Sequence[Row]) -> tuple[str, int | str]:
        """Return the text of the rows and the seq of its last event, an empty string without any."""
        texts = [text_of(row.event.data) for row in rows if row.event.event == TEXT]
        at = max((seq for seq, row in enumerate(rows, self.last + 1) if row.event.event == TEXT), default="")
        return "".join(texts), at

    def landed(self, rows: Sequence[Row]) -> None:
        """Take note that the rows are in the store."""
        text, at = self.text(rows)
        if isinstance(at, int):
            self.text_seq = at
            if self.texts is not None:
                self.texts.append(text)
        self.last += len(rows)

    @property
    def whole_text(self) -> str | None:
        """The text so far, None when it is not known here."""
        if self.texts is not None and len(self.texts) > 1:
            self.texts = ["".join(self.texts)]
        return None if self.texts is None else "".join(self.texts)


def rows_of(events: Sequence[Event], origins: Sequence[Origin | None], append_ns: int) -> list[Row]:
    """Return events with their stamps. Raises ValueError when a terminal event is not the last."""
    if any(event.event in TERMINAL for event in events[:-1]):
        raise ValueError("the stream has ended; nothing can follow its terminal event")
    return [
        Row(event, b"" if origin is None else b"%d %d %d %d" % (*msgspec.structs.astuple(origin), append_ns))
        for event, origin in zip_longest(events, origins)
    ]
