"""The configurations of infra/, each run by its real program on free ports in front of a server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rig.nginx import nginx, running, until_listening, unused_port
from rig.process import Program
from rig.talking import SOCKET

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

INFRA = Path(__file__).parents[2] / "infra"
SSE_CONF = INFRA / "nginx" / "sse.conf"

GREEDY = """\
  gzip on;
  gzip_proxied any;
  gzip_min_length 1;
  gzip_types text/event-stream;
"""
"""What the nginx.conf that includes conf.d may say in the same block; Debian's has the first line."""


@dataclass(frozen=True)
class Way:
    """Where readers ask, and the file with the certificate that they trust there."""

    url: str
    authority: str | None = None


def changed(text: str, changes: Mapping[str, str]) -> str:
    """Return a configuration with these parts replaced, each of which must be in it."""
    for old, new in changes.items():
        assert old in text, f"{old!r} is not in the configuration any more"
        text = text.replace(old, new)
    return text


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a self-signed certificate for loopback; return its file and that of its key."""
    file, key = folder / "certificate.pem", folder / "key.pem"
    names = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    algorithm = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = ["openssl", "req", "-x509", *algorithm, *names, "-keyout", str(key), "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    return file, key


def healthy(upstream: str, path: str = "/") -> str:
    """Return a location of nginx with sse.conf."""
    return f"    location {path} {{ proxy_pass {upstream}; include {SSE_CONF}; }}"


def buffering(upstream: str) -> str:
    """Return what a wrong sse.conf makes of it: it buffers, whatever the server asks for; WebSockets get through.

    HTTP/1.0 is nginx's default; chunks of HTTP/1.1 pass as they come, also where `proxy_buffering` is on.
    """
    wrong = {
        "proxy_http_version 1.1;": "proxy_http_version 1.0;",
        "proxy_buffering off;": "proxy_buffering on;\nproxy_ignore_headers X-Accel-Buffering;",
        "Connection $http_connection;": "Connection close;",
    }
    lines = changed(SSE_CONF.read_text("utf-8"), wrong)
    return f"    location / {{ proxy_pass {upstream};\n{lines} }}\n{healthy(upstream, SOCKET)}"


@contextmanager
def included(upstream: str, folder: Path) -> Iterator[Way]:
    """nginx with sse.conf inside the location."""
    with nginx(folder, healthy(upstream), http=GREEDY) as url:
        yield Way(url)


@contextmanager
def in_conf_d(upstream: str, folder: Path) -> Iterator[Way]:
    """nginx with sse.conf in the http block, after what Debian's nginx.conf says there."""
    with nginx(folder, f"    location / {{ proxy_pass {upstream}; }}", http=f"{GREEDY}  include {SSE_CONF};") as url:
        yield Way(url)


@contextmanager
def in_compose(upstream: str, folder: Path) -> Iterator[Way]:
    """nginx with the two files that docker-compose.yml puts into conf.d, in their order."""
    port, server = unused_port(), upstream.removeprefix("http://")
    own = folder / "compose"
    own.mkdir()
    moved = {"server1:8765": server, "server2:8765": server, "listen 8080;": f"listen 127.0.0.1:{port};"}
    lines = changed((INFRA / "nginx" / "compose.conf").read_text("utf-8"), moved)
    with nginx(own, "", http=f"include {SSE_CONF};\n{lines}"):
        until_listening(port)
        yield Way(f"http://127.0.0.1:{port}")


@contextmanager
def nginx_example(upstream: str, folder: Path) -> Iterator[Way]:
    """nginx with example.conf: TLS and HTTP/2."""
    own = folder / "example"
    own.mkdir()
    file, key = certificate(own)
    port, plain, server = unused_port(), unused_port(), upstream.removeprefix("http://")
    moved = {
        "worker_processes auto;": "daemon off;\nmaster_process off;\nerror_log stderr notice;",
        "/run/nginx.pid": f"{own}/nginx.pid",
        "access_log /var/log/nginx/access.log;": "access_log off;\n" + _temporary(own),
        "/etc/ssl/stream.example/fullchain.pem": str(file),
        "/etc/ssl/stream.example/privkey.pem": str(key),
        "/etc/nginx/sse.conf": str(SSE_CONF),
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
        "127.0.0.1:8765": server,
        "127.0.0.1:8766": server,
    }
    with running(own, changed((INFRA / "nginx" / "example.conf").read_text("utf-8"), moved)):
        until_listening(port)
        yield Way(f"https://127.0.0.1:{port}", str(file))


@contextmanager
def haproxy(upstream: str, folder: Path) -> Iterator[Way]:
    """HAProxy with haproxy.cfg. It inherits its sockets, which take connections before it has started."""
    own = folder / "haproxy"
    own.mkdir()
    file, key = certificate(own)
    both = own / "both.pem"
    both.write_text(file.read_text("utf-8") + key.read_text("utf-8"), "utf-8")
    server = upstream.removeprefix("http://")
    with socket.create_server(("127.0.0.1", 0)) as plain, socket.create_server(("127.0.0.1", 0)) as secure:
        moved = {
            "bind :80\n": f"bind fd@{plain.fileno()}\n",
            "bind :443 ": f"bind fd@{secure.fileno()} ",
            "/etc/haproxy/stream.example.pem": str(both),
            "127.0.0.1:8765": server,
            "127.0.0.1:8766": server,
        }
        config = own / "haproxy.cfg"
        config.write_text(changed((INFRA / "haproxy" / "haproxy.cfg").read_text("utf-8"), moved), "utf-8")
        command = [program("haproxy"), "-db", "-f", str(config)]
        process = Program(command, own / "haproxy.log", pass_fds=(plain.fileno(), secure.fileno()))
        port = secure.getsockname()[1]
        try:
            yield Way(f"https://127.0.0.1:{port}", str(file))
        finally:
            process.end()


@contextmanager
def caddy(upstream: str, folder: Path) -> Iterator[Way]:
    """Caddy with the Caddyfile, and a certificate of ours instead of one of the web."""
    own = folder / "caddy"
    own.mkdir()
    file, key = certificate(own)
    port, server = unused_port(), upstream.removeprefix("http://")
    moved = {
        "stream.example {": f"{{\n\tadmin off\n\tauto_https off\n}}\n\nhttps://127.0.0.1:{port} {{\n\ttls {file} {key}",
        "127.0.0.1:8765 127.0.0.1:8766": server,
    }
    config = own / "Caddyfile"
    config.write_text(changed((INFRA / "caddy" / "Caddyfile").read_text("utf-8"), moved), "utf-8")
    homes = {"XDG_DATA_HOME": str(own / "data"), "XDG_CONFIG_HOME": str(own / "config")}
    command = [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(config)]
    process = Program(command, own / "caddy.log", env={**os.environ, **homes})
    try:
        process.wait_for("serving initial configuration")
        until_listening(port)
        yield Way(f"https://127.0.0.1:{port}", str(file))
    finally:
        process.end()


def program(name: str) -> str:
    """Return where a program is; system folders of Debian are on root's path only."""
    found = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"]))
    assert found is not None, f"{name} is not installed; run `make test`, which installs it"
    return found


def _temporary(own: Path) -> str:
    kinds = {"client_body": "body", **{kind: kind for kind in ("proxy", "fastcgi", "uwsgi", "scgi")}}
    return "\n".join(f"  {kind}_temp_path {own}/{folder};" for kind, folder in kinds.items())
