"""`/admin/dashboard`: a page that asks a question and shows the server's metrics while it is answered."""

from __future__ import annotations

from sse_server.errors import ServerError
from sse_server.guards.access import PAGE
from sse_server.handlers.base import Route, refusing

POLICY = "default-src 'self'; img-src 'self' https:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


class DashboardHandler(Route):
    """The page, which holds no figure. Its script fetches them, and asks for a token where the metrics need one.

    Who shows no credentials gets it with status 401, so that monitors and crawlers do not take it for open.
    """

    access = PAGE

    @refusing
    async def get(self) -> None:
        """Answer with the page."""
        try:
            page = (self.services.static / "dashboard.html").read_bytes()
        except OSError:
            raise ServerError("no_route") from None
        if self.services.gate.guarded and not hasattr(self, "principal"):
            self.set_status(401)
            self.set_header("WWW-Authenticate", "Bearer")
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")
        self.finish(page)
