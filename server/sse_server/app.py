"""The composition root: the only place that picks concrete classes."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import re
import secrets
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sse_server import __version__
from sse_server.config import REDIS_SCHEMES, ConfigError
from sse_server.counters import Counters
from sse_server.delivery import RETRY_MS
from sse_server.guards.auth import Gate
from sse_server.guards.caps import Caps
from sse_server.guards.credentials import OWNER, read_secret, read_tokens
from sse_server.guards.jwt import verifier_of
from sse_server.guards.limits import Quota
from sse_server.guards.proxies import Proxies
from sse_server.guards.sessions import Sessions
from sse_server.guards.tickets import TicketOffice
from sse_server.handlers.base import Route
from sse_server.handlers.cassettes import CassetteHandler, CassettesHandler
from sse_server.handlers.chat import ChatHandler
from sse_server.handlers.dashboard import DashboardHandler
from sse_server.handlers.intake import Application
from sse_server.handlers.metrics import MetricsHandler, ReadyHandler, log_kind
from sse_server.handlers.openai import CompletionsHandler, ModelHandler, ModelsHandler, NoModelRoute
from sse_server.handlers.openapi import DocumentHandler
from sse_server.handlers.ops import ClockHandler, HealthHandler, MissingHandler, PageHandler, PartHandler
from sse_server.handlers.push import PushedRunsHandler, TokensHandler
from sse_server.handlers.runs import RunHandler
from sse_server.handlers.services import Services
from sse_server.handlers.session import LinkHandler, SessionHandler
from sse_server.handlers.spans import SpansHandler
from sse_server.handlers.stalls import Stalls
from sse_server.handlers.websocket import SocketHandler
from sse_server.log.base import LogUnavailableError
from sse_server.log.local_file import kept_secret
from sse_server.log.memory import MemoryLog
from sse_server.log.sqlite import SqliteLog
from sse_server.loop_lag import LoopLag
from sse_server.metrics import Metrics
from sse_server.observer import Aliases, Observer
from sse_server.runs import Runs
from sse_server.sources.conversation import Bounds, Conversations
from sse_server.sources.models import Models
from sse_server.sources.shelf import Shelf
from sse_server.spans import SpanBooks

if TYPE_CHECKING:
    from collections.abc import Iterator

    import tornado.web

    from sse_server.config import Config
    from sse_server.log.base import EventLog, StreamMeta
    from sse_server.sources.base import ChatRequest, TokenSource

logger = logging.getLogger(__name__)

DRAIN_S = 5.0
_STREAM_ID = re.compile(r"[0-9a-f]{32}")
_GROUP = re.compile(r"\(.*?\)")
SPREAD_MS = 5000
"""Over so much time readers come again whose stream goes on elsewhere when this process ends."""
ROUTES: list[tuple[str, type[Route]]] = [
    (r"/api/v1/stream/chat", ChatHandler),
    (r"/api/v1/stream/runs", PushedRunsHandler),
    (r"/api/v1/stream/runs/([^/]+)", RunHandler),
    (r"/api/v1/stream/ws", SocketHandler),
    (r"/api/v1/stream/runs/([^/]+)/tokens", TokensHandler),
    (r"/api/v1/stream/runs/([^/]+)/spans", SpansHandler),
    (r"/api/v1/stream/cassettes", CassettesHandler),
    (r"/api/v1/stream/cassettes/([^/]+)", CassetteHandler),
    (r"/api/v1/stream/health", HealthHandler),
    (r"/api/v1/stream/ready", ReadyHandler),
    (r"/api/v1/stream/metrics", MetricsHandler),
    (r"/metrics", MetricsHandler),
    (r"/api/v1/clock", ClockHandler),
    (r"/api/v1/openapi.json", DocumentHandler),
    (r"/v1/chat/completions", CompletionsHandler),
    (r"/v1/models", ModelsHandler),
    (r"/v1/models/(.+)", ModelHandler),
    (r"/static/(part-[a-z]+\.js)", PartHandler),
]
PAGE_ROUTES: list[tuple[str, type[Route]]] = [
    (r"/api/v1/session", SessionHandler),
    (r"/api/v1/session/link", LinkHandler),
]
"""Of the standalone server alone: elsewhere the host signs its pages in."""


class Server:
    """One server's parts, made from its settings: the Tornado application, and how to end it.

    `prefix` is the path in front of the routes; `token` stands for all that the settings say of them, `secret`
    for what `secret_of` gives for them.
    """

    def __init__(
        self, config: Config, *, prefix: str = "", token: str | None = None, secret: bytes | None = None
    ) -> None:
        shelf = Shelf(config.cassettes, _shipped("cassettes"))
        self.models = Models(config, shelf)
        secret = secret or secret_of(config)
        log = log_of(config, secret)
        self._conversations = conversations_of(config)
        spans = SpanBooks()
        tickets = TicketOffice(secret, time.time)
        tokens = read_tokens(config) if token is None else [(OWNER, token)]
        self._tokens = tokens
        verifier = verifier_of(config) if token is None else None
        gate = Gate(tokens, tickets, verifier.claim if verifier else None)
        counters = Counters()
        aliases = Aliases(secret)
        node = secrets.token_hex(4)
        self.loop_lag = LoopLag(counters.loop_lag_s)
        self.services = Services(
            config=config,
            log=log,
            runs=Runs(
                log,
                self._source_of,
                spans,
                unread_limit_s=config.unread_limit_s,
                max_runs=config.max_runs,
                # Where there are several principals, none of them keeps the others out.
                max_owner_runs=(config.max_runs + 1) // 2 if gate.shared else config.max_runs,
                observer=Observer(counters, aliases, time.monotonic),
            ),
            gate=gate,
            tickets=tickets,
            sessions=Sessions(secret, time.time, partial(secrets.token_hex, 16), gate.fingerprint),
            quota=Quota(config.rate_limit, config.log),
            proxies=Proxies(config.trusted_proxy),
            counters=counters,
            caps=Caps(config.max_connections, config.max_streams),
            model=self.models.default,
            models=self.models,
            prefix=prefix,
            node=node,
            static=static_folder(),
            shelf=shelf,
            spans=spans,
            metrics=Metrics(counters, {"version": __version__, "node": node, "log": log_kind(config.log)}),
            aliases=aliases,
        )

    def _source_of(self, request: ChatRequest, meta: StreamMeta) -> TokenSource:
        source = self.models.source_of(request.model)
        return self._conversations.joined(source, meta.owner, meta.conversation_id, request)

    def application(self) -> Application:
        """Return the standalone application: the routes and the page. Its HTTPServer takes `handlers.intake.LIMITS`."""
        services = {"services": self.services}
        missing = [(r"/api/.*", MissingHandler), (r"/v1/.*", NoModelRoute)]
        rules: list[Any] = [(path, handler, services) for path, handler in [*ROUTES, *PAGE_ROUTES, *missing]]
        rules.append((r"/admin/dashboard", DashboardHandler, services))
        static = self.services.static
        if static.is_dir():
            rules.append((r"/(.*)", PageHandler, {"path": str(static), "default_filename": "index.html"}))
        stalls = Stalls(self.services.config.send_timeout_s, self.services.counters)
        return Application(rules, stalls, log_function=log_request)

    def page_hint(self, url: str, *, with_link: bool) -> str:
        """Return how a browser opens the page at this URL, empty where everyone may.

        `with_link` gives one that works once, where one principal alone has a token; otherwise it says how to get one.
        """
        names = dict.fromkeys(name for name, _ in self._tokens)
        if with_link and len(names) == 1:
            return f"page: {url}/#link={self.services.sessions.link(*names)} (works once, within an hour)"
        if self.services.gate.guarded:
            return f"page: POST {url}/api/v1/session/link with a token gives a link that works once"
        return ""

    async def close(self) -> None:
        """End the runs, let their readers have the terminal events, end the model."""
        self.loop_lag.stop()
        await self.services.runs.close()
        for delivery in list(self.services.deliveries):
            # Each with a wait of its own: those that come again do not come all at once.
            delivery.leave(RETRY_MS + secrets.randbelow(SPREAD_MS))
        with suppress(TimeoutError):
            await asyncio.wait_for(self.services.counters.idle.wait(), DRAIN_S)
        for socket in list(self.services.sockets):
            socket.leave()
        await self.models.close()
        await self.services.quota.close()
        await self.services.log.close()


def log_of(config: Config, secret: bytes) -> EventLog:
    """Return the event log of the settings; one that nodes share keeps their `secret` too."""
    if config.log.startswith(REDIS_SCHEMES):
        return _redis_log(config, secret)
    kind, _, place = config.log.partition(":")
    max_bytes, expire_s = config.max_log_bytes, config.expire_s
    if kind == "sqlite":
        return SqliteLog(Path(place), max_bytes=max_bytes, expire_s=expire_s)
    return MemoryLog(time.monotonic, max_bytes=max_bytes, expire_s=expire_s)


def secret_of(config: Config) -> bytes:
    """Return what tickets are signed with: the secret file's, what is kept with the log, or a new one."""
    new = read_secret(config)
    kind, _, place = config.log.partition(":")
    if kind == "sqlite" and not config.secret_file:
        return kept_secret(Path(place), new)
    if config.secret_file or not config.log.startswith(REDIS_SCHEMES):
        return new
    with _needing_redis():
        from sse_server.log.redis_link import shared_secret  # noqa: PLC0415 - an extra's package

        return shared_secret(config.log, new)


