"""The Jupyter Server extension: the same handlers under `{base_url}sse-widget/`, behind Jupyter's own auth.

Browsers come with Jupyter's cookie or token and pass its XSRF and origin checks. Kernels come with a token that this
extension mints; it opens these routes only. `SSE_WIDGET_URL` and `SSE_WIDGET_TOKEN` are set in the environment once the
server listens, so that kernels inherit them.
"""

from __future__ import annotations

import logging
import os
import secrets
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import msgspec
from jupyter_core.paths import jupyter_runtime_dir
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider, User
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado.web import HTTPError, authenticated

from sse_server.app import ROUTES, Server
from sse_server.config import ConfigError, read_config
from sse_server.errors import ServerError
from sse_server.guards.access import check_decisions
from sse_server.guards.auth import FOREIGN_PAGE, Principal, check_fetch_site
from sse_server.guards.credentials import OWNER
from sse_server.handlers.intake import methods_of
from sse_server.log.database import VERSION

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from sse_server.handlers.base import Route

logger = logging.getLogger(__name__)
HUB_USER = "JUPYTERHUB_USER"
"""The variable in which JupyterHub names the owner of a single-user server."""

SCRUBBED = ("q", "question", "key", "ticket")
"""Query parameters that never reach Jupyter's log."""


class JupyterAuth:
    """Mixin in front of a route: admits by Jupyter's rules, or by the kernels' token."""

    async def prepare(self: Any) -> None:
        """Let a kernel in by its token, everyone else as Jupyter does."""
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.services.gate.accepts(token.strip()):
            self.current_user = self._jupyter_current_user = User("kernel")
            self.principal = Principal(OWNER)
            return
        try:
            answered = JupyterHandler.prepare(self, _redirect_to_login=False)
            if isawaitable(answered):
                await answered
        except HTTPError as error:
            # Jupyter answers 403 also to those whom it does not know.
            if error.status_code != 403 or self.current_user is not None or not self.check_host():
                raise
        if self._finished or self.request.method == "OPTIONS":
            return
        try:
            self.principal = self._jupyter_principal()
            self.check_right()
        except ServerError as error:
            self.refuse(error)

    def _jupyter_principal(self: Any) -> Principal:
        # Jupyter's own prepare demands a user only where `allow_unauthenticated_access` is off.
        if self.current_user is None:
            raise ServerError("unauthorized")
        # Jupyter's own check: a WebSocket's handler has another one of this name.
        if not JupyterHandler.check_origin(self):
            raise ServerError("forbidden", detail=FOREIGN_PAGE)
        if self.request.headers.get("Origin") is None:
            check_fetch_site(self.request.headers.get("Sec-Fetch-Site", ""))
        return Principal(_owner(self.identity_provider, self.current_user))


def _owner(provider: IdentityProvider, user: Any) -> str:
    """Return the principal of a user: one for all where Jupyter itself knows only one, each its own elsewhere.

    On a JupyterHub the kernels are the server's owner's; guests on that server are others.
    """
    if type(provider) in {IdentityProvider, PasswordIdentityProvider} or user.username == os.environ.get(HUB_USER):
        return OWNER
    return f"user:{user.username}"


def _jupyter_route(route: type[Route]) -> type[Any]:
    """Return a route on Jupyter's base class; what it does to a stream is untouched.

    The decorators state for each method the decision that JupyterAuth.prepare takes: Jupyter checks that one was made.
    """
    members: dict[str, Any] = {"options": allow_unauthenticated(route.options)}
    for name in ("get", "post", "delete", "patch"):
        if name in vars(route):
            members[name] = authenticated(vars(route)[name])
    return type(f"Jupyter{route.__name__}", (JupyterAuth, route, JupyterHandler), members)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Tell Jupyter Server where the extension is."""
    return [{"module": "sse_server.jupyter"}]


def _server(prefix: str, token: str) -> Server:
    """Return the server; it keeps answers in one file of the user's, which survives a restart of Jupyter.

    All Jupyter Servers of a user on this machine share the file, as processes of one server do. Where it cannot be,
    such as in a home folder on a network, answers are kept in memory; a place that was asked for has to work.
    """
    log = f"sqlite:{Path(jupyter_runtime_dir()) / 'sse-widget' / f'events-{VERSION}.db'}"
    config = read_config(["--rate-limit=off"], defaults={"log": log})
    try:
        return Server(config, prefix=prefix, token=token)
    except ConfigError as error:
        if config.log != log:
            raise
        logger.warning("answers are kept in memory, and end with this server: %s", error)
    return Server(msgspec.structs.replace(config, log="memory"), prefix=prefix, token=token)


def _load_jupyter_server_extension(serverapp: ServerApp) -> None:
    """Add the routes."""
    prefix = url_path_join(serverapp.base_url, "sse-widget")
    token = secrets.token_urlsafe(32)
    server = _server(prefix, token)
    settings = serverapp.web_app.settings
    settings["sse_widget_kernels"] = (prefix, token)
    settings["extra_log_scrub_param_keys"] = [*settings.get("extra_log_scrub_param_keys", []), *SCRUBBED]
    rules = [(prefix + path, _jupyter_route(route), {"services": server.services}) for path, route in ROUTES]
    check_decisions((path, route, methods_of(route)) for path, route, _ in rules)
    serverapp.web_app.add_handlers(".*$", rules)  # type: ignore[no-untyped-call]


async def _start_jupyter_server_extension(serverapp: ServerApp) -> None:
    """Hand the address to the kernels, now that the server listens."""
    prefix, token = serverapp.web_app.settings["sse_widget_kernels"]
    parts = urlsplit(serverapp.local_url)
    os.environ["SSE_WIDGET_URL"] = urlunsplit((parts.scheme, parts.netloc, prefix, "", ""))
    os.environ["SSE_WIDGET_TOKEN"] = token
