"""Verdicts on the way to the server: its name, the connection, encryption, redirects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sse_widget.diagnosis.judgement import Judgement, fault, ok, skipped, warning
from sse_widget.endpoint import is_loopback, origin_of

if TYPE_CHECKING:
    from sse_widget.diagnosis.observations import Certificate, Dial, Network, Observed

EXPIRES_SOON_DAYS = 14.0
_EXPIRED, _NOT_YET, _WRONG_NAME, _WRONG_ADDRESS = 10, 9, 62, 64
# X509_V_ERR_: unable to get issuer (2, 20), self-signed (18, 19), unable to verify the leaf (21).
_UNTRUSTED = frozenset({2, 18, 19, 20, 21})


def name(seen: Observed) -> Judgement:
    """DNS: does the name have an address."""
    way = seen.network
    if way is None:
        return unprobed("name", seen)
    if way.through:
        return skipped("name", "proxy", through=way.through)
    if way.name_failure is not None:
        return fault("name.unknown", host=way.host, detail=way.name_failure.detail)
    if way.addresses == (way.host,):
        return ok("name.number", host=way.host)
    return ok("name.found", host=way.host, addresses=", ".join(way.addresses), took_ms=way.resolved_s * 1000)


def connection(seen: Observed) -> Judgement:
    """TCP: does anything listen there."""
    way = seen.network
    if way is None or (not way.dials and not way.through):
        return unprobed("connection", seen)
    if way.through:
        return skipped("connection", "proxy", through=way.through)
    good = [dial for dial in way.dials if dial.failure is None]
    bad = [dial for dial in way.dials if dial.failure is not None]
    if not good:
        return _unconnected(way, bad[-1])
    # Servers of one machine seldom listen on both of its addresses, and browsers try both.
    if bad and not is_loopback(way.host):
        return warning("connection.partly", good=_listed(good), bad=_listed(bad))
    return ok("connection.made", address=good[0].address, port=way.port, took_ms=good[0].took_s * 1000)


def _unconnected(way: Network, dial: Dial) -> Judgement:
    failure = dial.failure
    kind = "failed" if failure is None or failure.kind not in {"refused", "timeout"} else failure.kind
    detail = "" if failure is None else failure.detail
    return fault(
        f"connection.{kind}",
        "dead" if kind == "refused" else "",
        address=dial.address,
        port=way.port,
        after_s=dial.took_s,
        detail=detail,
    )


def encryption(seen: Observed) -> Judgement:
    """TLS: the certificate, its name and its days, the protocol that is offered."""
    way = seen.network
    if way is None:
        return unprobed("encryption", seen)
    if not way.secure:
        return ok("encryption.here") if is_loopback(way.host) else warning("encryption.plain", host=way.host)
    if way.through:
        return skipped("encryption", "proxy", through=way.through)
    found = way.certificate
    if found is None:
        return unprobed("encryption", seen)
    if found.failure is not None:
        return _untrusted(way, found, found.failure.detail)
    if found.days_left < EXPIRES_SOON_DAYS:
        return warning("encryption.soon", days=found.days_left, issuer=found.issuer)
    return ok(
        "encryption.good",
        version=found.version,
        days=found.days_left,
        issuer=found.issuer,
        protocol=found.alpn or "http/1.1",
    )


def _untrusted(way: Network, found: Certificate, detail: str) -> Judgement:
    if found.error_code == _EXPIRED:
        return fault("encryption.expired", host=way.host)
    if found.error_code == _NOT_YET:
        return fault("encryption.not_yet", host=way.host)
    if found.error_code in {_WRONG_NAME, _WRONG_ADDRESS}:
        return fault("encryption.wrong_name", host=way.host, detail=detail)
    if found.error_code in _UNTRUSTED:
        return fault("encryption.untrusted", host=way.host, detail=detail)
    if found.plain:
        return fault("encryption.none", host=way.host, port=way.port)
    return fault("encryption.failed", detail=detail)


def redirects(seen: Observed) -> Judgement:
    """Redirects: the address that is given should be the one that answers."""
    if seen.network is None or not seen.network.reached:
        return unprobed("redirects", seen)
    chain = " → ".join([hop.url for hop in seen.redirects] + [hop.location for hop in seen.redirects[-1:]])
    if seen.looping:
        return fault("redirects.loop", chain=chain, count=len(seen.redirects))
    for hop in seen.redirects:
        if not hop.location:
            return fault("redirects.lost", url=hop.url, status=hop.status)
        if hop.url.startswith("https:") and hop.location.startswith("http:"):
            return fault("redirects.downgrade", url=hop.url, location=hop.location)
    if seen.redirects:
        last = seen.redirects[-1]
        return warning("redirects.some", chain=chain, status=last.status, location=origin_of(last.location))
    return ok("redirects.none")


def unprobed(probe: str, seen: Observed) -> Judgement:
    """What could not be asked, because the examination was interrupted or did not come so far."""
    return skipped(probe, "interrupted" if seen.interrupted else "unreached")


def _listed(dials: list[Dial]) -> str:
    return ", ".join(dial.address for dial in dials)
