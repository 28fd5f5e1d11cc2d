"""The sockets below the connections: kept open between requests, shared, and closed with their last user."""

from __future__ import annotations

import functools
import ssl
from urllib.parse import urlsplit

import httpx

from sse_widget.endpoint import is_loopback

CONNECT_TIMEOUT_S = 10.0
"""For the TCP and TLS handshakes. Nothing else has a timeout here: the session's deadline rules."""


class Pool:
    """For one event loop. `transport` replaces the network, and is not closed."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._transport = transport
        self._users = 0
        self._clients: dict[tuple[bool, bool], httpx.AsyncClient] = {}

    @property
    def users(self) -> int:
        """How many connections are using it."""
        return self._users

    def enter(self) -> None:
        """Keep sockets open until `leave`."""
        self._users += 1

    async def leave(self) -> None:
        """Close the sockets if nobody else uses them."""
        self._users -= 1
        if self._users:
            return
        clients, self._clients = self._clients, {}
        if self._transport is None:
            for client in clients.values():
                await client.aclose()

    def client_for(self, url: str) -> httpx.AsyncClient:
        """Return the client for requests to this URL."""
        local, secure = is_loopback(urlsplit(url).hostname or ""), url.startswith("https:")
        if (local, secure) not in self._clients:
            self._clients[local, secure] = httpx.AsyncClient(
                transport=self._transport,
                verify=_tls(trusting=not local or secure),
                headers={"Accept-Encoding": "identity"},
                timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
                limits=httpx.Limits(max_connections=None),  # those who wait for one would wait without a limit
                follow_redirects=True,
                trust_env=not local,  # no proxy of the environment can reach this machine's loopback
                event_hooks={"response": [_check_redirect]},
            )
        return self._clients[local, secure]


async def _check_redirect(response: httpx.Response) -> None:
    if response.status_code not in {301, 302, 303, 307, 308}:
        return
    location = response.headers.get("location", "")
    try:
        parts = urlsplit(location)
        usable = bool(location) and parts.scheme in {"", "http", "https"} and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise httpx.InvalidURL(f"{response.status_code} without a usable Location: {location!r}")


@functools.cache
def _tls(*, trusting: bool) -> ssl.SSLContext:
    """Made once: loading the certificates can take 0.3 s. Without them no https server is trusted at all."""
    return httpx.create_ssl_context() if trusting else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
