"""`/metrics` for Prometheus, and `/ready` for load balancers."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sse_server.errors import ServerError
from sse_server.guards.access import OPEN
from sse_server.handlers.base import Route
from sse_server.log.base import LogUnavailableError, SizedLog, UnknownStreamError
from sse_server.metrics import State

if TYPE_CHECKING:
    from sse_server.handlers.services import Services

logger = logging.getLogger(__name__)
PROBE_S = 2.0
"""How long a log may take to answer before it counts as out of reach."""

_NO_STREAM = "0" * 32


async def problems_of(services: Services) -> list[ServerError]:
    """Return what keeps this server from serving, in the order of weight; nothing when it is ready."""
    problems = [ServerError("shutdown")] if services.runs.draining else []
    if not await _reaches_log(services):
        problems.append(ServerError("log_unavailable"))
    return problems


async def _reaches_log(services: Services) -> bool:
    try:
        async with asyncio.timeout(PROBE_S):
            await services.log.info(_NO_STREAM)
    except UnknownStreamError:
        return True
    except Exception as error:  # noqa: BLE001 - whatever fails, the log cannot be read
        logger.warning("the event log does not answer: %s", type(error).__name__)
        return False
    return True


def log_kind(log: str) -> str:
    """Return what kind of log a setting names, without its place, which may hold a password."""
    return log.partition(":")[0]


class ReadyHandler(Route):
    """Whether this server should get requests: its log answers, and it is not about to end. Open, as health is."""

    access = OPEN

    async def get(self) -> None:
        """Answer 200, or 503 with what is wrong."""
        problems = await problems_of(self.services)
        answer = {
            "status": "not_ready" if problems else "ready",
            "node": self.services.node,
            "log": log_kind(self.services.config.log),
            "problems": [{"code": one.code, "message": one.say(self.lang)} for one in problems],
        }
        if problems:
            self.set_header("Retry-After", "1")
        self.send_json(answer, 503 if problems else 200)


class MetricsHandler(Route):
    """The figures of this process, for whoever may start runs; a ticket's bearer may not."""

    access = "start"

    async def get(self) -> None:
        """Answer in Prometheus's text format, or in OpenMetrics where that is asked for."""
        body, content_type = self.services.metrics.text(self.request.headers.get("Accept", ""), await self._state())
        self.set_header("Content-Type", content_type)
        self.set_header("Cache-Control", "no-store")
        self.finish(body)

    async def _state(self) -> State:
        services = self.services
        problems = await problems_of(services)
        state = State(services.runs.running, ready=not problems)
        if problems or not isinstance(services.log, SizedLog):
            return state
        try:
            size = await services.log.size()
        except LogUnavailableError:
            return state
        return State(state.runs, state.ready, size.bytes, size.streams)
