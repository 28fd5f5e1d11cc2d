"""`/api/v1/stream/chat`: a question starts a run and streams it."""

from __future__ import annotations

from typing import Any

from sse_server.guards.validation import body_fields, read_chat, read_connection
from sse_server.handlers.base import refusing
from sse_server.handlers.stream import StreamRoute
from sse_server.log.base import StreamMeta


class ChatHandler(StreamRoute):
    """Starts a run. The same idempotency key is the same run; with Last-Event-ID no run is ever started."""

    streams = ("GET", "POST")

    @refusing
    async def get(self) -> None:
        """For curl and native EventSource."""
        await self._chat(self.fields())

    @refusing
    async def post(self) -> None:
        """For clients that keep questions out of access logs."""
        await self._chat({**self.fields(), **body_fields(self.request.body)})

    async def _chat(self, fields: dict[str, Any]) -> None:
        place = self.last_event_id()
        connection = read_connection(fields)
        if place is not None:
            info = await self.find(place[0], "read")
            await self.follow(info, place[1], connection, resumed=True)
            return
        self.principal.require("start")
        stream_id, created = await self._start(fields)
        info = await self.find(stream_id, "read")
        if self.wants_json and self.request.method == "POST":
            self.answer_created(stream_id)
        else:
            await self.follow(info, 0, connection, resumed=not created)

    async def _start(self, fields: dict[str, Any]) -> tuple[str, bool]:
        services = self.services
        chat = read_chat(
            fields,
            default_model=services.model,
            max_length=services.config.max_question_length,
            lang=self.lang,
        )
        meta = StreamMeta(self.principal.name or "", chat.order.request.model, chat.conversation_id)
        return await services.runs.start(chat.order, meta, self.key_of(fields))
