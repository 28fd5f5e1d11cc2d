"""Any server that speaks OpenAI's `/v1/chat/completions` with `stream: true`, over httpx."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Literal

import httpx
import msgspec

from sse_server.errors import ServerError
from sse_server.sources.base import ChatRequest, Token
from sse_widget.errors import LimitExceeded
from sse_widget.protocol.sse import Parser

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

_SHOWN_CHARS = 300


class _Part(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Part = msgspec.field(default_factory=_Part)
    finish_reason: str | None = None


class _Failure(msgspec.Struct):
    message: str = ""


class _Chunk(msgspec.Struct):
    """What is read of one `chat.completion.chunk`."""

    choices: list[_Choice] = []
    error: _Failure | None = None


_decode = msgspec.json.Decoder(_Chunk).decode


class ConnectionLostError(ServerError):
    """The upstream took no connection, or dropped it: it may have died."""


class OpenAISource:
    """Streams answers from `base_url` (up to and without `/v1`). Times in seconds.

    `idle_timeout_s` bounds the wait for the head and between bytes. `options` go into the body of every request.
    Leaving the generator closes the request, which stops the model on every server that notices its client leave.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str = "",
        *,
        idle_timeout_s: float = 120.0,
        options: Mapping[str, object] | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._model = model
        self._options = dict(options or {})
        self._idle_timeout_s = idle_timeout_s
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={**headers, "Accept": "text/event-stream"},
            timeout=httpx.Timeout(idle_timeout_s, connect=10.0),
            trust_env=False,
        )

    async def tokens(self, request: ChatRequest) -> AsyncGenerator[Token, None]:
        """Yield one token a content delta; raises ServerError when the upstream fails or breaks off."""
        try:
            async with self._http.stream("POST", "/v1/chat/completions", content=self._body(request)) as answer:
                if answer.status_code != httpx.codes.OK:
                    said = _refusal(await answer.aread())
                    raise ServerError("upstream_error", detail=f"HTTP {answer.status_code} {said}")
                async with aclosing(self._read(answer)) as tokens:
                    async for token in tokens:
                        yield token
                        if token.finish:
                            return
        except httpx.NetworkError as error:
            raise ConnectionLostError("upstream_error", detail=str(error) or type(error).__name__) from error
        except httpx.TimeoutException as error:
            raise ServerError("upstream_timeout", seconds=round(self._idle_timeout_s)) from error
        except httpx.RemoteProtocolError as error:
            raise ConnectionLostError("upstream_truncated") from error
        except (httpx.HTTPError, LimitExceeded) as error:
            raise ServerError("upstream_error", detail=str(error) or type(error).__name__) from error
        raise ServerError("upstream_truncated")

    def _body(self, request: ChatRequest) -> bytes:
        options = {"max_tokens": request.max_tokens, "temperature": request.temperature, "seed": request.seed}
        chosen = self._options | {name: value for name, value in options.items() if value is not None}
        return msgspec.json.encode({"model": self._model, "messages": request.messages, "stream": True, **chosen})

    async def _read(self, answer: httpx.Response) -> AsyncGenerator[Token, None]:
        parser = Parser()
        async for piece in answer.aiter_bytes():
            for event in parser.feed(piece):
                if event.data == "[DONE]":
                    yield Token("", "stop")
                    return
                token = _token(event.data)
                if token is not None:
                    yield token

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._http.aclose()


def _refusal(body: bytes) -> str:
    """Return the words of a refused request: those of an OpenAI error object, else the beginning of the body."""
    try:
        failure = _decode(body).error
    except msgspec.DecodeError:
        failure = None
    said = body.decode("utf-8", "replace") if failure is None else failure.message
    return said[:_SHOWN_CHARS]


def _token(data: str) -> Token | None:
    try:
        chunk = _decode(data)
    except msgspec.DecodeError as error:
        raise ServerError("upstream_error", detail=f"unreadable chunk: {error}") from error
    if chunk.error is not None:
        raise ServerError("upstream_error", detail=chunk.error.message)
    if not chunk.choices:
        return None
    choice = chunk.choices[0]
    finish: Literal["", "stop", "length"] = ""
    if choice.finish_reason:
        finish = "length" if choice.finish_reason == "length" else "stop"
    text = choice.delta.content or ""
    return Token(text, finish) if text or finish else None
