"""The `.ssecast` codec: one response of an event stream, byte for byte, with the time of every read.

A recording is JSON Lines in the manner of asciicast v2 and v3 (docs.asciinema.org/manual/asciicast): a header object,
then one array an event. Here an event is one read from the network, and a last object says how the stream ended:

    {"format":"ssecast","version":1,"created":"2026-01-31T12:00:00Z","url":"http://127.0.0.1:8765/…", …}
    [offset_us,"base64 of the bytes"]
    {"end":"ended","offset_us":1500000,"bytes":4711,"crc32":123456789}

Offsets are whole microseconds from the moment at which the request was sent, its connection made, and never decrease. A
recording that was killed has no end and perhaps half a line; it can be read up to there.

What differs from asciicast: an event has no code, for all are output; data are base64, for a read may end inside a
character, and need not be text; times are whole numbers, counted from the beginning as in v2, not intervals as in v3,
whose rounding adds up; the end is an object with a checksum, where v3 has an event `x`; there are no comments.

The recording of a run that its reader read over several connections holds what each brought, without what was cut.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Literal

import msgspec

from sse_widget.errors import CassetteError
from sse_widget.protocol.events import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SUFFIX = ".ssecast"
VERSION = 1

KEPT_HEADERS = frozenset(
    {"content-type", "cache-control", "x-accel-buffering", "x-stream-id", "x-stream-format", "server", "via"}
)
"""Headers of the response that matter to a replay or to its reader, and hold no secret; no other is stored."""

How = Literal["ended", "cut", "left"]
"""How a stream ended: the server ended the body, the connection broke, or the one who recorded it left."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded. `headers` are (lower-case name, value); `head_us` is when they had arrived.

    `offsets` says what the times are: `live` when the stream was read as it was made, `log` when its reader came to a
    run that had begun, so that what a log held of it came at once.

    `created` is a time in RFC 3339; `url` has neither user nor query, which may hold secrets; `model` and `question`
    are empty where the request did not name them.
    """

    format: Literal["ssecast"] = "ssecast"
    version: int = VERSION
    clock_unit: Literal["us"] = "us"
    created: str = ""
    title: str = ""
    url: str = ""
    method: str = "GET"
    model: str = ""
    question: str = ""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    head_us: int = 0
    offsets: Literal["live", "log"] = "live"

    @property
    def content_type(self) -> str:
        """The media type with its parameters, empty when there was none."""
        return dict(self.headers).get("content-type", "")


class Read(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The bytes of one read, and when they had arrived."""

    offset_us: int
    data: bytes


class End(msgspec.Struct, frozen=True):
    """How and when the stream ended, with number and CRC-32 of all its bytes."""

    end: How
    offset_us: int
    bytes: int
    crc32: int


class _Mark(msgspec.Struct):
    """What every header must hold, so that no other JSON is taken for one."""

    format: Literal["ssecast"]
    version: int


_json = msgspec.json.Encoder()
_decode_mark = msgspec.json.Decoder(_Mark).decode
_decode_header = msgspec.json.Decoder(Header).decode
_decode_read = msgspec.json.Decoder(Read).decode
_decode_end = msgspec.json.Decoder(End).decode


class _Tally:
    """Where a recording has got to."""

    def __init__(self) -> None:
        self.offset_us = 0
        self.bytes = 0
        self.crc32 = 0

    def add(self, read: Read) -> None:
        self.offset_us = read.offset_us
        self.bytes += len(read.data)
        self.crc32 = zlib.crc32(read.data, self.crc32)


class Encoder:
    """Makes the lines of a recording, one at a time: `header`, then `read` for each read, then `end`."""

    def __init__(self, header: Header) -> None:
        self.header = _json.encode(header) + b"\n"
        self._tally = _Tally()

    def read(self, read: Read) -> bytes:
        """Return the line of a read. Raises ValueError for an offset that lies before the last one."""
        self._check(read.offset_us)
        self._tally.add(read)
        return _json.encode(read) + b"\n"

    def end(self, how: How, offset_us: int) -> bytes:
        """Return the last line. Raises ValueError as `read` does."""
        self._check(offset_us)
        return _json.encode(End(how, offset_us, self._tally.bytes, self._tally.crc32)) + b"\n"

    def _check(self, offset_us: int) -> None:
        if offset_us < self._tally.offset_us:
            msg = f"offsets never decrease; {offset_us} us comes after {self._tally.offset_us} us"
            raise ValueError(msg)


class Decoder:
    """Reads a recording line by line: `header` at once, then the reads by iterating, then `end`.

    `lines` are the lines of a file with their LF, as iterating a binary file gives them; no more than one is held.
    `end` is None until the reads are exhausted, and stays None when the recording is not whole. Raises CassetteError,
    which names the line: what comes after a half written last line cannot be known, every other fault is one.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self.end: End | None = None
        self._lines = enumerate(lines, 1)
        self._tally = _Tally()
        self.header = _header_of(next(self._lines, (1, b""))[1])

    def __iter__(self) -> Iterator[Read]:
        for number, line in self._lines:
            if self.end is not None:
                raise CassetteError("something follows the end of the recording", line=number)
            try:
                self.end = _decode_end(line) if line.startswith(b"{") else None
                read = None if self.end is not None else _decode_read(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                if not line.endswith(b"\n"):
                    return
                raise CassetteError(f"neither a read nor an end: {error}", line=number) from error
            self._check_offset(read or self.end, number)
            if read is not None:
                self._tally.add(read)
                yield read
        self._check_end()

    def _check_offset(self, record: Read | End | None, number: int) -> None:
        if record is not None and record.offset_us < self._tally.offset_us:
            raise CassetteError(
                f"offsets never decrease, but {record.offset_us} us comes after {self._tally.offset_us} us", line=number
            )

    def _check_end(self) -> None:
        end, tally = self.end, self._tally
        if end is not None and (end.bytes, end.crc32) != (tally.bytes, tally.crc32):
            raise CassetteError(
                f"the end speaks of {end.bytes} bytes with CRC-32 {end.crc32}, the reads hold {tally.bytes} bytes with "
                f"{tally.crc32}; lines were changed or lost since it was recorded"
            )


def _header_of(line: bytes) -> Header:
    try:
        version = _decode_mark(line).version
        if version != VERSION:
            raise CassetteError(f"version {version} is not known here, only {VERSION}; update sse-widget", line=1)
        header = _decode_header(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CassetteError(f"no header of a {SUFFIX} recording: {error}", line=1) from error
    if header.content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise CassetteError(f"the content type is {header.content_type!r}, not {CONTENT_TYPE}", line=1)
    return header
