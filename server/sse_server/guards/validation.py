"""Requests, checked: from untrusted bytes to an Order, or a refusal that says what is wrong and how to mend it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from sse_server.errors import Lang, ServerError, Words, number_words
from sse_server.guards.faults import read_fault
from sse_server.producer import Order
from sse_server.sources.base import ChatMessage, ChatRequest
from sse_widget.pacing.chunker import Knobs
from sse_widget.protocol.faults import FaultPlan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_BODY_BYTES = 1 << 20
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_CONVERSATION = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SHOWN = 60
_HUGE = 2**64

BODY = Words("The request body", "محتوى الطلب")
QUESTION = Words("The question", "السؤال")
TEXT = Words("a text", "نصًا")
MODEL_NAME = Words("the name of a model", "اسم نموذج")
MESSAGES_LIST = Words("a list of {role, content}", "قائمة من {role, content}")
TRUE_OR_FALSE = Words("true or false", "true أو false")
TRACE = Words('true, false or "write"', 'true أو false أو "write"')
CONVERSATION_ID = Words("1 to 64 letters, digits, '_', '.' or '-'", "من 1 إلى 64 من الحروف والأرقام و '_' و '.' و '-'")
KEY = Words("1 to 200 visible ASCII characters", "من 1 إلى 200 من محارف ASCII المرئية")

_MAX_MODEL = 500
_TRUE = {True, "1", "true", "on", "yes"}
_FALSE = {False, "0", "false", "off", "no"}


class Range(msgspec.Struct, frozen=True):
    """The accepted values of a numeric parameter."""

    low: float
    high: float
    whole: bool = False

    def read(self, name: str, raw: object) -> float:
        """Return the number, from JSON or from text."""
        want = number_words(self.low, self.high, whole=self.whole)
        # int() and float() read 1_000 as well.
        if isinstance(raw, bool) or not isinstance(raw, str | int | float) or (isinstance(raw, str) and "_" in raw):
            raise bad_parameter(name, want, raw)
        try:
            value = int(raw) if self.whole and not isinstance(raw, float) else float(raw)
        except (ValueError, OverflowError):
            raise bad_parameter(name, want, raw) from None
        if not self.low <= value <= self.high or (self.whole and value != int(value)):
            raise bad_parameter(name, want, raw)
        return int(value) if self.whole else value


KNOBS = {
    "chunk_tokens": Range(1, 1000, whole=True),
    "chunk_ms": Range(0, 60_000),
    "delay_ms": Range(0, 60_000),
}
MODEL_OPTIONS = {
    "max_tokens": Range(1, 100_000, whole=True),
    "temperature": Range(0, 2),
    "seed": Range(0, 2**32 - 1, whole=True),
}
_CONNECTION = {"heartbeat_s": Range(0.05, 300), "after": Range(0, 2**53, whole=True)}
_TEXTS = frozenset({"q", "question", "messages", "model", "conversation_id", "flush_on_punctuation"})
_FLAGS = frozenset({"once", "snapshot"})
# They concern whoever carries the request, not the run.
_CARRIED = frozenset({"key", "ticket", "token", "_xsrf", "_"})
_OF_RUN = frozenset({*KNOBS, *MODEL_OPTIONS, *_TEXTS})


class Connection(msgspec.Struct, frozen=True):
    """Parameters of one connection; None and False where nothing was asked.

    `trace` is `write` for the times of the writes alone, `all` for the stamps of the deltas too.
    """

    heartbeat_s: float | None = None
    after: int | None = None
    once: bool = False
    snapshot: bool = False
    trace: Literal["", "write", "all"] = ""
    fault: FaultPlan | None = None


class Chat(msgspec.Struct, frozen=True):
    """A checked question."""

    order: Order
    conversation_id: str


def body_fields(body: bytes) -> dict[str, Any]:
    """Return the fields of a JSON body."""
    if len(body) > MAX_BODY_BYTES:
        raise ServerError("body_too_large", limit=MAX_BODY_BYTES)
    text = decode_text(BODY, body)
    if not text.strip():
        raise ServerError("question_required")
    try:
        fields = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ServerError("bad_json", detail=str(error)[:200]) from error
    if not isinstance(fields, dict):
        kind = _kind(fields)
        raise ServerError("bad_json", detail=Words(f"it is a JSON {kind}, not an object", f"النوع {kind} لا object"))
    return fields


def query_fields(arguments: Mapping[str, Sequence[bytes]]) -> dict[str, str]:
    """Return the query parameters as text, the last value of each."""
    return {
        # Tornado reads names as Latin-1.
        name.encode("latin-1").decode("utf-8", "replace"): decode_text(_parameter(name), values[-1])
        for name, values in arguments.items()
    }


def _parameter(name: str) -> Words:
    return Words(f'The parameter "{name[:_SHOWN]}"', f'المعامل "{name[:_SHOWN]}"')


def decode_text(what: Words, raw: bytes) -> str:
    """Return the text of UTF-8 bytes; `what` names them in the refusal."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ServerError("bad_utf8", name=what) from error


