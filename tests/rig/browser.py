"""A real Chromium, a real JupyterLab, a real server, and a TCP proxy that cuts connections at a chosen byte."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from rig.process import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Names under which a page of this machine is one from elsewhere (RFC 2606 keeps them free).
    "--host-resolver-rules=MAP *.test 127.0.0.1",
]


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    found = playwright.chromium.launch(executable_path=_which("chromium"), args=CHROMIUM_FLAGS)
    yield found
    found.close()


@pytest.fixture
def fresh_page(chromium: Browser) -> Iterator[Page]:
    """Yield a page of its own context: no cookie, no storage of another test."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    yield context.new_page()
    context.close()


def _which(name: str) -> str:
    for folder in [*os.environ["PATH"].split(os.pathsep), "/usr/sbin", "/sbin"]:
        if (Path(folder) / name).is_file():
            return str(Path(folder) / name)
    raise AssertionError(f"{name} is not installed; run `make test`, which installs it")


@pytest.fixture(scope="session")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a standalone server."""
    folder = tmp_path_factory.mktemp("server")
    program = Program(
        [
            sys.executable,
            "-m",
            "sse_server",
            "--port=0",
            "--model=synthetic:",
            "--rate-limit=off",
            "--allow-origin=http://127.0.0.1:*",
        ],
        folder / "server.log",
    )
    yield program.wait_for(r"listens on (\S+)")[1]
    program.end()


class Lab:
    """A JupyterLab server and the notebooks in its folder."""

    def __init__(self, url: str, token: str, folder: Path, pid: int) -> None:
        self.pid = pid
        self.url = url
        self.token = token
        self.folder = folder

    def write(self, name: str, cells: list[str]) -> None:
        """Write a notebook of code cells."""
        notebook = {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"c{i}",
                    "metadata": {},
                    "source": cell,
                    "outputs": [],
                    "execution_count": None,
                }
                for i, cell in enumerate(cells)
            ],
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.folder / name).write_text(json.dumps(notebook), "utf-8")

    def open(self, page: Page, name: str) -> None:
        """Open a notebook in a fresh JupyterLab workspace and wait for its kernel."""
        workspace = secrets.token_hex(4)
        page.goto(f"{self.url}/lab/workspaces/{workspace}/tree/{name}?token={self.token}")
        self.until_ready(page)
        page.get_by_text("| Idle").wait_for(timeout=60_000)

    def set(self, plugin: str, **settings: Any) -> None:
        """Set a plugin's settings, as the settings editor does; pages have them when they are loaded the next time."""
        raw = {"raw": json.dumps(settings)}
        self._ask("PUT", f"lab/api/settings/{plugin}", json=raw).raise_for_status()

    def end_kernels(self) -> None:
        """Shut every kernel down, as the panel of running kernels does."""
        for session in self._ask("GET", "api/sessions").json():
            self._ask("DELETE", f"api/sessions/{session['id']}").raise_for_status()

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"token {self.token}"}
        return httpx.request(method, f"{self.url}/{path}", headers=headers, timeout=30, **options)

    def save(self, page: Page) -> dict[str, Any]:
        """Save the notebook that is open, and return what is in its file."""
        page.keyboard.press("Control+s")
        page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
        name = page.url.partition("?")[0].rpartition("/")[2]
        return json.loads((self.folder / name).read_text("utf-8"))

    def until_ready(self, page: Page) -> None:
        """Wait until the page has a kernel: before that, a cell that is run is passed over."""
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        expect(page.locator(".jp-KernelName").first).to_contain_text("Python 3", timeout=60_000)
        page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000)

    def run(self, page: Page, cell: int) -> None:
        """Run one cell, as Shift+Enter does, and see that it was taken."""
        found = page.locator(".jp-Notebook .jp-Cell").nth(cell)
        found.locator(".cm-content").first.click()
        found.locator(".cm-editor.cm-focused").wait_for()
        page.keyboard.press("Shift+Enter")
        try:
            expect(found.locator(".jp-InputPrompt")).not_to_have_text("[ ]:", timeout=20_000)
        except AssertionError:
            page.screenshot(path=self.folder / "not-run.png")
            raise


@contextmanager
def lab_in(folder: Path, settings: Path, *flags: str, **variables: str) -> Iterator[Lab]:
    """Run a JupyterLab under a base URL of its own; its notebooks lie in `folder`, all else in `settings`."""
    token = secrets.token_hex(16)
    environment = {
        **os.environ,
        "JUPYTER_TOKEN": token,
        "JUPYTER_CONFIG_DIR": str(settings / "config"),
        "JUPYTER_RUNTIME_DIR": str(settings / "runtime"),
        "JUPYTERLAB_WORKSPACES_DIR": str(settings / "workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings / "user"),
        "IPYTHONDIR": str(settings / "ipython"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **variables,
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port=0",
        "--ServerApp.base_url=/user/researcher/",
        "--LabApp.extension_manager=readonly",
        f"--ServerApp.root_dir={folder}",
        *flags,
    ]
    program = Program(command, settings / "lab.log", env=environment, cwd=folder)
    try:
        port = program.wait_for(r"http://127\.0\.0\.1:(\d+)/user/researcher/")[1]
        yield Lab(f"http://127.0.0.1:{port}/user/researcher", token, folder, program.process.pid)
    finally:
        program.end()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Yield a JupyterLab with the extension."""
    with lab_in(tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("settings")) as started:
        yield started


class CuttingProxy:
    """Forwards TCP; `cuts` says after how many bytes of the server each next connection is cut, None for never."""

    def __init__(self, upstream: str) -> None:
        host, _, port = upstream.rpartition("/")[2].rpartition(":")
        self._upstream = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cut_for: Callable[[bytes], int | None] = lambda _request: None
        self.cuts = 0
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        """Forward one request, `Connection: close`, so that one connection is one response."""
        with client, socket.create_connection(self._upstream) as server, suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                request += client.recv(65536)
            head, _, body = request.partition(b"\r\n\r\n")
            left = self.cut_for(head)
            head = re.sub(rb"(?im)^connection:.*\r\n", b"", head + b"\r\n") + b"Connection: close\r\n\r\n"
            server.sendall(head + body)
            forward = threading.Thread(target=self._forward, args=(client, server), daemon=True)
            forward.start()
            while data := server.recv(65536):
                if left is not None and len(data) >= left:
                    client.sendall(data[:left])
                    self.cuts += 1
                    break
                client.sendall(data)
                left = None if left is None else left - len(data)
            for side in (client, server):
                with suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _forward(client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Accept no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def cutting_proxy() -> Iterator[Callable[[str], CuttingProxy]]:
    """Yield a factory of proxies in front of a server's URL."""
    made: list[CuttingProxy] = []

    def make(upstream: str) -> CuttingProxy:
        made.append(CuttingProxy(upstream))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()
