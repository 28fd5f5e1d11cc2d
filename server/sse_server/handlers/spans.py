"""`/api/v1/stream/runs/{id}/spans`: pages say what they saw of a run, and whoever measures it reads that."""

from __future__ import annotations

import msgspec

from sse_server.errors import ServerError
from sse_server.guards.validation import Range, body_fields, refuse_unknown
from sse_server.handlers.base import refusing
from sse_server.handlers.stream import StreamRoute
from sse_widget.protocol.trace import Spans

MAX_WAIT_S = 30
_WAIT_S = Range(0, MAX_WAIT_S)


class SpansHandler(StreamRoute):
    """The rows of a run. Who may read it may also say what they saw of it."""

    access = "read"

    @refusing
    async def post(self, stream_id: str) -> None:
        """Take the next rows of a page; without any, the page says that it reads the run."""
        await self.find(stream_id, "read")
        spans = read_spans(self.request.body)
        try:
            self.services.spans.add(stream_id, spans)
        except ServerError as error:
            if "have" not in error.values:
                raise
            self.refuse(error, have=error.values["have"])
            return
        self.set_status(204)
        self.finish()

    @refusing
    async def get(self, stream_id: str) -> None:
        """Answer with what all pages said; with `wait_s`, once each of them is over or after that time."""
        fields = self.fields()
        refuse_unknown(fields, frozenset({"wait_s"}), connection=False)
        wait_s = _WAIT_S.read("wait_s", fields.get("wait_s", 0))
        await self.find(stream_id, "read")
        self.send_json({"readers": await self.services.spans.read(stream_id, wait_s)})


def read_spans(body: bytes) -> Spans:
    """Return the checked rows of a request."""
    fields = body_fields(body or b"{}")
    try:
        return msgspec.convert(fields, Spans)
    except msgspec.ValidationError as error:
        raise ServerError("bad_spans", detail=str(error)[:200]) from error
