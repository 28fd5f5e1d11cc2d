"""Which program answered: what response heads give away of servers, proxies and networks on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sse_widget.diagnosis.observations import Head

# What `Server` and `Via` begin with or contain, in lower case.
_NAMES = {
    "nginx": "nginx",
    "openresty": "nginx",
    "caddy": "Caddy",
    "cloudflare": "Cloudflare",
    "awselb": "ALB",
    "cloudfront": "CloudFront",
    "apache": "Apache",
    "haproxy": "HAProxy",
    "envoy": "Envoy",
    "varnish": "Varnish",
    "squid": "Squid",
    "traefik": "Traefik",
    "vercel": "Vercel",
    "tornadoserver": "Tornado",
    "uvicorn": "Uvicorn",
    "gunicorn": "Gunicorn",
}
# Headers that only one program or network adds.
_MARKS = {
    "cf-ray": "Cloudflare",
    "x-amz-cf-id": "CloudFront",
    "x-envoy-upstream-service-time": "Envoy",
    "x-varnish": "Varnish",
    "x-vercel-id": "Vercel",
    "fly-request-id": "Fly.io",
    "x-azure-ref": "Azure Front Door",
    "x-traefik-router": "Traefik",
}
_SHOWN = ("server", "via", "x-cache", "x-served-by", "x-powered-by", *_MARKS)
OWN = "sse-widget"
OWN_CODES = frozenset(
    {"question_required", "unauthorized", "forbidden", "not_found", "invalid_request", "upgrade_required"}
)
OWN_TYPES = frozenset({"application/problem+json", "text/event-stream"})
SERVERS = frozenset({"Tornado", "Uvicorn", "Gunicorn"})
"""Programs that answer for themselves and stand in front of nothing."""


def of_head(head: Head) -> tuple[str, ...]:
    """Return the programs that a head names, the nearest to us first."""
    found = [name for mark, name in _MARKS.items() if head.get(mark)]
    via = [part.strip() for part in head.get("via").split(",") if part.strip()]
    for text in [head.get("server"), *reversed(via)]:
        low = text.lower()
        found += [name for word, name in _NAMES.items() if word in low]
    return tuple(dict.fromkeys(found))


def of_heads(heads: Iterable[Head]) -> tuple[str, ...]:
    """Return the programs that any of these heads names."""
    return tuple(dict.fromkeys(name for head in heads for name in of_head(head)))


def proxies(heads: Iterable[Head]) -> tuple[str, ...]:
    """Return those that stand between us and a server."""
    return tuple(name for name in of_heads(heads) if name not in SERVERS)


def traces(heads: Iterable[Head]) -> tuple[str, ...]:
    """Return the header lines in which hops name themselves, each once."""
    lines = [f"{name}: {value}" for head in heads for name in _SHOWN for value in head.every(name)]
    # A ray or request id differs in every response and says no more than its name.
    plain = [line.partition(":")[0] if line.partition(":")[0] in _MARKS else line for line in lines]
    return tuple(dict.fromkeys(plain))


def who(head: Head) -> str:
    """Return the program that most likely wrote this response; empty if none names itself.

    A refusal with one of our codes is our server's, whatever a proxy has put on its `Server` line.
    """
    if head.code in OWN_CODES and head.media_type in OWN_TYPES:
        return OWN
    return head.get("server") or next(iter(of_head(head)), "")
