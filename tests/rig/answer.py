"""A page with a Markdown view of the published bundle, and a listener that nothing may talk to."""

from __future__ import annotations

from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rig.pages import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "tests" / "browser" / "pages"
STATIC = ROOT / "sse_widget" / "static"


class PageHandler(SimpleHTTPRequestHandler):
    """Serves the pages of the browser tests, and the bundles under /static/."""

    def translate_path(self, path: str) -> str:
        if path.startswith("/static/"):
            return str(STATIC / Path(path).name)
        return super().translate_path(path)

    def log_message(self, *_: object) -> None:
        pass


class Listener(ThreadingHTTPServer):
    """Writes down what it is asked for, and answers with an image."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _ListenerHandler)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.connections = 0

    @property
    def host(self) -> str:
        """Host and port, as they stand in an address."""
        return f"127.0.0.1:{self.server_port}"

    def get_request(self) -> Any:
        """Count each connection: one that only prepares for a request tells its host something as well."""
        self.connections += 1
        return super().get_request()


class _ListenerHandler(BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers)))
        self.send_response(200)
        self.send_header("Content-Type", "image/svg+xml")
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>')

    def do_POST(self) -> None:
        self.do_GET()

    def do_OPTIONS(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def pages() -> Iterator[str]:
    """Yield the origin of the pages."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(PageHandler, directory=str(PAGES)))
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Yield a server that nothing should talk to."""
    server = Listener()
    with serving(server):
        yield server


@pytest.fixture(scope="module")
def answer(chromium: Browser, pages: str) -> Iterator[Page]:
    """Yield a page that has `newView()`; each test makes its own."""
    context = chromium.new_context(viewport={"width": 900, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=pages)
    page = context.new_page()
    page.goto(f"{pages}/markdown.html")
    page.wait_for_function("window.ready")
    yield page
    context.close()
