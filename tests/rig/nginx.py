"""A real nginx on a free port of loopback, in front of whatever a test puts there."""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import contextmanager
from string import Template
from typing import TYPE_CHECKING

from rig.process import Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CONFIG = Template(
    """\
daemon off;
master_process off;
pid $folder/nginx.pid;
error_log stderr notice;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path $folder/body;
  proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi;
  scgi_temp_path $folder/scgi;
$http
  server {
    listen 127.0.0.1:$port$listen;
$block
  }
}
"""
)


def program() -> str:
    """Return where nginx is; system folders of Debian are on root's path only."""
    found = shutil.which("nginx", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"]))
    assert found is not None, "nginx is not installed; run `make test`, which installs it"
    return found


@contextmanager
def nginx(folder: Path, block: str, *, listen: str = "", scheme: str = "http", http: str = "") -> Iterator[str]:
    """Run nginx with one server block, and yield its base URL; it ends by its id.

    `listen` is what follows the port, as " ssl http2"; `http` are lines for the http block. Its files lie in a folder
    of their own inside `folder`.
    """
    port = unused_port()
    own = folder / f"nginx-{port}"
    own.mkdir()
    lines = _CONFIG.substitute(folder=own, port=port, listen=listen, block=block, http=http)
    with running(own, lines):
        until_listening(port)
        yield f"{scheme}://127.0.0.1:{port}"


@contextmanager
def running(own: Path, lines: str) -> Iterator[Program]:
    """Run nginx with this whole configuration, which keeps it in the foreground; `own` is its folder."""
    config = own / "nginx.conf"
    config.write_text(lines, "utf-8")
    process = Program([program(), "-p", str(own), "-c", str(config), "-e", "stderr"], own / "nginx.log")
    try:
        process.wait_for(r"start (worker process|event loop)|using the .* event method")
        yield process
    finally:
        process.end()


def unused_port() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def until_listening(port: int) -> None:
    """Return once the port takes connections; nginx listens before it says so, and this makes sure."""
    socket.create_connection(("127.0.0.1", port), 5).close()


def proxy(upstream: str, *lines: str, path: str = "/", websocket: bool = True, version: str = "1.1") -> str:
    """Return a location that passes what is under `path` on to `upstream`, and these lines after it.

    Without any it does what a proxy of streams should: nginx obeys X-Accel-Buffering, and upgrades get through. nginx's
    own default is HTTP/1.0 to the server, where `proxy_ignore_headers X-Accel-Buffering;` holds every stream back.
    """
    upgrade = ["proxy_set_header Upgrade $http_upgrade;", "proxy_set_header Connection $http_connection;"]
    passing = [f"proxy_pass {upstream};", f"proxy_http_version {version};", "proxy_set_header Host $http_host;"]
    body = [*passing, *(upgrade if websocket else ['proxy_set_header Connection "";']), *lines]
    return "\n".join([f"    location {path} {{", *(f"      {line}" for line in body), "    }"])
