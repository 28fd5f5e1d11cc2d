"""The schemas of `/api/v1/openapi.json`: those of our structs, and what only requests and refusals have. Pure data."""

from __future__ import annotations

from typing import Any

import msgspec

from sse_server.guards.completions import MAX_STOP_LENGTH, MAX_STOPS
from sse_server.guards.pushing import MAX_BATCH_TOKENS, MAX_ERROR_LENGTH, MAX_NAME_LENGTH, MAX_TOKEN_LENGTH
from sse_server.guards.validation import KNOBS, MODEL_OPTIONS, Range
from sse_server.handlers.completion import Failed, Usage
from sse_server.sources.push import Receipt, TokenBatch
from sse_widget.protocol.events import BY_NAME
from sse_widget.protocol.trace import RunSpans, Spans

Schema = dict[str, Any]

STREAM_ID = r"^[0-9a-f]{32}$"
KEY = r"^[\x21-\x7e]{1,200}$"
EVENT_ID = r"^[0-9a-f]{32}:(0|[1-9][0-9]{0,15})$"
CONVERSATION = r"^[A-Za-z0-9_.-]{1,64}$"
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
WHOLE: Schema = {"type": "integer", "minimum": 0}


def refer(name: str) -> Schema:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(properties: Schema, *required: str, closed: bool = True, **more: object) -> Schema:
    """Return the schema of an object; a closed one has no other fields."""
    schema = {"type": "object", "properties": properties, "required": list(required), **more}
    return {**schema, "additionalProperties": False} if closed else schema


def number(bounds: Range, **more: object) -> Schema:
    """Return the schema of a number between bounds."""
    kind = "integer" if bounds.whole else "number"
    return {"type": kind, "minimum": bounds.low, "maximum": bounds.high, **more}


KNOB_FIELDS: Schema = {**{name: number(bounds) for name, bounds in KNOBS.items()}, "flush_on_punctuation": FLAG}
MODEL: Schema = {"type": "string", "maxLength": 200, "examples": ["synthetic:tokens=3,rate=0"]}
QUESTION: Schema = {"type": "string", "minLength": 1, "maxLength": 10_000, "examples": ["What is a stream?"]}
RUN_FIELDS: Schema = {
    "model": MODEL,
    "conversation_id": {"type": "string", "pattern": CONVERSATION},
    **{name: number(bounds) for name, bounds in MODEL_OPTIONS.items()},
    **KNOB_FIELDS,
}
CONNECTION_FIELDS: Schema = {
    "heartbeat_s": {"type": "number", "minimum": 0.05, "maximum": 300},
    "after": {**WHOLE, "maximum": 2**53},
    "snapshot": FLAG,
    "once": FLAG,
    "trace": {"enum": [True, False, "write"]},
    "fault": {"type": ["string", "object"], "description": "a fault plan, where the server allows them"},
}
_TURN = record(
    {"role": {"enum": ["system", "user", "assistant"]}, "content": QUESTION}, "role", "content", closed=False
)
_PART = record({"type": {"const": "text"}, "text": QUESTION}, "type", "text", closed=False)
_OPENAI_TURN = record(
    {
        "role": {"enum": ["system", "developer", "user", "assistant"]},
        "content": {"anyOf": [QUESTION, {"type": "array", "items": _PART, "minItems": 1}]},
    },
    "role",
    "content",
    closed=False,
)
_STOP: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_STOP_LENGTH}
_MESSAGE = record({"role": {"const": "assistant"}, "content": TEXT}, "role", "content", closed=False)
_FINISH: Schema = {"enum": ["stop", "length"]}
_CHOICE = record(
    {"index": WHOLE, "message": _MESSAGE, "finish_reason": _FINISH}, "index", "message", "finish_reason", closed=False
)

