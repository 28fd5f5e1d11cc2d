"""Who asks: principals from tokens and tickets, and the checks that keep foreign pages out of loopback servers."""

from __future__ import annotations

import hashlib
import hmac
from fnmatch import fnmatchcase
from math import inf
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from sse_server.errors import ServerError, Words
from sse_server.guards.credentials import OWNER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sse_server.guards.jwt import Claim
    from sse_server.guards.sessions import Session
    from sse_server.guards.tickets import TicketOffice

FOREIGN_PAGE = Words(
    "pages of this origin may not ask; see --allow-origin", "لا يُسمح لصفحات هذا الأصل بالسؤال؛ انظر ‎--allow-origin‎"
)
FOREIGN_HOST = Words(
    "the Host header is not localhost, 127.0.0.1 or [::1]", "الترويسة Host ليست localhost ولا 127.0.0.1 ولا [::1]"
)
UNPROVEN = Words(
    "a cookie alone does not show that this server's own page asks; send Origin or Sec-Fetch-Site, as browsers do",
    "ملف تعريف الارتباط وحده لا يثبت أن صفحة هذا الخادم هي التي تسأل؛ أرسل Origin أو Sec-Fetch-Site كما تفعل المتصفحات",
)
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class Principal(msgspec.Struct, frozen=True):
    """Who asks. A ticket's principal has no name and reaches one stream; others reach all streams of their name.

    `counted_as` is under what its new runs are counted for the rate limit: its name, or the address it comes from.
    `until_s` is when what it showed is over (Unix time).
    """

    name: str | None
    stream_id: str = ""
    rights: frozenset[str] = frozenset({"start", "read", "stop", "tune", "push"})
    counted_as: str = ""
    until_s: float = inf

    def require(self, right: str, stream_id: str = "") -> None:
        """Raise `forbidden` or `not_found` unless this principal may."""
        if right not in self.rights:
            only = Words(f"this ticket does not allow to {right}", f"التذكرة لا تسمح بهذا: {right}")
            raise ServerError("forbidden", detail=only if self.name is None else UNPROVEN)
        if self.stream_id and self.stream_id != stream_id:
            raise ServerError("not_found")


class Gate:
    """Decides who a request comes from. `tokens` are (principal, token); `jwt` returns what a JSON Web Token says.

    Without either anyone who reaches the server is the one local principal.
    """

    def __init__(
        self,
        tokens: Sequence[tuple[str, str]],
        tickets: TicketOffice,
        jwt: Callable[[str], Claim | None] | None = None,
    ) -> None:
        # Digests are of one length: comparing them tells nothing of a token, not even how long it is.
        self._digests = [(name, _digest(token)) for name, token in tokens]
        self._tickets = tickets
        self._jwt = jwt

    @property
    def guarded(self) -> bool:
        """Whether requests must prove who they come from."""
        return bool(self._digests) or self._jwt is not None

    @property
    def shared(self) -> bool:
        """Whether several principals may ask."""
        return len({name for name, _ in self._digests}) > 1 or self._jwt is not None

    def keeps(self, name: str) -> bool:
        """Whether a page may be signed in as this principal: one with a token here, which is taken back by its removal.

        Who comes with a JSON Web Token has it for as long as its issuer says; a cookie would outlive it.
        """
        return not self.guarded or any(name == known for known, _ in self._digests)

    def fingerprint(self, name: str) -> bytes:
        """Return what changes with the tokens of a principal."""
        return b"".join(sorted(digest for known, digest in self._digests if known == name))

    def known(self, authorization: str, ticket: str) -> Principal | None:
        """Return whom a token or a ticket proves, None without one. Raises `unauthorized` for a ticket that is none."""
        scheme, _, value = authorization.partition(" ")
        value = value.strip()
        if scheme.lower() == "bearer" and (found := self._bearer(value)) is not None:
            return found
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
        if known is None and self.guarded:
            raise ServerError("unauthorized")
        return known or Principal(OWNER)

    def accepts(self, token: str) -> bool:
        """Whether this is a token of the server."""
        return self._bearer(token) is not None

    def _bearer(self, token: str) -> Principal | None:
        """Return whom a bearer token names. All tokens are compared, each in constant time."""
        found, digest = None, _digest(token)
        for name, known in self._digests:
            if hmac.compare_digest(digest, known):
                found = Principal(name)
        if found is None and self._jwt is not None and (claim := self._jwt(token)) is not None:
            # A name of its own kind: an issuer cannot name a principal of the token file.
            found = Principal(f"jwt:{claim.subject}", until_s=claim.until_s)
        return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


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


def of_cookie(session: Session, origin: str, own: str, site: str) -> Principal | None:
    """Return what the principal of a cookie may do, None where another origin's page asks.

    A browser adds the cookie to whatever is sent here, also from other ports of this host, which are the same site. So
    a request must show that our own page sends it: by Origin, which every POST, DELETE, PATCH and WebSocket has, or by
    Sec-Fetch-Site (`origin` and `site`, empty where they are missing). One that shows nothing only reads: foreign
    pages cannot see what is answered.
    """
    if origin and origin != own:
        return None
    proven = bool(origin) or site in {"same-origin", "none"}
    principal = Principal(session.principal, until_s=session.until_s)
    return principal if proven else msgspec.structs.replace(principal, rights=frozenset({"read"}))


def origin_allowed(origin: str, own: str, allowed: Sequence[str]) -> bool:
    """Whether a page of this origin may ask: the server's own pages and those listed (`*` matches any port)."""
    # A bracket would begin a character class, and stands in every origin with an IPv6 address.
    return origin == own or any(fnmatchcase(origin, pattern.replace("[", "[[]")) for pattern in allowed)
