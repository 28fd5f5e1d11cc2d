"""What the body of a refusal says, whoever refuses."""

from __future__ import annotations

from typing import Any

import msgspec

from sse_widget.errors import LimitExceeded
from sse_widget.protocol.events import CONTENT_TYPE
from sse_widget.protocol.sse import Parser


class Refusal(msgspec.Struct, frozen=True):
    """Why a server refuses; empty where it does not say."""

    code: str = ""
    message: str = ""


class _Body(msgspec.Struct):
    """An `error` event's data, or a problem document (RFC 9457); OpenAI's servers nest an error object."""

    code: str = ""
    message: str = ""
    detail: str = ""
    title: str = ""
    error: Any = None


def media_type(content_type: str) -> str:
    """Return the type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def read_refusal(content_type: str, body: bytes) -> Refusal:
    """Read an event stream with one `error`, or a JSON object; anything else says nothing."""
    kind = media_type(content_type)
    try:
        if kind == CONTENT_TYPE:
            # The blank line, for an event that was cut at its end.
            errors = (event.data for event in Parser().feed(body + b"\n\n") if event.event == "error")
            said = msgspec.json.decode(next(errors, "{}"), type=_Body)
        elif kind.endswith("json"):
            said = msgspec.json.decode(body, type=_Body)
        else:
            return Refusal()
    except (msgspec.DecodeError, UnicodeDecodeError, LimitExceeded):
        return Refusal()
    nested = said.error.get("message") if isinstance(said.error, dict) else said.error
    return Refusal(said.code, str(said.message or said.detail or nested or said.title or ""))
