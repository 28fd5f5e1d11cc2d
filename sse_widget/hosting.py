"""Where the server is: the one given, the one of the Jupyter extension, or a process that this kernel starts."""

from __future__ import annotations

import atexit
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from sse_widget.errors import ConnectError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    Flag = str | int | float | bool | tuple[str, ...] | list[str]

URL_VARIABLE = "SSE_WIDGET_URL"
TOKEN_VARIABLE = "SSE_WIDGET_TOKEN"  # noqa: S105 - the variable's name
EXTENSION_PATH = "/sse-widget"
"""Where the Jupyter extension serves the routes, under Jupyter's base URL."""

ROUTE_VARIABLE = "SSE_WIDGET_ROUTE"
TRANSPORT_VARIABLE = "SSE_WIDGET_TRANSPORT"
ROUTES = ("auto", "extension", "url", "proxy", "colab", "relay")
TRANSPORTS = ("auto", "sse", "websocket", "poll", "relay")

LOCAL_PAGES = ("http://localhost:*", "http://127.0.0.1:*", "vscode-webview://*", "https://*.googleusercontent.com")
"""Pages of this computer, and notebooks whose pages have an origin of their own: VS Code's and Colab's. What they may
read without a ticket is the server's health."""
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 8.0
_LOOK_EVERY_S = 0.02
_SHOWN_CHARS = 2000

_lock = threading.Lock()
_own: Hosted | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """A server's base URL as this process reaches it, and the token that it asks for."""

    url: str
    token: str = field(default="", repr=False)
    in_jupyter: bool = False
    """Whether this is the extension of the Jupyter that this kernel belongs to: pages find it under their origin."""

    @property
    def browser_url(self) -> str:
        """The base URL for pages; empty for the extension."""
        return "" if self.in_jupyter else self.url


class Hosted:
    """A server process of our own. It ends by `stop`, or with this process, however that ends."""

    def __init__(self, address: Address, process: subprocess.Popen[bytes]) -> None:
        self.address = address
        self._process = process
        atexit.register(self.stop)

    @property
    def url(self) -> str:
        """Base URL, with the port that the server chose."""
        return self.address.url

    @property
    def token(self) -> str:
        """The bearer token of its requests."""
        return self.address.token

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    @property
    def ended(self) -> ConnectError | None:
        """What to tell readers once the process is gone, None while it lives."""
        status = self._process.poll()
        if status is None:
            return None
        return ConnectError(
            f"the server that this kernel had started has ended (status {status}), and its runs with it; "
            "asking again starts a new one"
        )

    def wait(self) -> None:
        """Return when the process has ended, which by itself it never does."""
        self._process.wait()

    def stop(self) -> None:
        """End the server: its runs get their terminal event first. Safe to call twice."""
        atexit.unregister(self.stop)
        _end(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<sse-server {self.url} {'running' if self.running else 'ended'}>"


def find(
    url: str | None = None, token: str | None = None, environment: Mapping[str, str] = os.environ
) -> Address | None:
    """Return the server that is named, by argument or by environment; None when none is."""
    named = environment.get(URL_VARIABLE, "").rstrip("/")
    given = url.rstrip("/") if url else named
    if not given:
        return None
    if given != named:
        return Address(given, token or "")
    return Address(named, token or environment.get(TOKEN_VARIABLE, ""), in_jupyter=named.endswith(EXTENSION_PATH))


def running() -> Hosted | None:
    """Return this process's own server if it runs; never starts one."""
    with _lock:
        return _own if _own is not None and _own.running else None


def ways(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the `route` and `transport` that the environment names. Raises ValueError for one that does not exist."""
    named = {"route": (ROUTE_VARIABLE, ROUTES), "transport": (TRANSPORT_VARIABLE, TRANSPORTS)}
    found: dict[str, str] = {}
    for trait, (variable, known) in named.items():
        if value := environment.get(variable, ""):
            if value not in known:
                raise ValueError(f"{variable}={value!r} is none of {', '.join(known)}")
            found[trait] = value
    return found


def own() -> Hosted:
    """Return this process's own server, started on first use and again if it has ended. Blocks until it listens."""
    global _own  # noqa: PLW0603 - one server for the process
    with _lock:
        if _own is not None and not _own.running:
            _own.stop()  # lets go of its pipe
            _own = None
        if _own is None:
            _own = serve()
        return _own


def serve(*, guarded: bool = True, **flags: Flag) -> Hosted:
    """Start a server on a free port of loopback, and return once it listens.

    `flags` are those of `sse-server` with underscores, such as `model="synthetic:rate=20"` or `heartbeat_s=5`. Its
    token is random; one that is not `guarded` has none. Nothing limits how often is asked unless `rate_limit` is said.
    Pages of localhost may ask, and fault plans are allowed unless `allow_faults=False` is said: they spoil the streams
    of who sends them. Raises ConnectError, with what the server said, when it does not come up within 30 s.
    """
    token = secrets.token_urlsafe(32) if guarded else ""
    with tempfile.TemporaryDirectory(prefix="sse-widget-") as folder, tempfile.TemporaryFile() as log:
        token_file, ready_file = Path(folder, "token"), Path(folder, "ready")
        token_file.touch(mode=0o600)
        token_file.write_text(token, "utf-8")
        pages = (*LOCAL_PAGES, *map(str, _listed(flags.pop("allow_origin", ()))))
        files = {"ready_file": str(ready_file), **({"token_file": str(token_file)} if guarded else {})}
        process = subprocess.Popen(
            # -P: a file beside the notebook must not stand in for a module of the server.
            [
                sys.executable,
                "-P",
                "-m",
                "sse_server",
                *_arguments(
                    {
                        "port": 0,
                        "allow_faults": True,
                        "rate_limit": "off",
                        **flags,
                        **files,
                        "allow_origin": pages,
                        "exit_with_stdin": True,
                    }
                ),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            # Interrupting a cell signals the kernel's whole process group.
            start_new_session=True,
        )
        try:
            return Hosted(Address(_listening_url(process, ready_file, log), token), process)
        except BaseException:
            _end(process)
            raise


def _arguments(flags: Mapping[str, Flag]) -> list[str]:
    arguments: list[str] = []
    for name, value in flags.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            arguments += [flag] if value else []
        else:
            arguments += [f"{flag}={one}" for one in _listed(value)]
    return arguments


def _listed(value: Flag) -> Iterable[object]:
    return value if isinstance(value, tuple | list) else (value,)


def _listening_url(process: subprocess.Popen[bytes], ready_file: Path, log: IO[bytes]) -> str:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        with suppress(FileNotFoundError):
            return ready_file.read_text("utf-8").strip()
        with suppress(subprocess.TimeoutExpired):
            status = process.wait(_LOOK_EVERY_S)
            raise ConnectError(f"the server ended with status {status} before it listened. {_said(log)}")
    raise ConnectError(f"the server did not listen within {START_TIMEOUT_S:.0f} s. {_said(log)}")


def _said(log: IO[bytes]) -> str:
    log.seek(0)
    text = log.read().decode("utf-8", "replace").strip()
    return f"It said:\n{text[-_SHOWN_CHARS:]}" if text else "It said nothing."


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
