"""`/api/v1/parts/NAME.js`: the parts of the view that a widget loads when it needs them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sse_server.errors import ServerError
from sse_server.guards.auth import check_host
from sse_server.handlers.base import Route, refusing


class PartHandler(Route):
    """One bundle of static/part-NAME.js. It holds no secret, and a browser has no ticket yet when it asks for it."""

    @refusing
    async def prepare(self) -> None:
        """Check Host and Origin; no credentials."""
        if self.services.config.on_loopback:
            check_host(self.request.host)
        self._check_origin()

    @refusing
    async def get(self, name: str) -> None:
        """Answer with the script, which a page may keep as long as it is the newest."""
        path = self.services.static / f"part-{name}.js"
        try:
            script = await asyncio.to_thread(Path.read_bytes, path)
        except FileNotFoundError as error:
            raise ServerError("no_route") from error
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(script)
