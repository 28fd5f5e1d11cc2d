"""What a WebSocket's messages hold: JSON frames of a client, checked, and those of the server.

A client sends one frame a message. The server sends one, or an array of those that go out together. A long-poll that
asks for JSON is answered with such an array, without refs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from sse_server.errors import ServerError, Words
from sse_server.guards.validation import MAX_BODY_BYTES
from sse_widget.protocol.events import dump

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sse_server.errors import Lang
    from sse_widget.protocol.sse import Event

MAX_REF = 64
TEXT_ONLY = Words("it is binary, and frames are text", "هي ثنائية والرسائل نصوص")
NO_OBJECT = Words("it is no JSON object", "ليست كائن JSON")
NO_REF = Words(f'"ref" must be a text of 1 to {MAX_REF} characters', f'يجب أن يكون "ref" نصًا من 1 إلى {MAX_REF} محرفًا')
TOO_LARGE = Words(f"it is longer than {MAX_BODY_BYTES} characters", f"طولها أكبر من {MAX_BODY_BYTES} محرف")


class Frame(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client asks for. `ref` is its own name for the request: every answer to it carries it.

    `start` has the `body` and `key` of a POST; `attach`, `stop` and `tune` name a `stream_id`. Each may carry a
    `ticket`, and in `lang` an Accept-Language of its own. `connection` numbers the reader's connections, as
    X-SSE-Reconnect does, for a fault plan, and `reason` says why this is not the first one.
    """

    op: Literal["start", "attach", "stop", "tune", "leave", "ping"]
    ref: str
    body: dict[str, Any] = {}
    key: Any = ""
    stream_id: str = ""
    after: Any = None
    snapshot: Any = None
    heartbeat_s: Any = None
    trace: Any = None
    fault: Any = None
    connection: int = 1
    reason: str = ""
    changes: dict[str, Any] = {}
    ticket: str = ""
    lang: str = ""

    def place(self) -> dict[str, Any]:
        """Return the connection's parameters that were given."""
        names = ("after", "snapshot", "heartbeat_s", "trace", "fault")
        given = {name: getattr(self, name) for name in names}
        return {name: value for name, value in given.items() if value is not None}


class BadFrameError(ServerError):
    """A frame that cannot be obeyed; `ref` and `lang` are empty where it has none."""

    def __init__(self, detail: Words | str, ref: str = "", lang: str = "") -> None:
        super().__init__("bad_frame", detail=detail)
        self.ref = ref
        self.lang = lang


def read_frame(message: str | bytes) -> Frame:
    """Return the frame of a message, or raise BadFrameError."""
    if isinstance(message, bytes):
        raise BadFrameError(TEXT_ONLY)
    try:
        fields = msgspec.json.decode(message)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        raise BadFrameError(str(error)[:200]) from error
    if not isinstance(fields, dict):
        raise BadFrameError(NO_OBJECT)
    ref = fields.get("ref")
    if not isinstance(ref, str) or not 1 <= len(ref) <= MAX_REF:
        raise BadFrameError(NO_REF)
    lang = fields.get("lang")
    lang = lang if isinstance(lang, str) else ""
    if len(message) > MAX_BODY_BYTES:
        raise BadFrameError(TOO_LARGE, ref, lang)
    try:
        return msgspec.convert(fields, Frame)
    except msgspec.ValidationError as error:
        raise BadFrameError(str(error)[:200], ref, lang) from error


def event_frames(stream_id: str, events: Iterable[Event], **more: str) -> list[dict[str, str]]:
    """Return the frames of events of a stream, with these fields in front."""
    return [{**more, "stream": stream_id, "event": one.event, "id": one.id, "data": one.data} for one in events]


def events_message(ref: str, stream_id: str, events: Iterable[Event]) -> bytes:
    """Return the message of events that go out together."""
    frames = event_frames(stream_id, events, ref=ref)
    return msgspec.json.encode(frames[0] if len(frames) == 1 else frames)


def ok_message(ref: str, data: Any) -> bytes:
    """Return the answer to a request that opens no stream."""
    return msgspec.json.encode({"ref": ref, "event": "ok", "data": msgspec.json.encode(data).decode()})


def end_message(ref: str, status: int = 200) -> bytes:
    """Return what says that no more comes for this ref; 204 when the stream had been read to its end before."""
    return msgspec.json.encode({"ref": ref, "event": "end", "status": status})


def error_message(ref: str, error: ServerError, lang: Lang) -> bytes:
    """Return a refusal, with the status that it has over HTTP."""
    fields = {"ref": ref, "event": "error", "status": error.status, "data": dump(error.event(lang))}
    return msgspec.json.encode({**fields, "retry_after_s": error.retry_after_s})
