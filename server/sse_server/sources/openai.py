"""Any server that speaks OpenAI's `/v1/chat/completions` with `stream: true`."""

from __future__ import annotations

import re
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from sse_server.errors import ServerError
from sse_server.sources.base import ChatRequest, Token, Usage
from sse_server.sources.failure import Failure, FailureError, PassingError, failure_in

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from sse_server.sources.upstream import Upstream
    from sse_widget.protocol.sse import Event

PATH = "chat/completions"
_LIMIT, _NEWER_LIMIT, _ASK_USAGE = "max_tokens", "max_completion_tokens", "stream_options"
_NAMES_STOP = re.compile(r"\bstop\b")


class _Part(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Part = msgspec.field(default_factory=_Part)
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Chunk(msgspec.Struct):
    """What is read of one `chat.completion.chunk`."""

    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode


class OpenAISource:
    """Streams answers of one model. `options` go into the body of every request.

    The usage is asked for, the length bounded, by names that some servers do not know; who refuses one for its name is
    asked by the other, and who takes no stop sequences without them. Leaving the generator closes the request, which
    stops the model on every server that notices.
    """

    def __init__(self, upstream: Upstream, model: str, *, options: Mapping[str, object] | None = None) -> None:
        self.upstream = upstream
        self._model = model
        self._options = dict(options or {})
        self._limit = _LIMIT
        self._asks_usage = True
        self._takes_stop = True

    async def tokens(self, request: ChatRequest) -> AsyncGenerator[Token, None]:
        """Yield one token a content delta; raises ServerError when the upstream fails or breaks off."""
        begun = False
        while True:
            try:
                async with aclosing(self.upstream.tokens(PATH, self._body(request), _Reading)) as tokens:
                    async for token in tokens:
                        begun = True
                        yield token
            except ServerError as error:
                if begun or isinstance(error, PassingError) or not self._adapts(request, error.message):
                    raise
            else:
                return

    def _adapts(self, request: ChatRequest, said: str) -> bool:
        """Whether the refusal is one of a name that can be left out or changed; it then is, from now on."""
        if self._asks_usage and _ASK_USAGE in said:
            self._asks_usage = False
        elif self._limit == _LIMIT and _NEWER_LIMIT in said:
            self._limit = _NEWER_LIMIT
        elif self._takes_stop and request.stop and _NAMES_STOP.search(said):
            self._takes_stop = False
        else:
            return False
        return True

    def _body(self, request: ChatRequest) -> bytes:
        options = {self._limit: request.max_tokens, "temperature": request.temperature, "seed": request.seed}
        chosen = self._options | {name: value for name, value in options.items() if value is not None}
        if request.stop and self._takes_stop:
            chosen["stop"] = request.stop
        if self._asks_usage:
            chosen[_ASK_USAGE] = {"include_usage": True}
        return msgspec.json.encode({"model": self._model, "messages": request.messages, "stream": True, **chosen})

    async def close(self) -> None:
        """Close the pooled connections."""
        await self.upstream.close()


class _Reading:
    """Of several answers to one question only the first is read."""

    def __init__(self) -> None:
        self.finish: Literal["", "stop", "length"] = ""
        self.usage: Usage | None = None
        self.over = False

    def take(self, event: Event) -> str:
        """See Reading."""
        if event.data == "[DONE]":
            self.finish = self.finish or "stop"
            self.over = True
            return ""
        try:
            chunk = _decode(event.data)
        except msgspec.DecodeError as error:
            raise FailureError(Failure(f"unreadable chunk: {error}")) from error
        if chunk.error is not None:
            raise FailureError(failure_in(chunk.error))
        if chunk.usage is not None:
            self.usage = Usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
        return "".join(self._said(choice) for choice in chunk.choices if choice.index == 0)

    def _said(self, choice: _Choice) -> str:
        if choice.finish_reason:
            self.finish = "length" if choice.finish_reason == "length" else "stop"
        return (choice.delta.content or "") + (choice.delta.refusal or "")
