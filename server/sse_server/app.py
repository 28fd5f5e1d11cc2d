"""The composition root: the only place that picks concrete classes."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tornado.web

from sse_server.delivery import Counters
from sse_server.errors import ServerError
from sse_server.guards.auth import Gate
from sse_server.guards.tickets import TicketOffice
from sse_server.handlers.base import Route, Services
from sse_server.handlers.chat import ChatHandler
from sse_server.handlers.ops import ClockHandler, HealthHandler, PageHandler
from sse_server.handlers.runs import RunHandler
from sse_server.log.memory import MemoryLog
from sse_server.runs import Runs
from sse_server.sources.local import LocalSource
from sse_server.sources.synthetic import SyntheticSource, parse_params

if TYPE_CHECKING:
    from sse_server.config import Config
    from sse_server.sources.base import TokenSource

logger = logging.getLogger(__name__)

MAX_BUFFER_BYTES = 4 << 20
DRAIN_S = 5.0
ROUTES: list[tuple[str, type[Route]]] = [
    (r"/api/v1/stream/chat", ChatHandler),
    (r"/api/v1/stream/runs/([0-9a-f]{32})", RunHandler),
    (r"/api/v1/stream/health", HealthHandler),
    (r"/api/v1/clock", ClockHandler),
]


class Models:
    """The sources by model name: `local`, the configured GGUF file, and `synthetic:…`."""

    def __init__(self, default: str) -> None:
        self._sources: dict[str, TokenSource] = {}
        self._files = {default: Path(default)} if default.endswith(".gguf") else {}

    def source_of(self, model: str) -> TokenSource:
        """Return the source of a model; each is made once. Raises ServerError for a model that is not offered."""
        kind, _, params = model.partition(":")
        if kind == "synthetic":
            return SyntheticSource(parse_params(params))
        if model not in self._sources:
            if model != "local" and model not in self._files:
                known = ", ".join(["local", *(path.name for path in self._files.values()), "synthetic:…"])
                raise ServerError("unknown_model", name=model[:80], known=known)
            self._sources[model] = LocalSource(self._files.get(model))
        return self._sources[model]

    async def close(self) -> None:
        """End what the sources hold."""
        for source in self._sources.values():
            await source.close()


class Server:
    """One server's parts, made from its settings: the Tornado application, and how to end it.

    `prefix` is the path in front of the routes; `token` overrides the one of the settings.
    """

    def __init__(self, config: Config, *, prefix: str = "", token: str | None = None) -> None:
        self.models = Models(config.model)
        self.models.source_of(config.model)
        log = MemoryLog(time.monotonic, expire_s=config.expire_s)
        tickets = TicketOffice(secrets.token_bytes(32), time.time)
        self.services = Services(
            config=config,
            log=log,
            runs=Runs(log, self.models.source_of, unread_limit_s=config.unread_limit_s, max_runs=config.max_runs),
            gate=Gate(token or config.token(), tickets),
            tickets=tickets,
            counters=Counters(),
            prefix=prefix,
            node=secrets.token_hex(4),
        )

    def application(self) -> tornado.web.Application:
        """Return the standalone application: the routes and the page."""
        rules: list[Any] = [(path, handler, {"services": self.services}) for path, handler in ROUTES]
        static = static_folder()
        if static.is_dir():
            rules.append((r"/(.*)", PageHandler, {"path": str(static), "default_filename": "index.html"}))
        return tornado.web.Application(rules, log_function=log_request)

    async def close(self) -> None:
        """End the runs, let their readers have the terminal events, end the model."""
        await self.services.runs.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.services.counters.idle.wait(), DRAIN_S)
        await self.models.close()


def static_folder() -> Path:
    """Return the folder of the built page and bundles."""
    spec = importlib.util.find_spec("sse_widget")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    return Path(folders[0]) / "static" if folders else Path("static")


def log_request(handler: tornado.web.RequestHandler) -> None:
    """Log method, path and status; never the query, which may hold a question or a ticket."""
    request = handler.request
    logger.info("%s %s %d %.0f ms", request.method, request.path, handler.get_status(), 1000 * request.request_time())
