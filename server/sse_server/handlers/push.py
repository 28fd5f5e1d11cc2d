"""`/api/v1/stream/runs` and `…/runs/{id}/tokens`: runs whose text another process makes and pushes here."""

from __future__ import annotations

from functools import partial

from sse_server.errors import ServerError
from sse_server.guards.pushing import read_batch, read_pushed_run
from sse_server.guards.validation import body_fields
from sse_server.handlers.base import refusing
from sse_server.handlers.stream import StreamRoute
from sse_server.log.base import StreamMeta
from sse_server.sources.push import PushSource, Receipt


class PushedRunsHandler(StreamRoute):
    """Starts a run without a model. Readers attach to it as to any other; knobs and stop are the same."""

    access = "push"

    @refusing
    async def post(self) -> None:
        """Answer with the id, the ticket for a browser, and how long the producer may be silent."""
        self.principal.require("start")
        fields = body_fields(self.request.body or b"{}")
        config = self.services.config
        chat = read_pushed_run(fields, max_length=config.max_question_length, lang=self.lang)
        source = PushSource(timeout_s=config.producer_timeout_s, max_bytes=config.max_pushed_bytes)
        meta = StreamMeta(self.principal.name or "", chat.order.request.model, chat.conversation_id)
        admit = partial(self.services.quota.spend, self.principal.counted_as)
        stream_id, _ = await self.services.runs.start_pushed(chat.order, meta, self.key_of(fields), admit, source)
        self.answer_created(stream_id, producer_timeout_s=config.producer_timeout_s)


class TokensHandler(StreamRoute):
    """Takes the tokens of a pushed run. The answer comes when there is room for them, so it paces the producer."""

    access = "push"

    @refusing
    async def post(self, stream_id: str) -> None:
        """Take one batch, once however often it comes; `stop` in the answer says that no more is wanted."""
        batch = read_batch(body_fields(self.request.body or b"{}"))
        info = await self.find(stream_id, "push")
        source = self.services.runs.pushed(stream_id)
        if source is not None:
            self.send_json(await source.put(batch))
        elif info.ended:
            self.send_json(Receipt(batch.seq + 1, stop=True))
        else:
            raise ServerError("not_pushed")
