"""What OpenAI's clients are sent: chunks, a whole completion, errors. From the events of a stream to JSON; pure.

The shapes are those of OpenAI's API reference, "Chat Completions" and "Streaming". One field is ours: a chunk that
tells something logged carries its `last_event_id`, from which `/api/v1/stream/runs/{id}` goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import UNSET, UnsetType

from sse_server.errors import ServerError
from sse_widget.protocol.events import Delta, Done, Error, Hello, Metadata, load
from sse_widget.protocol.sse import Event, Parser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sse_server.errors import Lang

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"
PREFIX = "chatcmpl-"

Reason = Literal["stop", "length"]
_REASONS: dict[str, Reason] = {"stop": "stop", "length": "length", "stopped": "stop"}
_STATUS = {
    "upstream_error": 502,
    "upstream_truncated": 502,
    "upstream_unauthorized": 502,
    "upstream_rate_limited": 429,
    "upstream_timeout": 504,
    "producer_lost": 502,
    "shutdown": 503,
    "expired": 410,
}
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Usage(msgspec.Struct, frozen=True):
    """Tokens of the model; `prompt_tokens` is 0 where it does not tell them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class _Delta(msgspec.Struct, frozen=True, omit_defaults=True):
    role: str = ""
    content: str | None = None


class _Choice(msgspec.Struct, frozen=True):
    index: int
    delta: _Delta
    logprobs: None
    finish_reason: Reason | None


class _Chunk(msgspec.Struct, frozen=True):
    id: str
    object: str
    created: int
    model: str
    choices: tuple[_Choice, ...]
    usage: Usage | UnsetType | None = UNSET
    last_event_id: str | UnsetType = UNSET


class Failure(msgspec.Struct, frozen=True):
    """OpenAI's error object."""

    message: str
    type: str
    param: str | None
    code: str


class Failed(msgspec.Struct, frozen=True):
    """An answer that is an error, and the event that stands where a chunk would."""

    error: Failure


_encode = msgspec.json.Encoder().encode


def failed(message: str, status: int, code: str, param: str | None = None) -> bytes:
    """Return the JSON of an error."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return _encode(Failed(Failure(message, kind, param, code)))


def status_of(error: Error) -> int:
    """Return the status of a completion that was not streamed and ended in this error."""
    return _STATUS.get(error.code, 500)


class Completion:
    """One answer, told as it comes. `created` is Unix time in seconds; `include_usage` adds the chunk with the usage.

    `error` is set when the answer failed, `reason` when it ended well.
    """

    def __init__(self, created: int, lang: Lang, *, include_usage: bool = False) -> None:
        self.error: Error | None = None
        self.reason: Reason | None = None
        self._created = created
        self._lang = lang
        self._include_usage = include_usage
        self._parser = Parser()
        self._id = self._model = ""
        self._texts: list[str] = []
        self._prompt_tokens = self._tokens = 0
        self._named = False

    def chunks(self, data: bytes) -> bytes:
        """Return what an OpenAI client is sent for these bytes of an event stream, which begins with its hello."""
        return b"".join([piece for event in self._parser.feed(data) for piece in self._told(event)])

    def take(self, data: bytes) -> None:
        """Take the next bytes of an event stream for `whole`."""
        self._texts += [self._account(event) for event in self._parser.feed(data)]

    def whole(self) -> bytes:
        """Return the whole completion."""
        message = {"role": "assistant", "content": "".join(self._texts), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.reason}
        head = {"id": PREFIX + self._id, "object": "chat.completion", "created": self._created, "model": self._model}
        return _encode({**head, "choices": [choice], "usage": self._usage()})

    def _told(self, event: Event) -> Iterator[bytes]:
        if event.event == "ping":
            yield PING
            return
        text = self._account(event)
        # The role waits for the first word, or what comes instead of it: a client that takes its time sees the model's.
        if not self._named and (text or self.reason is not None):
            self._named = True
            yield self._data(_Delta("assistant", ""))
        if text:
            yield self._data(_Delta(content=text), event.id)
        if self.error is not None:
            yield b"data: %b\n\n" % failed(self.error.message, status_of(self.error), self.error.code)
        elif self.reason is not None:
            yield self._data(_Delta(), event.id, self.reason)
            if self._include_usage:
                yield self._line(_Chunk(*self._head(), (), self._usage()))
            yield DONE

    def _account(self, event: Event) -> str:
        """Take an event; return the text that it adds."""
        match load(event.event, event.data):
            case Hello() as hello:
                self._id, self._model = hello.stream_id, hello.model
                self.error = ServerError("expired").event(self._lang) if hello.gap else None
            case Metadata() as metadata:
                self._tokens = metadata.tokens_used
                self._prompt_tokens = metadata.prompt_tokens or 0
            case Done(reason, tokens):
                self.reason, self._tokens = _REASONS[reason], tokens
            case Error() as error:
                self.error = error
            case Delta(text):
                return text
            case _:
                pass
        return ""

    def _usage(self) -> Usage:
        return Usage(self._prompt_tokens, self._tokens, self._prompt_tokens + self._tokens)

    def _head(self) -> tuple[str, str, int, str]:
        return PREFIX + self._id, "chat.completion.chunk", self._created, self._model

    def _data(self, delta: _Delta, last_event_id: str | UnsetType = UNSET, reason: Reason | None = None) -> bytes:
        usage = None if self._include_usage else UNSET
        return self._line(_Chunk(*self._head(), (_Choice(0, delta, None, reason),), usage, last_event_id))

    def _line(self, chunk: _Chunk) -> bytes:
        return b"data: %b\n\n" % _encode(chunk)
