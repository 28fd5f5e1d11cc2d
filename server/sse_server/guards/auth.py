"""Who asks: principals from tokens and tickets, and the checks that keep foreign pages out of loopback servers."""

from __future__ import annotations

import hmac
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from sse_server.errors import ServerError, Words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sse_server.guards.tickets import TicketOffice

FOREIGN_PAGE = Words(
    "pages of this origin may not ask; see --allow-origin", "لا يُسمح لصفحات هذا الأصل بالسؤال؛ انظر ‎--allow-origin‎"
)
FOREIGN_HOST = Words(
    "the Host header is not localhost, 127.0.0.1 or [::1]", "الترويسة Host ليست localhost ولا 127.0.0.1 ولا [::1]"
)
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class Principal(msgspec.Struct, frozen=True):
    """Who asks. A ticket's principal has no name and reaches one stream; others reach all streams of their name.

    `counted_as` is under what its new runs are counted for the rate limit: its name, or the address it comes from.
    """

    name: str | None
    stream_id: str = ""
    rights: frozenset[str] = frozenset({"start", "read", "stop", "tune", "push"})
    counted_as: str = ""

    def require(self, right: str, stream_id: str = "") -> None:
        """Raise `forbidden` or `not_found` unless this principal may."""
        if right not in self.rights:
            raise ServerError(
                "forbidden", detail=Words(f"this ticket does not allow to {right}", f"التذكرة لا تسمح بهذا: {right}")
            )
        if self.stream_id and self.stream_id != stream_id:
            raise ServerError("not_found")


class Gate:
    """Decides who a request comes from. Without a token anyone who reaches the server is the one local principal."""

    def __init__(self, token: str | None, tickets: TicketOffice) -> None:
        self._token = token
        self._tickets = tickets

    @property
    def guarded(self) -> bool:
        """Whether requests must prove who they come from."""
        return self._token is not None

    def known(self, authorization: str, ticket: str) -> Principal | None:
        """Return whom a token or a ticket proves, None without one. Raises `unauthorized` for a ticket that is none."""
        scheme, _, value = authorization.partition(" ")
        value = value.strip()
        if scheme.lower() == "bearer" and self.accepts(value):
            return Principal("owner")
        ticket = ticket or (value if scheme.lower() == "ticket" else "")
        if not ticket:
            return None
        claim = self._tickets.check(ticket)
        if claim is None:
            raise ServerError("unauthorized")
        return Principal(None, claim.stream_id, claim.rights)

    def principal(self, authorization: str, ticket: str) -> Principal:
        """Return the principal of these credentials, or raise `unauthorized`."""
        known = self.known(authorization, ticket)
        if known is None and self._token is not None:
            raise ServerError("unauthorized")
        return known or Principal("owner")

    def accepts(self, token: str) -> bool:
        """Whether this is the server's token, compared in constant time."""
        return self._token is not None and hmac.compare_digest(token.encode(), self._token.encode())


def check_host(host: str) -> None:
    """Refuse a Host that is no name of this machine: a loopback server reached by one is being rebound by DNS."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        name = None
    if name not in LOOPBACK_NAMES:
        raise ServerError("forbidden", detail=FOREIGN_HOST)


def check_fetch_site(site: str) -> None:
    """Refuse what an element of a foreign page loads: it carries no Origin, and would start runs unseen.

    `site` is the Sec-Fetch-Site header (W3C Fetch Metadata), empty for clients that are no browsers.
    """
    if site in {"cross-site", "same-site"}:
        raise ServerError("forbidden", detail=FOREIGN_PAGE)


def origin_allowed(origin: str, own: str, allowed: Sequence[str]) -> bool:
    """Whether a page of this origin may ask: the server's own pages and those listed (`*` matches any port)."""
    # A bracket would begin a character class, and stands in every origin with an IPv6 address.
    return origin == own or any(fnmatchcase(origin, pattern.replace("[", "[[]")) for pattern in allowed)
