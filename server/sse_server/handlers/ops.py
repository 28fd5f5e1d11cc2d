"""Health, the server's clock, and the page that asks a question in any browser."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import tornado.web

from sse_server import __version__
from sse_server.errors import ServerError
from sse_server.guards.access import OPEN
from sse_server.handlers.base import Route

if TYPE_CHECKING:
    from sse_server.handlers.services import Services


class HealthHandler(Route):
    """Whether the server lives, and what it is doing; open to everyone who reaches it.

    Load balancers have no credentials. Pages that look for the way to this server may read it.
    """

    access = OPEN

    async def get(self) -> None:
        """Answer with figures of this process."""
        services = self.services
        self.send_json(
            {
                "status": "ok",
                "version": __version__,
                "node": services.node,
                "model": services.model,
                "faults": services.config.allow_faults,
                "runs": services.runs.running,
                "runs_started": services.runs.started,
                **services.counters.as_dict(),
            }
        )


class MissingHandler(Route):
    """What stands at no route."""

    access = OPEN

    async def prepare(self) -> None:
        """Say so, whoever asks."""
        self.refuse(ServerError("no_route"))


class ClockHandler(Route):
    """The server's clock, for estimating the offset to the reader's as NTP does (RFC 5905, section 8)."""

    access = "read"

    def initialize(self, services: Services) -> None:
        """Take the time as soon as the request is there."""
        self._received_ns = time.monotonic_ns()
        super().initialize(services)

    async def get(self) -> None:
        """Answer with when the request was received and when this was sent, ns of `time.monotonic_ns`."""
        self.send_json({"received": self._received_ns, "sent": time.monotonic_ns()})


class PartHandler(Route):
    """A part of the widget's code that only some answers need; it holds no secret.

    A page may have only what the kernel gave it for one stream.
    """

    access = OPEN

    async def get(self, name: str) -> None:
        """Answer with the file."""
        try:
            content = (self.services.static / name).read_bytes()
        except OSError:
            self.refuse(ServerError("no_route"))
            return
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(content)


class PageHandler(tornado.web.StaticFileHandler):
    """The page `/` and its scripts. It holds no secret; what it asks is checked by the routes."""

    access = OPEN

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Answer 404 also for what no file system takes as a path."""
        try:
            return super().validate_absolute_path(root, absolute_path)
        except ValueError as error:
            raise tornado.web.HTTPError(404) from error

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002 - Tornado's signature
        """Allow the page's own files only, and images, which the reader has to ask for one by one."""
        policy = "default-src 'self'; img-src 'self' https:; frame-ancestors 'none'; base-uri 'none'"
        self.set_header("Content-Security-Policy", policy)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-cache")
