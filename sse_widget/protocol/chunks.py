"""What a chunk of somebody's stream says: strings, and the events of OpenAI, Anthropic and LangChain, known by shape.

None of those packages is imported: a chunk is known by the fields that its API documents, as an object or as a dict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from sse_widget.errors import RemoteError

TAKEN = (
    "str, the chunks of OpenAI's chat.completions and responses, the events of Anthropic's messages, and LangChain's "
    "messages"
)
_SHOWN = 80
_SDKS = frozenset({"openai", "anthropic"})

_TEXT_EVENTS = frozenset({"response.output_text.delta", "response.refusal.delta"})
"""Of OpenAI's responses: `delta` of these is text."""

_OTHER_EVENTS = frozenset(
    {
        # Anthropic's raw events, and what its helper adds: `text` repeats what content_block_delta has said
        *("message_start", "message_delta", "message_stop", "content_block_start", "content_block_stop", "ping"),
        *("text", "thinking", "signature", "citation", "input_json"),
        # OpenAI's helper chat.completions.stream: these repeat what its `chunk` has said
        *("content.delta", "content.done", "refusal.delta", "refusal.done"),
    }
)
_PASSED_OVER = ("response.", "tool_calls.", "logprobs.")
_FAILURES = frozenset({"error", "response.failed"})
_CUT_OFF = frozenset({"length", "max_tokens", "max_output_tokens", "model_context_window_exceeded"})
_MESSAGES = frozenset({"AIMessageChunk", "ai"})


class Piece(msgspec.Struct, frozen=True, gc=False):
    """What one chunk adds to the text; `end` when it says how the text ends."""

    text: str
    end: Literal["", "stop", "length"] = ""


_NOTHING = Piece("")


def piece_of(chunk: object) -> Piece:
    """Return what a chunk says. Raises TypeError for one that is not known, RemoteError for one that is a failure."""
    if isinstance(chunk, str):
        return Piece(chunk)
    choices = _field(chunk, "choices")
    if isinstance(choices, list):
        return _of_choices(chunk, choices)
    kind = _field(chunk, "type")
    if kind in _MESSAGES:
        return _of_message(chunk)
    if isinstance(kind, str):
        return _of_event(chunk, kind)
    raise unknown(chunk)


def unknown(chunk: object) -> TypeError:
    """Return the error for a chunk of no shape that is known."""
    kind = type(chunk)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    said = repr(chunk)
    shown = said if len(said) <= _SHOWN else f"{said[:_SHOWN]}…"
    return TypeError(
        f"cannot show a chunk of type {name}: {shown}. Chunks may be {TAKEN}. "
        "Turn others into text first: sw.show(chunk.text for chunk in stream)"
    )


def _field(chunk: object, name: str) -> Any:
    return chunk.get(name) if isinstance(chunk, Mapping) else getattr(chunk, name, None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _end(reason: object) -> Literal["", "stop", "length"]:
    if not isinstance(reason, str) or not reason:
        return ""
    return "length" if reason in _CUT_OFF else "stop"


def _of_choices(chunk: object, choices: Sequence[object]) -> Piece:
    """A chunk of chat.completions, or of the older completions. Only the first of several answers is taken.

    The last chunk, with the usage, has no choice.
    """
    for choice in choices:
        if _field(choice, "index") in {0, None}:
            delta = _field(choice, "delta")
            if delta is None and not isinstance(_field(choice, "text"), str):
                raise unknown(chunk)
            said = _text(_field(delta, "content")) + _text(_field(delta, "refusal")) + _text(_field(choice, "text"))
            return Piece(said, _end(_field(choice, "finish_reason")))
    return _NOTHING


def _of_event(chunk: object, kind: str) -> Piece:
    if kind in _TEXT_EVENTS:
        return Piece(_text(_field(chunk, "delta")))
    if kind == "chunk":
        return piece_of(_field(chunk, "chunk"))
    if kind == "content_block_delta":
        delta = _field(chunk, "delta")
        return Piece(_text(_field(delta, "text"))) if _field(delta, "type") == "text_delta" else _NOTHING
    if kind == "content_block_start":
        block = _field(chunk, "content_block")
        return Piece(_text(_field(block, "text"))) if _field(block, "type") == "text" else _NOTHING
    if kind == "message_delta":
        return Piece("", _end(_field(_field(chunk, "delta"), "stop_reason")))
    if kind == "response.incomplete":
        reason = _field(_field(_field(chunk, "response"), "incomplete_details"), "reason")
        return Piece("", _end(reason))
    if kind in _FAILURES:
        raise _failure(chunk)
    # An SDK's stream may bring events that are newer than this list.
    if kind in _OTHER_EVENTS or kind.startswith(_PASSED_OVER) or type(chunk).__module__.partition(".")[0] in _SDKS:
        return _NOTHING
    raise unknown(chunk)


def _failure(chunk: object) -> RemoteError:
    """`error` of both APIs, and `response.failed`."""
    for said in (_field(chunk, "error"), _field(_field(chunk, "response"), "error"), chunk):
        message = _field(said, "message")
        if isinstance(message, str) and message:
            return RemoteError(message, code="upstream_error")
    return RemoteError("the model failed, and did not say why", code="upstream_error")


def _of_message(chunk: object) -> Piece:
    """LangChain's AIMessage(Chunk): its content is a text, or a list of texts and blocks."""
    content = _field(chunk, "content")
    blocks = content if isinstance(content, list) else [content]
    said = [
        block if isinstance(block, str) else _text(_field(block, "text"))
        for block in blocks
        if isinstance(block, str) or _field(block, "type") in {"text", "text_delta"}
    ]
    metadata = _field(chunk, "response_metadata")
    reason = _field(metadata, "finish_reason") or _field(metadata, "stop_reason")
    return Piece("".join(said), _end(reason))
