"""Eight ways to break streams with a real nginx, each a server block in front of a server."""

from __future__ import annotations

from rig.nginx import proxy

SOCKET_PATH = "/api/v1/stream/ws"
GZIP = "gzip on; gzip_proxied any; gzip_min_length 1;"
IGNORE = "proxy_ignore_headers X-Accel-Buffering;"
STRIP = 'proxy_set_header Last-Event-ID "";'
RETYPE = "proxy_hide_header Content-Type; add_header Content-Type text/plain;"


def healthy(upstream: str) -> str:
    """As it should be."""
    return proxy(upstream)


def buffering(upstream: str, *lines: str) -> str:
    """nginx's defaults, and the server's wish not to be buffered ignored; WebSockets get through."""
    return f"{proxy(upstream, IGNORE, *lines, version='1.0', websocket=False)}\n{proxy(upstream, path=SOCKET_PATH)}"


def packing(upstream: str, *lines: str, types: str = "text/event-stream") -> str:
    """A compressor that waits for more text."""
    return proxy(upstream, GZIP, f"gzip_types {types};", IGNORE, *lines)


def idling(upstream: str, limit: str) -> str:
    """Silent connections are cut."""
    return proxy(upstream, f"proxy_read_timeout {limit};")
