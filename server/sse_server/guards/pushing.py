"""Pushed runs and their batches, checked: what `validation` is to questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sse_server.errors import Lang, Words
from sse_server.guards.validation import (
    KNOBS,
    MODEL_OPTIONS,
    TEXT,
    Chat,
    Range,
    bad_parameter,
    check_text,
    read_conversation,
    read_knobs,
    refuse_unknown,
)
from sse_server.producer import Order
from sse_server.sources.base import ChatMessage, ChatRequest
from sse_server.sources.push import TokenBatch
from sse_widget.pacing.chunker import Knobs

if TYPE_CHECKING:
    from collections.abc import Mapping

PUSHED = "pushed"
"""The model that a pushed run is said to be of when its producer names none."""

MAX_TOKEN_LENGTH = 16_384
MAX_BATCH_TOKENS = 4096
MAX_NAME_LENGTH = 200
MAX_ERROR_LENGTH = 1000
_SEQ = Range(1, 2**53, whole=True)
_RUN = frozenset({*KNOBS, "flush_on_punctuation", "max_tokens", "model", "question", "conversation_id"})
_BATCH = frozenset({"seq", "tokens", "end", "error"})

TOKENS = Words(
    f"a list of at most {MAX_BATCH_TOKENS} texts, each of at most {MAX_TOKEN_LENGTH} characters",
    f"قائمة لا تزيد على {MAX_BATCH_TOKENS} نصًا، كل منها لا يزيد على {MAX_TOKEN_LENGTH} حرفًا",
)
ENDS = Words('"stop" or "length"', '"stop" أو "length"')
NAME = Words(f"a text of at most {MAX_NAME_LENGTH} characters", f"نصًا لا يزيد على {MAX_NAME_LENGTH} حرفًا")


def read_pushed_run(fields: Mapping[str, Any], *, max_length: int, lang: Lang) -> Chat:
    """Return the order of a run whose text will be pushed. Its `model` is a label; the question may be missing."""
    refuse_unknown(fields, _RUN, connection=False)
    model, question = fields.get("model", ""), fields.get("question", "")
    if not isinstance(model, str) or len(model) > MAX_NAME_LENGTH:
        raise bad_parameter("model", NAME, model)
    if not isinstance(question, str):
        raise bad_parameter("question", TEXT, question)
    check_text(question, max_length)
    limit = fields.get("max_tokens")
    most = None if limit is None else int(MODEL_OPTIONS["max_tokens"].read("max_tokens", limit))
    request = ChatRequest((ChatMessage("user", question),), model or PUSHED, most)
    return Chat(Order(request, msgspec.convert(read_knobs(fields), Knobs), lang), read_conversation(fields))


def read_batch(fields: Mapping[str, Any]) -> TokenBatch:
    """Return a checked batch."""
    refuse_unknown(fields, _BATCH, connection=False)
    tokens, end, error = fields.get("tokens", []), fields.get("end", ""), fields.get("error", "")
    if not isinstance(tokens, list) or len(tokens) > MAX_BATCH_TOKENS:
        raise bad_parameter("tokens", TOKENS, tokens)
    for token in tokens:
        if not isinstance(token, str) or len(token) > MAX_TOKEN_LENGTH:
            raise bad_parameter("tokens", TOKENS, token)
    if not isinstance(end, str) or end not in {"", "stop", "length"}:
        raise bad_parameter("end", ENDS, end)
    if not isinstance(error, str):
        raise bad_parameter("error", TEXT, error)
    seq = int(_SEQ.read("seq", fields.get("seq", "")))
    return TokenBatch(seq, tuple(tokens), end, error[:MAX_ERROR_LENGTH])  # type: ignore[arg-type]
