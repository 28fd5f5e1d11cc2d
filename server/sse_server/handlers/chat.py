"""`/api/v1/stream/chat`: a question starts a run and streams it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sse_server.guards.validation import body_fields, read_chat
from sse_server.handlers.base import refusing
from sse_server.handlers.stream import StreamRoute
from sse_server.log.base import StreamMeta

if TYPE_CHECKING:
    from sse_server.errors import Lang
    from sse_server.guards.auth import Principal
    from sse_server.handlers.services import Services


async def start_run(
    services: Services, principal: Principal, fields: dict[str, Any], key: str, lang: Lang
) -> tuple[str, bool]:
    """Start the run of a question; return (stream_id, created), as `Runs.start` does."""
    principal.require("start")
    chat = read_chat(fields, default_model=services.model, max_length=services.config.max_question_length, lang=lang)
    meta = StreamMeta(principal.name or "", chat.order.request.model, chat.conversation_id)
    admit = partial(services.quota.spend, principal.counted_as)
    return await services.runs.start(chat.order, meta, key, admit)


class ChatHandler(StreamRoute):
    """Starts a run. The same idempotency key is the same run; with Last-Event-ID no run is ever started."""

    # Who may only read, as by a ticket, resumes here; `start_run` asks for more.
    access = "read"
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
        connection = self.connection_of(fields)
        if place is not None:
            info = await self.find(place[0], "read")
            await self.follow(info, place[1], connection, resumed=True)
            return
        key = self.key_of(fields)
        told = self.wants_json and self.request.method == "POST"
        if not told:
            # A run that its asker cannot read is not begun.
            self.services.caps.check(self.principal.name or "")
        stream_id, created = await start_run(self.services, self.principal, fields, key, self.lang)
        info = await self.find(stream_id, "read")
        if told:
            self.answer_created(stream_id)
        else:
            await self.follow(info, 0, connection, resumed=not created)
