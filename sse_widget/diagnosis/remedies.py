"""Lines to paste into the configuration of whatever stands on the way, by topic and program.

Sources: the reference of each program's directives (ngx_http_proxy_module, Caddy's reverse_proxy and encode, Traefik's
compress and respondingTimeouts, mod_proxy, HAProxy's timeouts, Elastic Load Balancing's attributes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMON = ("nginx", "Caddy", "Traefik", "Cloudflare", "ALB")
"""What is shown when no hop has named itself."""

_WHERE_FOUND = frozenset({"cors", "cors_twice"})
# Topics that are the server's own more often than a hop's: lines are shown for programs that were seen only.

_NGINX_LOCATION = "location /api/v1/stream/ {\n"

LINES: dict[str, dict[str, str]] = {
    "buffering": {
        "nginx": "# in this location; and remove `proxy_ignore_headers X-Accel-Buffering`\n"
        "proxy_http_version 1.1;\nproxy_buffering off;",
        "Caddy": "reverse_proxy 127.0.0.1:8765 {\n    flush_interval -1\n}",
        "Traefik": "# take the `buffering` middleware off this router; in the service:\n"
        "loadBalancer:\n  responseForwarding:\n    flushInterval: 1ms",
        "Cloudflare": "Quick tunnels buffer GET: cloudflared tunnel create NAME (a named tunnel)\n"
        "Caching > Cache Rules: path begins with /api/v1/stream/ -> Bypass cache",
        "Apache": "ProxyPass /api/ http://127.0.0.1:8765/api/ flushpackets=on",
        "HAProxy": "option http-no-delay",
    },
    "compression": {
        "nginx": "gzip off;   # in this location, or take text/event-stream out of gzip_types",
        "Caddy": "@page not path /api/v1/stream/*\nencode @page zstd gzip",
        "Traefik": "compress:\n  excludedContentTypes:\n    - text/event-stream",
        "Cloudflare": "Rules > Compression Rules: response content type is text/event-stream -> Disable compression",
        "Apache": "SetEnvIf Request_URI ^/api/v1/stream/ no-gzip=1",
    },
    "idle": {
        "nginx": "proxy_read_timeout 1h;",
        "Caddy": "reverse_proxy 127.0.0.1:8765 {\n    transport http {\n        read_timeout 1h\n    }\n}",
        "Traefik": "entryPoints:\n  websecure:\n    transport:\n      respondingTimeouts:\n"
        "        writeTimeout: 0\n        idleTimeout: 1h",
        "Cloudflare": "The limit of 100 s is fixed: sse-server --heartbeat-s 20",
        "ALB": "aws elbv2 modify-load-balancer-attributes --load-balancer-arn ARN \\\n"
        "    --attributes Key=idle_timeout.timeout_seconds,Value=3600",
        "Apache": "ProxyTimeout 3600",
        "HAProxy": "timeout server 1h\ntimeout tunnel 1h",
    },
    "resume": {
        "nginx": '# remove `proxy_set_header Last-Event-ID ""` and `proxy_pass_request_headers off`, or add\n'
        "proxy_set_header Last-Event-ID $http_last_event_id;",
        "Caddy": "# remove `header_up -Last-Event-ID` from reverse_proxy",
        "Traefik": "# remove Last-Event-ID from customRequestHeaders of the `headers` middleware",
        "Cloudflare": "Rules > Transform Rules > Modify Request Header: remove the rule on Last-Event-ID",
    },
    "websocket": {
        "nginx": _NGINX_LOCATION.replace("stream/", "stream/ws")
        + "    proxy_pass http://127.0.0.1:8765;\n    proxy_http_version 1.1;\n"
        "    proxy_set_header Upgrade $http_upgrade;\n"
        "    proxy_set_header Connection upgrade;\n    proxy_read_timeout 1h;\n}",
        "Caddy": "# reverse_proxy passes upgrades; remove `header_up -Upgrade` and `-Connection`",
        "Traefik": "# passed by default; remove middlewares that set Upgrade or Connection",
        "Cloudflare": "Network > WebSockets: On",
        "ALB": "# passed by default; the target group's protocol must be HTTP/1.1",
        "Apache": "ProxyPass /api/v1/stream/ws http://127.0.0.1:8765/api/v1/stream/ws upgrade=websocket",
    },
    "cors": {
        "nginx": "# no `if ($request_method = OPTIONS) { return ...; }` in this location, and\n"
        "proxy_set_header Origin $http_origin;",
    },
    "cors_twice": {
        "nginx": "# remove `add_header Access-Control-Allow-Origin ...;` from this location",
        "Caddy": "# remove `header Access-Control-Allow-Origin ...` from this site",
        "Traefik": "# remove accessControlAllowOriginList from the `headers` middleware",
    },
    "content_type": {
        "nginx": "# remove `proxy_hide_header Content-Type` and `add_header Content-Type ...` from this location",
        "Caddy": "# remove `header Content-Type ...` from this path",
        "Traefik": "# remove Content-Type from customResponseHeaders of the `headers` middleware",
        "Cloudflare": "Rules > Transform Rules > Modify Response Header: remove the rule on Content-Type",
    },
    "cache": {
        "nginx": "proxy_cache off;",
        "Cloudflare": "Caching > Cache Rules: path begins with /api/v1/stream/ -> Bypass cache",
    },
    "dead": {
        "nginx": "# on the machine of nginx, with the address of its proxy_pass:\n"
        "curl -i http://127.0.0.1:8765/api/v1/stream/health",
        "Caddy": "# on the machine of Caddy, with the address of its reverse_proxy:\n"
        "curl -i http://127.0.0.1:8765/api/v1/stream/health",
        "Cloudflare": "cloudflared tunnel info NAME   # is the tunnel connected?",
        "ALB": "aws elbv2 describe-target-health --target-group-arn ARN   # health check path: /api/v1/stream/health",
        "": "sse-server --host 127.0.0.1 --port 8765\ncurl -i http://127.0.0.1:8765/api/v1/stream/health",
    },
    "http2": {
        "nginx": "listen 443 ssl http2;   # from nginx 1.25.1: listen 443 ssl; http2 on;",
        "Caddy": "# on by default with https; remove `protocols h1`",
        "Apache": "Protocols h2 http/1.1",
        "HAProxy": "bind :443 ssl crt FILE alpn h2,http/1.1",
        "ALB": "aws elbv2 modify-load-balancer-attributes --load-balancer-arn ARN \\\n"
        "    --attributes Key=routing.http2.enabled,Value=true",
    },
}


def lines_for(topic: str, found: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return (program, lines) of a topic for the programs that were found, else for the common ones."""
    known = LINES.get(topic, {})
    named = [name for name in found if name in known]
    if not named and "" in known:
        return (("", known[""]),)
    if not named and topic in _WHERE_FOUND:
        return ()
    names = named or [name for name in COMMON if name in known]
    return tuple((name, known[name]) for name in names)
