"""From where a request comes: what reverse proxies say of it counts only when they are trusted."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from sse_server.config import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Proxies:
    """The networks whose X-Forwarded-For and X-Forwarded-Proto are believed. Raises ConfigError for what is none."""

    def __init__(self, networks: Sequence[str]) -> None:
        try:
            self._networks = [ip_network(network, strict=False) for network in networks]
        except ValueError as error:
            raise ConfigError(
                f"--trusted-proxy: {error}; give an address or a network, like 10.0.0.0/8 or ::1"
            ) from error

    def trusts(self, address: str) -> bool:
        """Whether a proxy of ours has this address."""
        known = _read(address)
        return known is not None and any(known in network for network in self._networks)

    def client(self, peer: str, forwarded_for: str) -> str:
        """Return the address that a request comes from.

        Each proxy appends whom it was asked by, so the list is read from its end for as long as a trusted proxy speaks;
        what stands further in front may be anyone's invention.
        """
        address = peer
        for hop in reversed(forwarded_for.split(",")):
            known = _read(hop)
            if known is None or not self.trusts(address):
                break
            address = str(known)
        return address

    def protocol(self, peer: str, own: str, forwarded_proto: str) -> str:
        """Return the scheme that the browser used: `own` unless a trusted proxy says another one."""
        said = forwarded_proto.rpartition(",")[2].strip().lower()
        return said if said in {"http", "https"} and self.trusts(peer) else own


def _read(hop: str) -> IPv4Address | IPv6Address | None:
    """Return an address as proxies write them: with a port, in brackets, or an IPv4 one in IPv6's clothes."""
    text = hop.strip().partition("%")[0]
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        known = ip_address(text)
    except ValueError:
        return None
    return (known.ipv4_mapped or known) if isinstance(known, IPv6Address) else known
