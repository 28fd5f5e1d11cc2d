"""Server-sent events on bytes: `encode` one event, `Parser` for a stream of them.

The grammar is the HTML standard's, sections 9.2.5 (parsing) and 9.2.6 (interpreting an event stream). A malformed
line is never an error there, and is none here; only size is bounded.
"""

from __future__ import annotations

import re

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
    if _NOT_IN_FIELD.search(event.event) or _NOT_IN_FIELD.search(event.id):
        msg = "an event type or id must not contain CR, LF or NUL"
        raise ValueError(msg)
    head = "" if event.event == "message" else f"event: {event.event}\n"
    data = event.data
    if "\n" in data or "\r" in data:
        body = "".join(f"data: {line}\n" for line in _LINE_END.split(data))
    else:
        body = f"data: {data}\n"
    tail = f"id: {event.id}\n\n" if event.id else "\n"
    return f"{head}{body}{tail}".encode("utf-8", "replace")


class Parser:
    """Incremental parser: bytes in, whole events out, whatever the chunking.

    Time is linear in the input: an unfinished line is kept in pieces and joined once. `last_event_id` and `retry_ms`
    hold what the stream has set so far (`retry_ms` is None until it does). Raises LimitExceeded when one line, or the
    data of one event, grows beyond `max_event_bytes`; the parser is of no further use then.
    """

    def __init__(self, *, last_event_id: str = "", max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.last_event_id = last_event_id
        self.retry_ms: int | None = None
        self._max_event_bytes = max_event_bytes
        self._pieces: list[bytes] = []
        self._pieces_bytes = 0
        self._at_start = True
        self._after_cr = False
        self._id = last_event_id
        self._type = ""
        self._data: list[str] = []
        self._data_chars = 0

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes and return the events that they complete, in order."""
        if self._at_start:
            chunk = self._strip_bom(chunk)
        if self._after_cr and chunk:
            # The CR already ended its line; an LF right after it belongs to it.
            self._after_cr = False
            if chunk[0] == 0x0A:
                chunk = chunk[1:]
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1
        if end == 0:
            self._keep(chunk)
            return []
        self._after_cr = chunk[-1] == 0x0D
        self._pieces.append(chunk[:end])
        lines = b"".join(self._pieces).decode("utf-8", "replace")
        self._pieces.clear()
        self._pieces_bytes = 0
        if "\r" in lines:
            lines = lines.replace("\r\n", "\n").replace("\r", "\n")
        events = self._lines(lines)
        if end < len(chunk):
            self._keep(chunk[end:])
        return events

    def _strip_bom(self, chunk: bytes) -> bytes:
        """Drop one leading byte order mark, also when it arrives in pieces."""
        head = b"".join(self._pieces) + chunk
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._pieces = [head]
            return b""
        self._pieces.clear()
        self._pieces_bytes = 0
        self._at_start = False
        return head.removeprefix(_BOM)

    def _keep(self, piece: bytes) -> None:
        if not piece:
            return
        self._pieces.append(piece)
        self._pieces_bytes += len(piece)
        if self._pieces_bytes + self._data_chars > self._max_event_bytes:
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
            self.retry_ms = int(value)

    def _dispatch(self, events: list[Event]) -> None:
        self.last_event_id = self._id
        if self._data:
            events.append(Event(self._type or "message", "\n".join(self._data), self._id))
            self._data = []
            self._data_chars = 0
        self._type = ""
