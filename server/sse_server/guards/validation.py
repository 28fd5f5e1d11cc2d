"""Requests, checked: from untrusted bytes to an Order, or a refusal that says what is wrong and how to mend it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from sse_server.errors import Lang, ServerError
from sse_server.producer import Order
from sse_server.sources.base import ChatMessage, ChatRequest
from sse_widget.pacing.chunker import Knobs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_BODY_BYTES = 1 << 20
_CONVERSATION = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SHOWN = 60
_TRUE = {True, "1", "true", "on", "yes"}
_FALSE = {False, "0", "false", "off", "no"}


class _Range(msgspec.Struct, frozen=True):
    """The accepted values of a numeric parameter."""

    low: float
    high: float
    whole: bool = False

    def read(self, name: str, raw: object) -> float:
        """Return the number, from JSON or from text."""
        kind = "a whole number" if self.whole else "a number"
        want = f"{kind} from {self.low:g} to {self.high:g}"
        if isinstance(raw, bool) or not isinstance(raw, str | int | float):
            raise _bad(name, want, raw)
        try:
            value = int(raw) if self.whole and not isinstance(raw, float) else float(raw)
        except ValueError:
            raise _bad(name, want, raw) from None
        if not self.low <= value <= self.high or (self.whole and value != int(value)):
            raise _bad(name, want, raw)
        return int(value) if self.whole else value


_KNOBS = {
    "chunk_tokens": _Range(1, 1000, whole=True),
    "chunk_ms": _Range(0, 60_000),
    "delay_ms": _Range(0, 60_000),
}
_MODEL_OPTIONS = {
    "max_tokens": _Range(1, 100_000, whole=True),
    "temperature": _Range(0, 2),
    "seed": _Range(0, 2**32 - 1, whole=True),
}
_CONNECTION = {"heartbeat_s": _Range(0.05, 300), "after": _Range(0, 2**53, whole=True)}
_TEXTS = frozenset({"q", "question", "messages", "model", "conversation_id", "flush_on_punctuation"})
_FLAGS = frozenset({"once", "snapshot"})
# They concern whoever carries the request, not the run.
_CARRIED = frozenset({"key", "ticket", "token", "_xsrf", "_"})
_OF_RUN = frozenset({*_KNOBS, *_MODEL_OPTIONS, *_TEXTS})


class Connection(msgspec.Struct, frozen=True):
    """Parameters of one connection; None and False where nothing was asked."""

    heartbeat_s: float | None = None
    after: int | None = None
    once: bool = False
    snapshot: bool = False


class Chat(msgspec.Struct, frozen=True):
    """A checked question."""

    order: Order
    conversation_id: str


def body_fields(body: bytes) -> dict[str, Any]:
    """Return the fields of a JSON body."""
    if len(body) > MAX_BODY_BYTES:
        raise ServerError("body_too_large", length=len(body), limit=MAX_BODY_BYTES)
    text = decode_text("The request body", body)
    if not text.strip():
        raise ServerError("question_required")
    try:
        fields = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ServerError("bad_json", detail=str(error)[:200]) from error
    if not isinstance(fields, dict):
        raise ServerError("bad_json", detail=f"it is a JSON {_kind(fields)}, not an object")
    return fields


def query_fields(arguments: Mapping[str, Sequence[bytes]]) -> dict[str, str]:
    """Return the query parameters as text, the last value of each."""
    return {name: decode_text(f'The parameter "{name}"', values[-1]) for name, values in arguments.items()}


def decode_text(what: str, raw: bytes) -> str:
    """Return the text of UTF-8 bytes; `what` names them in the refusal."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ServerError("bad_utf8", name=what) from error


