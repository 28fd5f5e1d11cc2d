"""Anthropic's Messages API, `/v1/messages` with `stream: true`, and servers that speak it."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from sse_server.sources.base import ChatRequest, Token, Usage
from sse_server.sources.failure import Failure, FailureError, failure_in

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from sse_server.sources.upstream import Upstream
    from sse_widget.protocol.sse import Event

PATH = "v1/messages"
VERSION = "2023-06-01"
MAX_TOKENS = 4096
"""The API wants a limit; this one stands where the question names none."""

_CUT_OFF = frozenset({"max_tokens", "model_context_window_exceeded"})


class _Usage(msgspec.Struct):
    """The counts are cumulative; those of the input come with `message_start`, and may come again."""

    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None


class _Message(msgspec.Struct):
    usage: _Usage | None = None


class _Part(msgspec.Struct):
    """A content block at its start, a delta of one, or the delta of the message."""

    type: str = ""
    text: str = ""
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    """What is read of one event; which fields there are depends on its type."""

    type: str
    message: _Message | None = None
    content_block: _Part | None = None
    delta: _Part | None = None
    usage: _Usage | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Event).decode


class AnthropicSource:
    """Streams answers of one model. Leaving the generator closes the request, which stops the model."""

    def __init__(self, upstream: Upstream, model: str) -> None:
        self.upstream = upstream
        self._model = model

    async def tokens(self, request: ChatRequest) -> AsyncGenerator[Token, None]:
        """Yield one token a text delta; raises ServerError when the upstream fails or breaks off."""
        async with aclosing(self.upstream.tokens(PATH, self._body(request), _Reading)) as tokens:
            async for token in tokens:
                yield token

    def _body(self, request: ChatRequest) -> bytes:
        """Return the request. What the system says stands beside the turns; the API knows no `seed`."""
        system = "\n\n".join(message.content for message in request.messages if message.role == "system")
        body: dict[str, object] = {
            "model": self._model,
            "max_tokens": request.max_tokens or MAX_TOKENS,
            "messages": [message for message in request.messages if message.role != "system"],
            "stream": True,
        }
        if system:
            body["system"] = system
        if request.temperature is not None:
            body["temperature"] = request.temperature
        # The API refuses those of mere white space; whoever reads the answer looks for them.
        if stops := [stop for stop in request.stop if stop.strip()]:
            body["stop_sequences"] = stops
        return msgspec.json.encode(body)

    async def close(self) -> None:
        """Close the pooled connections."""
        await self.upstream.close()


class _Reading:
    """Text blocks are the answer; thinking and the use of tools are passed over, as are events of unknown types."""

    def __init__(self) -> None:
        self.finish: Literal["", "stop", "length"] = ""
        self.over = False
        self._prompt = 0
        self._completion: int | None = None

    @property
    def usage(self) -> Usage | None:
        """The latest counts; None when none came."""
        return None if self._completion is None else Usage(self._prompt, self._completion)

    def take(self, event: Event) -> str:
        """See Reading."""
        try:
            said = _decode(event.data)
        except msgspec.DecodeError as error:
            raise FailureError(Failure(f"unreadable event: {error}")) from error
        match said.type:
            case "error":
                raise FailureError(failure_in(said.error))
            case "message_start" if said.message is not None:
                self._count(said.message.usage)
            case "content_block_start" if said.content_block is not None and said.content_block.type == "text":
                return said.content_block.text
            case "content_block_delta" if said.delta is not None and said.delta.type == "text_delta":
                return said.delta.text
            case "message_delta":
                self._count(said.usage)
                if said.delta is not None and said.delta.stop_reason:
                    self.finish = "length" if said.delta.stop_reason in _CUT_OFF else "stop"
            case "message_stop":
                self.finish = self.finish or "stop"
                self.over = True
            case _:  # ping, the ends of blocks, and what is newer than this list
                pass
        return ""

    def _count(self, usage: _Usage | None) -> None:
        if usage is None:
            return
        parts = (usage.input_tokens, usage.cache_creation_input_tokens, usage.cache_read_input_tokens)
        self._prompt = max(self._prompt, sum(part or 0 for part in parts))
        if usage.output_tokens is not None:
            self._completion = usage.output_tokens
