"""nchan, a module of nginx that keeps channels and sends them to readers; a small process publishes to it.

Its readers are the work of one worker of nginx, on the core of the servers; the publisher lives with the readers.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import Self

import psutil

from rig.nginx import running, until_listening, unused_port
from rig.rivals.process import TESTS

FOLDERS = [Path(f"/usr/{place}/nginx/modules") for place in ("lib", "lib64", "share")]
_CONFIG = Template(
    """\
load_module $module;
daemon off;
worker_processes 1;
pid $folder/nginx.pid;
error_log stderr notice;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path $folder/body;
  proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi;
  scgi_temp_path $folder/scgi;
  server {
    listen 127.0.0.1:$port backlog=4096;
    location = /publish { nchan_publisher http; nchan_channel_id all; }
    location = /shared { nchan_subscriber eventsource; nchan_channel_id all; nchan_subscriber_first_message newest; }
  }
}
"""
)


def module() -> Path | None:
    """Return where the module is, or None on a machine without it."""
    files = (folder / "ngx_nchan_module.so" for folder in FOLDERS)
    return next((file for file in files if file.exists()), None)


class Nchan:
    """nginx with one channel, read at `/shared`, and its publisher; both ended with the block.

    `core` is the worker's, `publisher_core` that of the publisher, which says `rate` stamped texts a second.
    """

    def __init__(self, *, core: int, publisher_core: int, rate: float) -> None:
        with ExitStack() as held:
            folder = Path(held.enter_context(TemporaryDirectory(prefix="nchan-")))
            self.port = unused_port()
            lines = _CONFIG.substitute(module=module(), folder=folder, port=self.port)
            nginx = held.enter_context(running(folder, lines))
            self._worker = psutil.Process(int(nginx.wait_for(r"start worker process (\d+)")[1]))
            until_listening(self.port)
            os.sched_setaffinity(self._worker.pid, {core})
            publisher = subprocess.Popen(
                [sys.executable, "-m", "rig.rivals.publisher", str(self.port)],
                env={**os.environ, "PYTHONPATH": str(TESTS), "RIVAL_RATE": str(rate)},
            )
            held.callback(publisher.wait)
            held.callback(publisher.kill)
            os.sched_setaffinity(publisher.pid, {publisher_core})
            self._held = held.pop_all()

    @property
    def cpu_s(self) -> float:
        """The CPU time that nginx's worker has used."""
        times = self._worker.cpu_times()
        return times.user + times.system

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()
