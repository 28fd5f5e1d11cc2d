"""Hosts that cannot run here, by what their pages are: Colab's, VS Code's, one of the web, one without an origin.

Each shows our side only: the real hosts were not asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rig.browser import CHROMIUM_FLAGS, _which
from rig.host import Host, pages
from rig.shots import keep
from rig.view import ask_in_box, golden_at
from sse_widget import StreamWidget, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page, Playwright

SLOW = "synthetic:tokens=60,rate=60,lang=mixed,seed=5"
MATHS = "synthetic:tokens=400,rate=0,lang=markdown,seed=1"
LNA = "Local Network Access"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with pages() as listening:
        yield listening


@pytest.fixture
def widget_of() -> Iterator[Callable[..., StreamWidget]]:
    """Yield a function that makes a widget with a server of its own, as a kernel without the extension has it."""
    made: list[Any] = []

    def make(model: str = SLOW, *, allow_origin: tuple[str, ...] = (), **traits: str) -> StreamWidget:
        server = serve(model=model, allow_origin=allow_origin)
        widget = StreamWidget(url=server.url, token=server.token, **traits)
        made.extend([server.stop, widget.close])
        return widget

    yield make
    for end in reversed(made):
        end()


def shown(page: Page) -> str:
    return "".join(page.locator(".ssew-text").text_content().split())


def asked_of(page: Page, url: str) -> list[str]:
    """Return the list of what the page asks of a server from now on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.startswith(url) else None)
    return asked


def whole(host: Host, page: Page, widget: StreamWidget, standalone: str, model: str = SLOW) -> None:
    """Ask in the page and see the whole text there, and in the kernel."""
    page.wait_for_selector(".ssew textarea")
    ask_in_box(page, "مرحبا")
    host.until(lambda: widget.status == "done")
    text = golden_at(standalone, model)
    assert widget.text == text
    host.until(lambda: shown(page) == "".join(text.split()))


def via(page: Page) -> str:
    """Return the way of the stream, and why it takes it."""
    why = page.locator(".ssew-why")
    return f"{page.locator('.ssew-via').inner_text()} {why.inner_text() if why.is_visible() else ''}".strip()


def test_a_page_of_this_computer_reads_at_the_address(
    fresh_page: Page, port: int, widget_of: Any, standalone: str
) -> None:
    widget = widget_of()
    asked = asked_of(fresh_page, widget.base_url)
    host = Host(fresh_page, widget)
    host.show(f"http://localhost:{port}/notebook")
    whole(host, fresh_page, widget, standalone)
    assert any("/runs/" in url for url in asked)
    assert via(fresh_page) == "SSE"


@pytest.mark.parametrize(
    "page_url", ["http://webview.test:{port}/notebook", "http://127.0.0.1:{port}/sandboxed"], ids=["foreign", "opaque"]
)
def test_a_page_that_the_server_does_not_admit_goes_by_the_kernel(
    fresh_page: Page, port: int, widget_of: Any, standalone: str, page_url: str
) -> None:
    """As a webview has it: another origin than localhost, or none, where even sessionStorage throws."""
    widget = widget_of()
    asked = asked_of(fresh_page, widget.base_url)
    host = Host(fresh_page, widget)
    host.show(page_url.format(port=port))
    whole(host, fresh_page, widget, standalone)
    assert "relay by the kernel The server does not admit this page" in via(fresh_page)
    assert not any("/runs/" in url for url in asked)


def test_the_kernel_carries_the_parts_of_the_view_too(fresh_page: Page, port: int, widget_of: Any) -> None:
    widget = widget_of(MATHS, route="relay")
    asked = asked_of(fresh_page, widget.base_url)
    host = Host(fresh_page, widget)
    host.show(f"http://127.0.0.1:{port}/sandboxed")
    fresh_page.wait_for_selector(".ssew textarea")
    ask_in_box(fresh_page, "maths")
    host.until(lambda: fresh_page.locator(".ssew-text math").count() > 0)
    assert asked == []


def test_the_page_loads_the_parts_from_the_server_that_it_reaches(fresh_page: Page, port: int, widget_of: Any) -> None:
    widget = widget_of(MATHS)
    asked = asked_of(fresh_page, f"{widget.base_url}/static/part-math.js")
    host = Host(fresh_page, widget)
    host.show(f"http://localhost:{port}/notebook")
    fresh_page.wait_for_selector(".ssew textarea")
    ask_in_box(fresh_page, "maths")
    host.until(lambda: fresh_page.locator(".ssew-text math").count() > 0)
    assert len(asked) == 1


def test_colabs_port_proxy(
    fresh_page: Page, port: int, widget_of: Any, standalone: str, cutting_proxy: Callable[[str], Any]
) -> None:
    """A stand-in of Colab: its page's function answers with a real reverse proxy; the address itself leads nowhere."""
    widget = widget_of(allow_origin=(f"http://colab.test:{port}",))
    tunnel = cutting_proxy(widget.base_url)
    fresh_page.route(f"{widget.base_url}/**", lambda route: route.abort())
    fresh_page.add_init_script(
        f"window.google = {{colab: {{kernel: {{proxyPort: async (port) => '{tunnel.url}/'}}}}}};"
    )
    asked = asked_of(fresh_page, tunnel.url)
    host = Host(fresh_page, widget)
    host.show(f"http://colab.test:{port}/notebook")
    whole(host, fresh_page, widget, standalone)
    assert any("/runs/" in url for url in asked)
    assert via(fresh_page) == "SSE Through Colab's port proxy."


@pytest.mark.parametrize("allowed", [False, True], ids=["unasked", "allowed"])
def test_a_page_of_the_web_reaches_this_computer_only_if_the_reader_allows_it(
    playwright: Playwright, port: int, widget_of: Any, standalone: str, *, allowed: bool
) -> None:
    """Chromium takes the page for one of the public web here, and applies its own rule (Local Network Access)."""
    origin = f"http://lab.test:{port}"
    flags = [
        f"--ip-address-space-overrides=127.0.0.1:{port}=public",
        f"--unsafely-treat-insecure-origin-as-secure={origin}",
    ]
    browser = playwright.chromium.launch(executable_path=_which("chromium"), args=[*CHROMIUM_FLAGS, *flags])
    context = browser.new_context()
    if allowed:
        context.grant_permissions(["local-network-access"], origin=origin)
    page = context.new_page()
    widget = widget_of(allow_origin=(origin,))
    asked = asked_of(page, widget.base_url)
    host = Host(page, widget)
    host.show(f"{origin}/notebook")
    whole(host, page, widget, standalone)
    print("\n", via(page), asked[:2])
    if allowed:
        assert via(page) == "SSE"
    else:
        assert LNA in via(page)
        assert asked == [], "the browser did not even have to ask"
        keep(page, "local-network-access")
    browser.close()
