"""What a stream of a known kind says, event by event: our own, OpenAI's, Anthropic's, and plain text.

Plain text is what a server sends that has no chunks: events without a name whose data is no JSON object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from sse_widget.errors import RemoteError
from sse_widget.protocol.chunks import Piece, piece_of
from sse_widget.protocol.events import TEXT, Delta, Done, Error, load, parse_event_id
from sse_widget.protocol.sse import Event, Parser

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sse_widget.protocol.cassette import Read

_OPENAI_END = "[DONE]"
_NOTHING = Piece("")
_decode = msgspec.json.Decoder().decode


class Said(msgspec.Struct, frozen=True, gc=False):
    """A piece of the text, and when it had arrived; `end` when it says how the text ends, `failure` when it failed.

    `plain` text has no end of its own: it is over with the body.
    """

    offset_us: int
    text: str
    end: Literal["", "stop", "length"] = ""
    plain: bool = False
    failure: str = ""


def transcript(reads: Iterable[Read]) -> Iterator[Said]:
    """Yield what the events in these reads say, up to a failure. Raises LimitExceeded for one larger than 16 MiB.

    An event of ours that comes twice, as after a cut or from a network that repeats, is said once.
    """
    parser, last_seq = Parser(), 0
    for read in reads:
        for event in parser.feed(read.data):
            place = parse_event_id(event.id) if event.event == TEXT else None
            if place is not None:
                if place[1] <= last_seq:
                    continue
                last_seq = place[1]
            plain = is_plain(event)
            try:
                piece = Piece(_plain_text(event)) if plain else said(event)
            except RemoteError as error:
                yield Said(read.offset_us, "", failure=error.message)
                return
            if piece.text or piece.end:
                yield Said(read.offset_us, piece.text, piece.end, plain)


def said(event: Event) -> Piece:
    """Return what an event adds to the text; nothing for one of no known kind. Raises RemoteError for a failure."""
    match load(event.event, event.data):
        case Delta(text):
            return Piece(text)
        case Done(reason):
            return Piece("", "length" if reason == "length" else "stop")
        case Error(message, code):
            raise RemoteError(message, code=code)
        case None:
            return _foreign(event)
        case _:
            return _NOTHING


def is_plain(event: Event) -> bool:
    """Whether the data of an event is the text itself."""
    return event.event == "message" and event.data != _OPENAI_END and not isinstance(_value(event.data), dict)


def _plain_text(event: Event) -> str:
    value = _value(event.data)
    return value if isinstance(value, str) else event.data


def _foreign(event: Event) -> Piece:
    if event.data == _OPENAI_END:
        return Piece("", "stop")
    chunk = _value(event.data)
    if not isinstance(chunk, dict) or event.event == TEXT:
        return _NOTHING
    if "choices" not in chunk and "type" not in chunk and chunk.get("error"):
        raise _failure(chunk["error"])
    try:
        return piece_of(chunk)
    except TypeError:  # a kind of event that is none of the text's
        return _NOTHING


def _failure(error: object) -> RemoteError:
    """OpenAI's servers nest an error object where a chunk would stand."""
    message = error.get("message") if isinstance(error, dict) else error
    return RemoteError(str(message or "the model failed, and did not say why"), code="upstream_error")


def _value(data: str) -> Any:
    try:
        return _decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None
