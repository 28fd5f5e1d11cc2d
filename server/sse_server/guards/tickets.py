"""Tickets: what a browser gets instead of a token. An expiring HMAC for one stream and stated rights."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

RIGHTS = frozenset({"read", "stop", "tune"})
LIFETIME_S = 12 * 3600.0


class Ticket(msgspec.Struct, frozen=True):
    """The stream that a ticket opens and what it allows."""

    stream_id: str
    rights: frozenset[str]


class TicketOffice:
    """Issues and checks tickets `<stream_id>.<rights>.<expiry>.<mac>`. `wall` gives Unix time in seconds."""

    def __init__(self, secret: bytes, wall: Callable[[], float]) -> None:
        self._secret = secret
        self._wall = wall

    def issue(self, stream_id: str, rights: frozenset[str] = RIGHTS) -> str:
        """Return a ticket that holds for LIFETIME_S."""
        claim = f"{stream_id}.{'-'.join(sorted(rights))}.{int(self._wall() + LIFETIME_S)}"
        return f"{claim}.{self._mac(claim)}"

    def check(self, ticket: str) -> Ticket | None:
        """Return what a ticket allows; None when it is forged, malformed or over."""
        claim, _, mac = ticket.rpartition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(claim).encode()):
            return None
        stream_id, rights, expiry = claim.split(".")
        return Ticket(stream_id, frozenset(rights.split("-"))) if self._wall() < int(expiry) else None

    def _mac(self, claim: str) -> str:
        digest = hmac.new(self._secret, claim.encode("utf-8", "replace"), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