def model_of(config: Config) -> str:
    """Return the model of questions that name none; raises ServerError when it cannot be offered."""
    return Models(config, Shelf(config.cassettes, _shipped("cassettes"))).default


def _redis_log(config: Config, secret: bytes) -> EventLog:
    with _needing_redis():
        from sse_server.log.redis import RedisLog  # noqa: PLC0415 - an extra's package

        return RedisLog(config.log, max_bytes=config.max_log_bytes, expire_s=config.expire_s, secret=secret)


@contextmanager
def _needing_redis() -> Iterator[None]:
    """Say what is wrong with a log in Redis, or missing for one, as a matter of the settings."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError("--log redis://… needs redis: pip install 'sse-widget[server]'") from error
    except ValueError as error:
        raise ConfigError("--log is no address of a Redis, such as redis://HOST:PORT/0") from error
    except LogUnavailableError as error:
        raise ConfigError(
            f"cannot reach the Redis of --log: {error}. Start it, or correct the address or the password."
        ) from error


def conversations_of(config: Config) -> Conversations:
    """Return the conversations of a server, within the bounds of its settings."""
    bounds = Bounds(
        turns=config.max_conversation_turns,
        bytes=config.max_conversation_bytes,
        conversations=config.max_conversations,
        age_s=config.conversation_expire_s,
    )
    return Conversations(time.monotonic, bounds)


def static_folder() -> Path:
    """Return the folder of the built page and bundles."""
    return _shipped("static")


def _shipped(name: str) -> Path:
    """Return a folder of files that come with sse_widget, which need not be imported for it."""
    spec = importlib.util.find_spec("sse_widget")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    return Path(folders[0]) / name if folders else Path(name)


def log_request(handler: tornado.web.RequestHandler) -> None:
    """Log one line a request: by its route, for a path or a query may hold a question, a token or a ticket."""
    request = handler.request
    fields = {
        "method": request.method,
        "route": _route_of(type(handler)),
        "status": handler.get_status(),
        "code": getattr(handler, "refused", ""),
        "duration_ms": round(1000 * request.request_time(), 1),
    }
    if isinstance(handler, Route):
        principal = getattr(handler, "principal", None)
        fields["principal"] = handler.services.aliases.alias(principal and principal.name)
        arguments = getattr(handler, "path_args", ())  # a request that cannot be read has none
        fields["stream_id"] = handler.stream_id or next(filter(_STREAM_ID.fullmatch, arguments), "")
    logger.info("request", extra={"fields": fields})


def _route_of(handler: type) -> str:
    for path, one in ROUTES:
        if one is handler:
            return _GROUP.sub("{id}", path)
    return handler.__name__
