"""`/api/v1/stream/runs/{id}`: attach to a run, stop it, tune it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sse_server.errors import ServerError
from sse_server.guards.validation import body_fields, read_tuning
from sse_server.handlers.base import refusing
from sse_server.handlers.stream import StreamRoute

if TYPE_CHECKING:
    from sse_server.guards.access import Access
    from sse_server.log.base import StreamInfo
    from sse_server.runs import Runs


class RunHandler(StreamRoute):
    """One run, by its stream id."""

    access: ClassVar[Access] = {"GET": "read", "DELETE": "stop", "PATCH": "tune"}

    @refusing
    async def get(self, stream_id: str) -> None:
        """Read on from Last-Event-ID, else `after`, else a snapshot, else the start."""
        connection = self.connection_of(self.fields())
        place = self.last_event_id()
        if place is not None and place[0] != stream_id:
            raise ServerError("bad_event_id")
        info = await self.find(stream_id, "read")
        after = place[1] if place is not None else connection.after or 0
        await self.follow(info, after, connection, resumed=place is not None or connection.after is not None)

    @refusing
    async def delete(self, stream_id: str) -> None:
        """Stop the model."""
        info = await self.find(stream_id, "stop")
        self.send_json(await stop_run(self.services.runs, info), 202)

    @refusing
    async def patch(self, stream_id: str) -> None:
        """Change the knobs of a running answer."""
        changes = read_tuning(body_fields(self.request.body))
        info = await self.find(stream_id, "tune")
        self.send_json(await tune_run(self.services.runs, info, changes), 202)


async def stop_run(runs: Runs, info: StreamInfo) -> dict[str, Any]:
    """Stop a run unless it has ended; return what its asker is told."""
    if not info.ended:
        await runs.stop(info.stream_id)
    return {"stream_id": info.stream_id, "status": "ended" if info.ended else "stopping"}


async def tune_run(runs: Runs, info: StreamInfo, changes: dict[str, Any]) -> dict[str, Any]:
    """Change a run's knobs unless it has ended; return what its asker is told."""
    if not info.ended:
        await runs.tune(info.stream_id, changes)
    return {"stream_id": info.stream_id, "status": "ended" if info.ended else "tuned", "changes": changes}