_WRITTEN: Schema = {
    "Problem": record(
        {"type": TEXT, "title": TEXT, "status": WHOLE, "detail": TEXT, "code": TEXT},
        *("type", "title", "status", "detail", "code"),
        closed=False,
        description="Problem details (RFC 9457); `code` is one of design.md section 9",
    ),
    "ChatRequest": record(
        {
            "q": QUESTION,
            "question": QUESTION,
            "messages": {"type": "array", "items": _TURN, "minItems": 1},
            **RUN_FIELDS,
            **CONNECTION_FIELDS,
            "key": {"type": "string", "pattern": KEY},
        },
        anyOf=[{"required": ["q"]}, {"required": ["question"]}, {"required": ["messages"]}],
    ),
    "PushedRunRequest": record(
        {
            "question": {"type": "string", "maxLength": 10_000},
            "model": {"type": "string", "maxLength": MAX_NAME_LENGTH},
            "conversation_id": {"type": "string", "pattern": CONVERSATION},
            "max_tokens": number(MODEL_OPTIONS["max_tokens"]),
            **KNOB_FIELDS,
        }
    ),
    "Created": record(
        {"stream_id": {"type": "string", "pattern": STREAM_ID}, "url": TEXT, "ticket": TEXT, "node": TEXT},
        *("stream_id", "url", "ticket", "node"),
        closed=False,
    ),
    "Knobs": record(KNOB_FIELDS),
    "Ordered": record(
        {"stream_id": TEXT, "status": {"enum": ["ended", "stopping", "tuned"]}, "changes": refer("Knobs")},
        *("stream_id", "status"),
    ),
    "Frames": {
        "type": "array",
        "items": record({"stream": TEXT, "event": TEXT, "id": TEXT, "data": TEXT}, "stream", "event", "id", "data"),
        "description": "the events of a long-poll",
    },
    "StreamEvent": record(
        {
            "event": {"enum": [*BY_NAME, "progress", "preview", "audio", "ping"]},
            "data": TEXT,
            "id": {"type": "string", "pattern": EVENT_ID},
            "retry": WHOLE,
        },
        *("event", "data"),
        description="one event; its data is JSON, of the form of design.md section 4",
    ),
    "ChunkEvent": record(
        {"event": {"const": "message"}, "data": {"type": "string", "pattern": r"^(\{.*\}|\[DONE\])$"}},
        "data",
        description="a chat.completion.chunk, an error, or [DONE]",
    ),
    "Clock": record({"received": WHOLE, "sent": WHOLE}, "received", "sent"),
    "Health": record(
        {"status": {"const": "ok"}, "version": TEXT, "node": TEXT}, "status", "version", "node", closed=False
    ),
    "Readiness": record(
        {
            "status": {"enum": ["ready", "not_ready"]},
            "node": TEXT,
            "log": TEXT,
            "problems": {"type": "array", "items": record({"code": TEXT, "message": TEXT}, "code", "message")},
        },
        *("status", "node", "log", "problems"),
    ),
    "Cassettes": record({"cassettes": {"type": "array", "items": TEXT}}, "cassettes"),
    "CompletionRequest": record(
        {
            "messages": {"type": "array", "items": _OPENAI_TURN, "minItems": 1},
            "model": MODEL,
            "max_completion_tokens": number(MODEL_OPTIONS["max_tokens"]),
            **{name: number(bounds) for name, bounds in MODEL_OPTIONS.items()},
            **KNOB_FIELDS,
            "stop": {"anyOf": [_STOP, {"type": "array", "items": _STOP, "maxItems": MAX_STOPS}]},
            "stream": FLAG,
            "stream_options": record({"include_usage": FLAG}, closed=False),
            "n": {"const": 1},
        },
        "messages",
        closed=False,
    ),
    "ChatCompletion": record(
        {
            "id": TEXT,
            "object": {"const": "chat.completion"},
            "created": WHOLE,
            "model": TEXT,
            "choices": {"type": "array", "items": _CHOICE, "minItems": 1, "maxItems": 1},
            "usage": refer("Usage"),
        },
        *("id", "object", "created", "model", "choices", "usage"),
    ),
    "Model": record(
        {"id": TEXT, "object": {"const": "model"}, "created": WHOLE, "owned_by": TEXT},
        *("id", "object", "created", "owned_by"),
    ),
    "Models": record(
        {"object": {"const": "list"}, "data": {"type": "array", "items": refer("Model")}}, "object", "data"
    ),
}


def schemas() -> Schema:
    """Return all schemas by name."""
    kinds = [Spans, RunSpans, TokenBatch, Receipt, Usage, Failed]
    _, ours = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    fields = ours["TokenBatch"]["properties"]
    fields["seq"] |= {"minimum": 1, "maximum": 2**53}
    fields["error"] |= {"maxLength": MAX_ERROR_LENGTH}
    token = {"type": "string", "maxLength": MAX_TOKEN_LENGTH}
    fields["tokens"] |= {"items": token, "maxItems": MAX_BATCH_TOKENS}
    ours["TokenBatch"]["additionalProperties"] = False
    # Python's end of a text is `$` in the dialect of JSON Schema.
    reader = ours["Spans"]["properties"]["reader"]
    reader["pattern"] = reader["pattern"].replace(r"\Z", "$")
    return {**_WRITTEN, **ours}
