"""`/v1/chat/completions` and `/v1/models`: what clients of OpenAI's API ask, over the same runs and the same log.

A streamed answer is a run as any other: its `X-Stream-Id` is read on at `/api/v1/stream/runs/{id}`. So it goes on when
its client leaves, which may be an interruption, and ends as all do that nobody reads (`unread_limit`). A client that
never comes back, as load tools do, says so before by `X-On-Leave: stop`. An answer in one piece has told its id to
nobody when its client leaves: the run is stopped, unless an idempotency key leads to it.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from sse_server.delivery import Delivery, Visit
from sse_server.errors import ServerError
from sse_server.guards.access import OPEN
from sse_server.guards.completions import read_completion, read_leaving
from sse_server.guards.validation import Connection, body_fields
from sse_server.handlers.base import ALLOWED_HEADERS, JSON, refusing
from sse_server.handlers.chat import start_run
from sse_server.handlers.completion import Completion, failed, status_of
from sse_server.handlers.stream import StreamRoute
from sse_server.log.base import ExpiredStreamError, LogUnavailableError, TrimmedStreamError, UnknownStreamError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sse_server.delivery import Write
    from sse_server.log.base import StreamInfo

RETRY_AFTER_S = 5
FORMAT = "openai"
"""The value of X-Stream-Format, by which our own clients know that the events have another form than theirs."""

_CLIENT_HEADERS = "x-stainless-"
"""What OpenAI's own clients put in front of the names of headers of theirs, which browsers ask leave for."""

_MISSING = frozenset({"unknown_model", "unknown_cassette"})
_OF_MESSAGES = frozenset({"question_required", "question_too_long", "bad_utf8"})
_CODES = {"unauthorized": "invalid_api_key", "unsupported_parameter": "unsupported_parameter"}


class OpenAIRoute(StreamRoute):
    """A route whose refusals have OpenAI's form, streamed or not."""

    def refuse(self, error: ServerError, **members: object) -> None:
        """Answer with an error object."""
        key = error.message_key
        code = "model_not_found" if key in _MISSING else _CODES.get(key, error.code)
        if key in _MISSING:
            error.status = 404
        super().refuse(error, **members, code=code, param=_param(error))

    def _problem(self, status: int, detail: str, code: str, members: dict[str, Any]) -> None:
        self.set_header("Content-Type", JSON)
        self.finish(failed(detail, status, members.get("code", code), members.get("param")))

    async def options(self, *names: str) -> None:
        """Answer a CORS preflight; the headers of OpenAI's client in a page are allowed too."""
        await super().options(*names)
        asked = self.request.headers.get("Access-Control-Request-Headers", "").split(",")
        more = [name for name in map(str.strip, asked) if name.lower().startswith(_CLIENT_HEADERS)]
        self.set_header("Access-Control-Allow-Headers", ", ".join([ALLOWED_HEADERS, "X-On-Leave", *more]))


def _param(error: ServerError) -> str | None:
    """Return the field of the request that an error speaks of, None where it is none."""
    if error.message_key in _MISSING:
        return "model"
    if error.message_key in _OF_MESSAGES:
        return "messages"
    name = error.values.get("name")
    if not isinstance(name, str):
        return None
    return "model" if name.startswith("synthetic:") else name


class CompletionsHandler(OpenAIRoute):
    """Starts a run and answers with it, as chunks or in one piece."""

    access = "start"
    _left = False
    _completion: Completion

    @refusing
    async def post(self) -> None:
        """Answer a question."""
        asked = read_completion(body_fields(self.request.body or b"{}"))
        stops = read_leaving(self.request.headers.get("X-On-Leave", ""))
        key = self.key_of({})
        self.services.caps.check(self.principal.name or "")
        stream_id, _ = await start_run(self.services, self.principal, asked.fields, key, self.lang)
        info = await self.services.runs.info(stream_id, self.principal.name)
        self._completion = Completion(int(time.time()), self.lang, include_usage=asked.include_usage)
        if asked.stream:
            self.set_header("X-Stream-Format", FORMAT)
            left = not await self.follow(info, 0, Connection(), resumed=False)
        else:
            if not self._left:
                await self._answer_whole(info)
            left = self._left
        if left and (stops or (not asked.stream and not key)):
            await self.services.runs.stop(stream_id)

    def _write_through(self, data: bytes) -> Awaitable[None] | None:
        return super()._write_through(self._completion.chunks(data))

    def _straight(self) -> Write:
        return self._write_through

    async def _answer_whole(self, info: StreamInfo) -> None:
        leave = self.services.caps.take(info.meta.owner)
        self._delivery = asyncio.create_task(self._gather(info))
        try:
            with self.services.counters.connected("poll"):
                await asyncio.wait({self._delivery})
        finally:
            leave()
        if self._left:
            return
        await self._delivery
        self.set_header("X-Stream-Id", info.stream_id)
        error = self._completion.error
        if error is not None:
            self.set_status(status_of(error))
            if error.retry_after_s is not None:
                self.set_header("Retry-After", str(error.retry_after_s))
            self._problem(status_of(error), error.message, error.code, {})
            return
        self.set_header("Content-Type", JSON)
        self.set_header("Cache-Control", "no-store")
        await self.finish(self._completion.whole())

    async def _gather(self, info: StreamInfo) -> None:
        services = self.services

        delivery = Delivery(
            services.log,
            self._completion.take,
            services.counters,
            heartbeat_s=services.config.heartbeat_s,
            send_timeout_s=services.config.send_timeout_s,
        )
        try:
            await delivery.follow(info, Visit(0, resumed=False), services.node)
        except (UnknownStreamError, ExpiredStreamError, TrimmedStreamError) as error:
            raise ServerError("expired") from error
        except LogUnavailableError as error:
            raise ServerError("log_unavailable", retry_after_s=RETRY_AFTER_S) from error

    def on_connection_close(self) -> None:
        """Remember that the client has left."""
        self._left = True
        super().on_connection_close()


class ModelsHandler(OpenAIRoute):
    """Which models there are to choose from; some take parameters, so that there are more than are listed."""

    access = "start"

    @refusing
    async def get(self) -> None:
        """Answer with the list."""
        self.send_json({"object": "list", "data": [_model(name) for name in self.services.models.names()]})


class ModelHandler(OpenAIRoute):
    """One model."""

    access = "start"

    @refusing
    async def get(self, name: str) -> None:
        """Answer with it, where questions may name it."""
        self.services.models.source_of(name)
        self.send_json(_model(name))


class NoModelRoute(OpenAIRoute):
    """What stands at no route of OpenAI's API here."""

    access = OPEN

    async def prepare(self) -> None:
        """Say so, whoever asks."""
        self.refuse(ServerError("no_route"))


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "sse-widget"}
