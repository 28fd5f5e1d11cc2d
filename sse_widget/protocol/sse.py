"""Server-sent events on bytes: `encode` one event, `Parser` for a stream of them.

The grammar is the HTML standard's, sections 9.2.5 (parsing) and 9.2.6 (interpreting an event stream). A malformed
line is never an error there, and is none here; only size is bounded.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from sse_widget.errors import LimitExceeded

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""Largest event that a parser accepts unless told otherwise: 16 MiB."""

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(r"\r\n|\r|\n")
_NOT_IN_FIELD = re.compile(r"[\r\n\0]")
# The shape that servers write most: optional event, one data line, optional id, blank line.
_WHOLE_EVENT = re.compile(r"(?:event: ?([^\n]*)\n)?data: ?([^\n]*)\n(?:id: ?([^\n\0]*)\n)?\n")
# Digits beyond this are no delay that anyone waits for, and int() refuses thousands of them.
_MAX_RETRY_DIGITS = 15
# Whole lines of an unfinished event are interpreted when this much is held, so that comments do not pile up.
_SETTLE_BYTES = 64 * 1024
_CR, _LF = 0x0D, 0x0A
_FORGES = "an event type or id must not contain CR, LF or NUL"


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event: its type, its data, and the last event id at the time it was dispatched."""

    event: str = "message"
    data: str = ""
    id: str = ""


def encode(event: Event) -> bytes:
    """Return the bytes of one event, UTF-8, ending with the blank line that dispatches it.

    An empty `id` writes no id field. Raises ValueError when the event type or the id holds CR, LF or NUL, which
    would let its text forge further fields.
    """
    return encode_fields(event.event, event.data, event.id)


def encode_fields(name: str, data: str, event_id: str) -> bytes:
    """Return what `encode` does for an event of these fields."""
    head = _head(name)
    if not event_id.isprintable() and _NOT_IN_FIELD.search(event_id):
        raise ValueError(_FORGES)
    if "\n" in data or "\r" in data:
        data = "\ndata: ".join(_LINE_END.split(data))
    frame = f"{head}data: {data}\nid: {event_id}\n\n" if event_id else f"{head}data: {data}\n\n"
    return frame.encode("utf-8", "replace")


@lru_cache
def _head(name: str) -> str:
    """Return the event field, which few types share among all events."""
    if _NOT_IN_FIELD.search(name):
        raise ValueError(_FORGES)
    return "" if name == "message" else f"event: {name}\n"


class Parser:
    """Incremental parser: bytes in, whole events out, whatever the chunking.

    Bytes are held until a blank line completes an event and then interpreted in one go, so time is linear in the
    input. `last_event_id` holds what the stream has set so far. Raises LimitExceeded when one line, or the data of one
    event, grows beyond `max_event_bytes`; the parser is of no further use then.
    """

    def __init__(self, *, last_event_id: str = "", max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.last_event_id = last_event_id
        self._max_event_bytes = max_event_bytes
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._settle_at = min(_SETTLE_BYTES, max_event_bytes)
        self._at_start = True
        self._last_byte = _LF
        self._id = last_event_id
        self._type = ""
        self._data: list[str] = []
        self._data_chars = 0
        self._retry_ms: int | None = None

    @property
    def retry_ms(self) -> int | None:
        """The reconnection time that the stream has set so far, None until it does. Ask once a connection is over."""
        if self._held_bytes:
            # A retry field counts at the end of its line, which may stand in an event that is not complete.
            self._settle()
        return self._retry_ms

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes and return the events that they complete, in order."""
        if self._at_start:
            chunk = self._strip_bom(chunk)
        if not chunk:
            return []
        before, self._last_byte = self._last_byte, chunk[-1]
        if before == _CR or b"\r" in chunk:
            return self._feed_cr(chunk, before)
        end = chunk.rfind(b"\n\n") + 2
        if end == 1 and (before != _LF or chunk[0] != _LF):
            self._hold(chunk)
            return []
        self._held.append(chunk[:end])
        text = b"".join(self._held).decode("utf-8", "replace")
        self._held.clear()
        self._held_bytes = 0
        events = self._lines(text)
        if end < len(chunk):
            self._hold(chunk[end:])
        return events

    def _feed_cr(self, chunk: bytes, before: int) -> list[Event]:
        """Take bytes with CR line ends, or after one: a CR ends its line at once, an LF after it belongs to it."""
        if before == _CR and chunk[0] == _LF:
            chunk = chunk[1:]
        self._held.append(chunk)
        self._held_bytes += len(chunk)
        events = self._settle()
        self._check_size()
        return events

    def _settle(self) -> list[Event]:
        """Interpret the whole lines that are held; what is left is less than a line."""
        held = b"".join(self._held)
        end = max(held.rfind(b"\n"), held.rfind(b"\r")) + 1
        rest = held[end:]
        self._held = [rest] if rest else []
        self._held_bytes = len(rest)
        text = held[:end].decode("utf-8", "replace")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        return self._lines(text)

    def _strip_bom(self, chunk: bytes) -> bytes:
        """Drop one leading byte order mark, also when it arrives in pieces."""
        head = b"".join(self._held) + chunk
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._held = [head]
            return b""
        self._held.clear()
        self._at_start = False
        return head.removeprefix(_BOM)

    def _hold(self, piece: bytes) -> None:
        self._held.append(piece)
        self._held_bytes += len(piece)
        if self._held_bytes > self._settle_at:
            self._settle()
            # Doubling keeps the work linear when one line is longer than all of this.
            self._settle_at = min(max(_SETTLE_BYTES, 2 * self._held_bytes), self._max_event_bytes)
            self._check_size()

    def _check_size(self) -> None:
        if self._held_bytes + self._data_chars > self._max_event_bytes:
            self._refuse()

    def _refuse(self) -> None:
        msg = f"one event is larger than {self._max_event_bytes} bytes; raise max_event_bytes if that is meant"
        raise LimitExceeded(msg)

    def _lines(self, text: str) -> list[Event]:
        """Interpret whole lines, each ended by LF."""
        events: list[Event] = []
        at, length, limit = 0, len(text), self._max_event_bytes
        while at < length:
            if not self._data and not self._type:
                match = _WHOLE_EVENT.match(text, at)
                if match is not None:
                    name, data, event_id = match.groups()
                    if len(data) > limit:
                        self._refuse()
                    if event_id is not None:
                        self._id = event_id
                    self.last_event_id = self._id
                    events.append(Event(name or "message", data, self._id))
                    at = match.end()
                    continue
            end = text.index("\n", at)
            if end > at:
                self._field(text[at:end])
            else:
                self._dispatch(events)
            at = end + 1
        return events

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._data_chars += len(value) + 1
            if self._data_chars > self._max_event_bytes + 1:
                self._refuse()
        elif name == "event":
            self._type = value
        elif name == "id":
            if "\0" not in value:
                self._id = value
        elif name == "retry" and value.isascii() and value.isdigit() and len(value) <= _MAX_RETRY_DIGITS:
            self._retry_ms = int(value)

    def _dispatch(self, events: list[Event]) -> None:
        self.last_event_id = self._id
        if self._data:
            events.append(Event(self._type or "message", "\n".join(self._data), self._id))
            self._data = []
            self._data_chars = 0
        self._type = ""
