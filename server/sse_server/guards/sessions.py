"""How a page signs in: a link that works once, exchanged for a cookie. Neither tells the token."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

LINK_LIFETIME_S = 3600.0
COOKIE_LIFETIME_S = 12 * 3600.0


class _Claim(msgspec.Struct, frozen=True, array_like=True):
    """Signed: of which kind it is, whom it names, until when (Unix time), and what makes it the only one.

    `holder` is what the principal's tokens were when it was issued.
    """

    kind: str
    principal: str
    until_s: int
    nonce: str
    holder: str = ""


class Session(msgspec.Struct, frozen=True):
    """Whom a cookie names, and until when (Unix time)."""

    principal: str
    until_s: float


class Sessions:
    """Issues links and cookies, and checks them. `wall` gives Unix time in seconds, `nonce` a text that never returns.

    `fingerprint` tells the tokens of a principal from others: what was issued ends with a change of them. All that
    share a `secret` take each other's. A link works once, and a cookie is signed out, in each process by itself: only
    those are remembered, and only while they would still hold.
    """

    def __init__(
        self,
        secret: bytes,
        wall: Callable[[], float],
        nonce: Callable[[], str],
        fingerprint: Callable[[str], bytes],
    ) -> None:
        # A key of its own: nothing signed here may pass for a ticket.
        self._key = hmac.digest(secret, b"sessions", "sha256")
        self._wall = wall
        self._nonce = nonce
        self._fingerprint = fingerprint
        self._used: dict[str, int] = {}

    def link(self, principal: str) -> str:
        """Return a link's secret part, of letters, digits, `_`, `-` and `.`; it holds for LINK_LIFETIME_S."""
        return self._sign("link", principal, LINK_LIFETIME_S)

    def exchange(self, link: str) -> str | None:
        """Return the cookie for a link, None for one that is forged, over or used."""
        claim = self._read("link", link)
        if claim is None:
            return None
        self._use_up(claim)
        return self._sign("cookie", claim.principal, COOKIE_LIFETIME_S)

    def session(self, cookie: str) -> Session | None:
        """Return what a cookie says, None when it is forged, over or signed out."""
        claim = self._read("cookie", cookie)
        return None if claim is None else Session(claim.principal, claim.until_s)

    def sign_out(self, cookie: str) -> None:
        """Have a cookie hold no longer, wherever it was copied to; one that does not hold changes nothing."""
        claim = self._read("cookie", cookie)
        if claim is not None:
            self._use_up(claim)

    def _use_up(self, claim: _Claim) -> None:
        now = self._wall()
        self._used = {nonce: until_s for nonce, until_s in self._used.items() if until_s > now}
        self._used[claim.nonce] = claim.until_s

    def _holder(self, principal: str) -> str:
        # Keyed: a cookie must not let anyone try out tokens on it.
        return _text(hmac.digest(self._key, self._fingerprint(principal), "sha256"))

    def _sign(self, kind: str, principal: str, lifetime_s: float) -> str:
        claim = _Claim(kind, principal, int(self._wall() + lifetime_s), self._nonce(), self._holder(principal))
        body = _text(msgspec.json.encode(claim))
        return f"{body}.{self._mac(body)}"

    def _read(self, kind: str, value: str) -> _Claim | None:
        body, _, mac = value.partition(".")
        if not hmac.compare_digest(mac.encode("utf-8", "replace"), self._mac(body).encode()):
            return None
        claim = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=_Claim)
        over = self._wall() >= claim.until_s or claim.nonce in self._used
        return claim if claim.kind == kind and not over and claim.holder == self._holder(claim.principal) else None

    def _mac(self, body: str) -> str:
        return _text(hmac.new(self._key, body.encode("utf-8", "replace"), hashlib.sha256).digest())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
