"""Whom the load falls on: a server of ours, or one with OpenAI's routes."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, Self

from sse_widget.client import StreamClient
from sse_widget.endpoint import origin_of, plain
from sse_widget.errors import SSEWidgetError
from sse_widget.pool import Pool
from sse_widget.recording.request import Order

if TYPE_CHECKING:
    from sse_widget.stream import Stream

Kind = Literal["sse-widget", "openai"]

STOP_TIMEOUT_S = 3.0
PATIENCE_S = 45.0
_OWN_ROUTE = re.compile(r"/api/v1/stream/chat/?$")
_OPENAI_ROUTE = "/chat/completions"
_NEVER_RETURNS = {"X-On-Leave": "stop"}
"""Has our server end a run whose connection closes, as others do; they ignore it."""


class Target:
    """Opens streams of answers; all share their sockets. Use it as a context manager, on one event loop.

    `url` is the base of our server, or one of OpenAI's form (ending in `/v1` or `/chat/completions`). `token` goes as a
    bearer token. `params` are those of the server's own: max_tokens, temperature, chunk_tokens ... OpenAI's servers are
    asked to tell how many tokens an answer has, and may be silent for `patience_s`.
    `pool` has the sockets. Raises ConnectError when URL or token can be none.
    """

    def __init__(  # noqa: PLR0913 - settings, each by its name
        self,
        url: str,
        *,
        model: str = "",
        token: str = "",
        params: dict[str, Any] | None = None,
        patience_s: float = PATIENCE_S,
        pool: Pool | None = None,
    ) -> None:
        self._order = Order(url=url, question="?", model=model, token=token, params=params or {})
        asked = self._order.request().url
        self.kind: Kind = "openai" if asked.rstrip("/").endswith(_OPENAI_ROUTE) else "sse-widget"
        self.url = plain(asked)
        self.model = model
        self.params = dict(params or {})
        self._pool = pool or Pool()
        base = origin_of(url) if self.kind == "openai" else _OWN_ROUTE.sub("", url)
        # Ours sends heartbeats; others may be silent for as long as they read a question.
        silence_s = max(PATIENCE_S, patience_s) if self.kind == "openai" else PATIENCE_S
        own_token = None if self.kind == "openai" else token or None
        self._client = StreamClient(base, token=own_token, pool=self._pool, heartbeat_timeout_s=silence_s)

    async def __aenter__(self) -> Self:
        self._pool.enter()
        self._pool.client_for(self.url)  # loads the certificates, if any, before the first question
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.leave()

    @property
    def first_tokens(self) -> int | None:
        """How many tokens the first delta has, where that follows from the request."""
        return 1 if self.kind == "sse-widget" and self.params.get("chunk_tokens") == 1 else None

    def ask(self, question: str) -> Stream:
        """Return the stream of an answer; nothing is sent before it is iterated."""
        if self.kind == "sse-widget":
            named = {"model": self.model} if self.model else {}
            return self._client.chat(question, **named, **self.params)
        order = Order(
            url=self._order.url,
            question=question,
            model=self.model,
            token=self._order.token,
            params={"stream_options": {"include_usage": True}, **self.params},
        )
        request = order.request()
        headers = {**request.headers, **_NEVER_RETURNS}
        return self._client.stream(request.method, request.url, headers=headers, content=request.content)

    async def stop(self, stream: Stream) -> None:
        """End the run of a stream that is left; a server with OpenAI's routes ends it when the connection closes."""
        if stream.stream_id and stream.state not in {"done", "stopped", "error"}:
            with suppress(SSEWidgetError, TimeoutError):
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self._client.stop(stream.stream_id)