def read_chat(fields: Mapping[str, Any], *, default_model: str, max_length: int, lang: Lang) -> Chat:
    """Return the question of these fields, of which `read_connection` has checked the names."""
    messages = _messages(fields)
    _check_question(messages, max_length)
    options = {name: spec.read(name, fields[name]) for name, spec in _MODEL_OPTIONS.items() if name in fields}
    request = msgspec.convert({**options, "messages": messages, "model": _model(fields, default_model)}, ChatRequest)
    conversation_id = fields.get("conversation_id", "")
    if not isinstance(conversation_id, str) or (conversation_id and not _CONVERSATION.fullmatch(conversation_id)):
        raise _bad("conversation_id", "1 to 64 letters, digits, '_', '.' or '-'", conversation_id)
    knobs = msgspec.convert(read_knobs(fields), Knobs)
    return Chat(Order(request, knobs, lang), conversation_id)


def read_knobs(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chunker's knobs among the fields, by name."""
    changes: dict[str, Any] = {name: spec.read(name, fields[name]) for name, spec in _KNOBS.items() if name in fields}
    if "flush_on_punctuation" in fields:
        changes["flush_on_punctuation"] = _flag("flush_on_punctuation", fields["flush_on_punctuation"])
    return changes


def read_tuning(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes of a PATCH, where only knobs are known."""
    _refuse_unknown(fields, frozenset({*_KNOBS, "flush_on_punctuation"}), connection=False)
    return read_knobs(fields)


def read_connection(fields: Mapping[str, Any]) -> Connection:
    """Return the connection's parameters; those of a run may stand beside them, for a URL is often kept whole."""
    _refuse_unknown(fields, _OF_RUN)
    values: dict[str, Any] = {
        name: spec.read(name, fields[name]) for name, spec in _CONNECTION.items() if name in fields
    }
    values |= {name: _flag(name, fields[name]) for name in _FLAGS if name in fields}
    return msgspec.convert(values, Connection)


def _refuse_unknown(fields: Mapping[str, Any], known: frozenset[str], *, connection: bool = True) -> None:
    public = known | (frozenset({*_CONNECTION, *_FLAGS}) if connection else frozenset())
    for name in fields:
        if name not in public and name not in _CARRIED:
            raise ServerError("unknown_parameter", name=name[:_SHOWN], known=", ".join(sorted(public)))


def _messages(fields: Mapping[str, Any]) -> tuple[ChatMessage, ...]:
    if "messages" in fields:
        try:
            return tuple(msgspec.convert(fields["messages"], list[ChatMessage]))
        except msgspec.ValidationError as error:
            raise _bad("messages", "a list of {role, content}", str(error)) from error
    question = fields.get("q", fields.get("question", ""))
    if not isinstance(question, str):
        raise _bad("q", "a text", question)
    return (ChatMessage("user", question),)


def _check_question(messages: Sequence[ChatMessage], max_length: int) -> None:
    if not messages or not messages[-1].content.strip():
        raise ServerError("question_required")
    for message in messages:
        if len(message.content) > max_length:
            raise ServerError("question_too_long", length=len(message.content), limit=max_length)
        if not message.content.isprintable() and re.search("[\0\ud800-\udfff]", message.content):
            raise ServerError("bad_utf8", name="The question")


def _model(fields: Mapping[str, Any], default: str) -> str:
    model = fields.get("model") or default
    if not isinstance(model, str):
        raise _bad("model", "the name of a model", model)
    return model


def _flag(name: str, raw: object) -> bool:
    value = raw.lower() if isinstance(raw, str) else raw
    if isinstance(value, bool | str) and value in _TRUE | _FALSE:
        return value in _TRUE
    raise _bad(name, "true or false", raw)


def _bad(name: str, want: str, got: object) -> ServerError:
    shown = got if isinstance(got, str) else msgspec.json.encode(got).decode()
    return ServerError("bad_parameter", name=name, want=want, got=f'"{shown[:_SHOWN]}"')


def _kind(value: object) -> str:
    return {list: "array", str: "string", bool: "boolean", type(None): "null"}.get(type(value), "number")