def read_chat(fields: Mapping[str, Any], *, default_model: str, max_length: int, lang: Lang) -> Chat:
    """Return the question of these fields, of which `read_connection` has checked the names."""
    messages = _messages(fields)
    _check_question(messages, max_length)
    options: dict[str, Any] = {
        name: spec.read(name, fields[name]) for name, spec in MODEL_OPTIONS.items() if name in fields
    }
    options["stop"] = tuple(fields.get("stop", ()))
    asked = {"messages": messages, "model": _model(fields, default_model), "continues": "messages" not in fields}
    request = msgspec.convert({**options, **asked}, ChatRequest)
    knobs = msgspec.convert(read_knobs(fields), Knobs)
    return Chat(Order(request, knobs, lang), read_conversation(fields))


def read_conversation(fields: Mapping[str, Any]) -> str:
    """Return the id of the conversation that a run belongs to, empty without one."""
    conversation_id = fields.get("conversation_id", "")
    if not isinstance(conversation_id, str) or (conversation_id and not _CONVERSATION.fullmatch(conversation_id)):
        raise bad_parameter("conversation_id", CONVERSATION_ID, conversation_id)
    return conversation_id


def read_key(key: object) -> str:
    """Return an idempotency key, empty where there is none."""
    if not isinstance(key, str) or (key and not _KEY.fullmatch(key)):
        raise bad_parameter("key", KEY, key)
    return key


def read_knobs(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chunker's knobs among the fields, by name."""
    changes: dict[str, Any] = {name: spec.read(name, fields[name]) for name, spec in KNOBS.items() if name in fields}
    if "flush_on_punctuation" in fields:
        changes["flush_on_punctuation"] = _flag("flush_on_punctuation", fields["flush_on_punctuation"])
    return changes


def read_tuning(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes of a PATCH, where only knobs are known."""
    refuse_unknown(fields, frozenset({*KNOBS, "flush_on_punctuation"}), connection=False)
    return read_knobs(fields)


def read_connection(fields: Mapping[str, Any], *, allow_faults: bool) -> Connection:
    """Return the connection's parameters; those of a run may stand beside them, for a URL is often kept whole."""
    refuse_unknown(fields, _OF_RUN)
    values: dict[str, Any] = {
        name: spec.read(name, fields[name]) for name, spec in _CONNECTION.items() if name in fields
    }
    values |= {name: _flag(name, fields[name]) for name in _FLAGS if name in fields}
    trace = _trace(fields.get("trace", False))
    return Connection(**values, trace=trace, fault=read_fault(fields, allowed=allow_faults))


def refuse_unknown(fields: Mapping[str, Any], known: frozenset[str], *, connection: bool = True) -> None:
    """Refuse names that are neither known nor of whoever carries the request, and name those that are known."""
    public = known | (frozenset({*_CONNECTION, *_FLAGS, "trace", "fault"}) if connection else frozenset())
    for name in fields:
        if name not in public and name not in _CARRIED:
            raise ServerError("unknown_parameter", name=name[:_SHOWN], known=", ".join(sorted(public)))


def _messages(fields: Mapping[str, Any]) -> tuple[ChatMessage, ...]:
    if "messages" in fields:
        try:
            return tuple(msgspec.convert(fields["messages"], list[ChatMessage]))
        except msgspec.ValidationError as error:
            raise bad_parameter("messages", MESSAGES_LIST, str(error)) from error
    question = fields.get("q", fields.get("question", ""))
    if not isinstance(question, str):
        raise bad_parameter("q", TEXT, question)
    return (ChatMessage("user", question),)


def _check_question(messages: Sequence[ChatMessage], max_length: int) -> None:
    if not messages or not messages[-1].content.strip():
        raise ServerError("question_required")
    for message in messages:
        check_text(message.content, max_length)


def check_text(text: str, max_length: int) -> None:
    """Refuse a question that is too long, or cannot be written in UTF-8."""
    if len(text) > max_length:
        raise ServerError("question_too_long", length=len(text), limit=max_length)
    if not text.isprintable() and re.search("[\0\ud800-\udfff]", text):
        raise ServerError("bad_utf8", name=QUESTION)


def _model(fields: Mapping[str, Any], default: str) -> str:
    model = fields.get("model", "")
    if not isinstance(model, str) or len(model) > _MAX_MODEL:
        raise bad_parameter("model", MODEL_NAME, model)
    return model or default


def _flag(name: str, raw: object, want: Words = TRUE_OR_FALSE) -> bool:
    value = raw.lower() if isinstance(raw, str) else raw
    if isinstance(value, bool | str | int) and value in _TRUE | _FALSE:
        return value in _TRUE
    raise bad_parameter(name, want, raw)


def _trace(raw: object) -> Literal["", "write", "all"]:
    if raw == "write":
        return "write"
    return "all" if _flag("trace", raw, TRACE) else ""


def bad_parameter(name: str, want: Words, got: object) -> ServerError:
    """Return the refusal of a parameter's value, of which no more than its beginning is repeated."""
    if isinstance(got, str):
        shown = f'"{got[:_SHOWN]}"'
    elif isinstance(got, list | dict) or (got and abs(cast("float", got)) >= _HUGE):
        shown = f"a JSON {_kind(got)}"
    else:
        shown = msgspec.json.encode(got).decode()
    return ServerError("bad_parameter", name=name, want=want, got=shown)


def _kind(value: object) -> str:
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")
