"""Requests of OpenAI's clients, checked: from the body of `/v1/chat/completions` to the fields of a question.

What would change the form of the answer (tools, several answers, logprobs ...) is refused unless it has the value that
asks for nothing. Hints to the sampling or to the provider's books (top_p, user, metadata ...), and names that nobody
knows yet, are ignored, as vLLM, Ollama and llama.cpp do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sse_server.errors import ServerError, Words, number_words
from sse_server.guards.validation import KNOBS, MESSAGES_LIST, TRUE_OR_FALSE, bad_parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_STOPS = 4
MAX_STOP_LENGTH = 256

_MEANS_NOTHING: dict[str, tuple[object, ...]] = {
    "n": (1,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "audio": (),
    "web_search_options": (),
}
_PASSED_ON = ("model", "temperature", "seed", *KNOBS, "flush_on_punctuation")
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}

ONE_ROLE = Words(f"one of {', '.join(_ROLES)}", f"واحدًا من {', '.join(_ROLES)}")
CONTENT = Words(
    'a text, or a list of parts {"type": "text", "text": "…"}', 'نصًا أو قائمة أجزاء {"type": "text", "text": "…"}'
)
STOPS = Words(
    f"a text or a list of at most {MAX_STOPS}, each of 1 to {MAX_STOP_LENGTH} characters",
    f"نصًا أو قائمة لا تزيد على {MAX_STOPS}، كل منها من 1 إلى {MAX_STOP_LENGTH} حرفًا",
)
OBJECT = Words("a JSON object", "كائن JSON")
LEAVE_ONLY = Words('"stop", or not be sent', '"stop" أو أن تُحذف')


class Asked(msgspec.Struct, frozen=True):
    """A checked request: the `fields` of its question, and the form in which it wants the answer."""

    fields: dict[str, Any]
    stream: bool
    include_usage: bool


def read_completion(body: Mapping[str, Any]) -> Asked:
    """Return what a body asks for. Raises ServerError that names the field; the values of the question come later."""
    given = {name: value for name, value in body.items() if value is not None}
    for name, neutral in _MEANS_NOTHING.items():
        if name in given and given[name] not in neutral:
            raise _unsupported(name, neutral)
    fields: dict[str, Any] = {name: given[name] for name in _PASSED_ON if name in given}
    # As the model made it: what a chunk of OpenAI's servers is, and what load tools take it for.
    fields.setdefault("chunk_tokens", 1)
    for name in ("max_tokens", "max_completion_tokens"):
        if name in given:
            fields["max_tokens"] = _limit(name, given[name])
    fields["messages"] = _messages(given.get("messages"))
    if "stop" in given:
        fields["stop"] = _stops(given["stop"])
    return Asked(fields, _switch("stream", given.get("stream", False)), _usage_wanted(given.get("stream_options", {})))


def read_leaving(header: str) -> bool:
    """Whether the run is to be stopped when its asker leaves: what the header X-On-Leave says."""
    if header not in {"", "stop"}:
        raise bad_parameter("X-On-Leave", LEAVE_ONLY, header)
    return header == "stop"


def _unsupported(name: str, neutral: tuple[object, ...]) -> ServerError:
    allowed = " / ".join(msgspec.json.encode(value).decode() for value in neutral) or "null"
    return ServerError("unsupported_parameter", name=name, allowed=allowed)


def _limit(name: str, value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_parameter(name, number_words(1, 100_000, whole=True), value)
    return value


def _switch(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise bad_parameter(name, TRUE_OR_FALSE, value)
    return value


def _usage_wanted(options: object) -> bool:
    if not isinstance(options, dict):
        raise bad_parameter("stream_options", OBJECT, options)
    wanted = options.get("include_usage")
    return wanted is not None and _switch("stream_options.include_usage", wanted)


def _stops(value: object) -> list[str]:
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or len(stops) > MAX_STOPS:
        raise bad_parameter("stop", STOPS, stops)
    for stop in stops:
        if not isinstance(stop, str) or not 1 <= len(stop) <= MAX_STOP_LENGTH:
            raise bad_parameter("stop", STOPS, stop)
    return stops


def _messages(messages: object) -> list[dict[str, str]]:
    if not isinstance(messages, list):
        raise bad_parameter("messages", MESSAGES_LIST, messages)
    return [_message(f"messages[{index}]", message) for index, message in enumerate(messages)]


def _message(name: str, message: object) -> dict[str, str]:
    if not isinstance(message, dict):
        raise bad_parameter(name, OBJECT, message)
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise bad_parameter(f"{name}.role", ONE_ROLE, role)
    return {"role": _ROLES[role], "content": _content(f"{name}.content", message.get("content"))}


def _content(name: str, content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise bad_parameter(name, CONTENT, content)
    texts = []
    for index, part in enumerate(content):
        text = part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None
        if not isinstance(text, str):
            kind = part.get("type", part) if isinstance(part, dict) else part
            raise bad_parameter(f"{name}[{index}]", CONTENT, kind)
        texts.append(text)
    return "".join(texts)
