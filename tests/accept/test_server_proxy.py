"""JupyterLab without our extension: the kernel has its own server, behind jupyter-server-proxy, or behind nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from rig.browser import lab_in
from rig.shots import keep
from rig.view import LIMIT_MS, Traffic, ask_in_box, golden_at, until_shown, until_state, until_typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

SLOW = "synthetic:tokens=160,rate=40,lang=mixed,seed=5"
LONG = "synthetic:tokens=3000,rate=200,lang=mixed,seed=6"
SHOW = "import sse_widget as sw\nw = sw.StreamWidget(model={model!r})\nw"


def without(tmp_path_factory: pytest.TempPathFactory, *extensions: str) -> Any:
    """Return a JupyterLab without these extensions, which pages of another name than localhost may use."""
    settings = tmp_path_factory.mktemp("settings")
    off = {"ServerApp": {"jpserver_extensions": dict.fromkeys(extensions, False)}}
    (settings / "config").mkdir()
    (settings / "config" / "jupyter_server_config.json").write_text(json.dumps(off), "utf-8")
    return lab_in(tmp_path_factory.mktemp("lab"), settings, "--ServerApp.allow_remote_access=True")


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with without(tmp_path_factory, "sse_server.jupyter") as lab:
        yield lab


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with without(tmp_path_factory, "sse_server.jupyter", "jupyter_server_proxy") as lab:
        yield lab


def far(lab: Any) -> Any:
    """Return the same JupyterLab under a name that is no name of this machine: localhost is then not the kernel's."""
    lab.url = lab.url.replace("127.0.0.1", "lab.test")
    return lab


def opened(page: Page, lab: Any, name: str, cells: list[str]) -> list[str]:
    """Open a notebook, show its widget, and return the list of what the page asks of our routes."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/api/v1/" in request.url else None)
    lab.write(name, cells)
    lab.open(page, name)
    lab.run(page, 0)
    page.wait_for_selector(".ssew textarea", timeout=LIMIT_MS)
    return asked


def runs(asked: list[str]) -> list[str]:
    return [url for url in asked if "/runs/" in url]


def test_on_this_machine_the_address_does(fresh_page: Page, proxied: Any, standalone: str) -> None:
    asked = opened(fresh_page, proxied, "near.ipynb", [SHOW.format(model=SLOW)])
    ask_in_box(fresh_page, "near")
    until_state(fresh_page, "done")
    until_typed(fresh_page, golden_at(standalone, SLOW))
    assert runs(asked)
    assert all(url.startswith("http://127.0.0.1:") and "/proxy/" not in url for url in runs(asked))


def test_from_elsewhere_the_proxy_does(fresh_page: Page, proxied: Any, standalone: str) -> None:
    lab = far(proxied)
    asked = opened(fresh_page, lab, "far.ipynb", [SHOW.format(model=SLOW)])
    ask_in_box(fresh_page, "far")
    until_shown(fresh_page, 80)
    fresh_page.locator(".ssew button", has_text="Cut").click()
    expect(fresh_page.locator(".ssew-why")).to_contain_text("Through Jupyter's proxy")
    until_state(fresh_page, "done")
    until_typed(fresh_page, golden_at(standalone, SLOW))
    keep(fresh_page, "server-proxy")
    assert runs(asked)
    assert all(url.startswith(f"{lab.url}/proxy/") for url in runs(asked))
    ask_in_box(fresh_page, "stop it")
    until_shown(fresh_page, 40)
    fresh_page.locator(".ssew button", has_text="Stop").click()
    until_state(fresh_page, "stopped")


def test_without_the_proxy_the_kernel_does(fresh_page: Page, bare: Any, standalone: str) -> None:
    lab = far(bare)
    traffic = Traffic(fresh_page)
    asked = opened(fresh_page, lab, "bare.ipynb", [SHOW.format(model=LONG), "run = w.ask('long')"])
    # What shows Markdown comes by the kernel as well, once for the page.
    fresh_page.wait_for_selector(".ssew-markdown", state="attached", timeout=LIMIT_MS)
    before = traffic.received
    lab.run(fresh_page, 1)
    until_shown(fresh_page, 400)
    expect(fresh_page.locator(".ssew-via")).to_contain_text("relay by the kernel")
    expect(fresh_page.locator(".ssew-why")).to_contain_text("Install jupyter-server-proxy")
    keep(fresh_page, "relay")
    until_state(fresh_page, "done")
    until_typed(fresh_page, golden_at(standalone, LONG))
    cost = traffic.received - before
    print(f"\nRelay, 3,000 tokens at 200 a second: {cost} bytes over the kernel's websocket")
    assert cost < 300_000
    assert runs(asked) == []


def test_a_reload_in_the_middle_goes_on_by_the_kernel(fresh_page: Page, bare: Any, standalone: str) -> None:
    lab = far(bare)
    opened(fresh_page, lab, "again.ipynb", [SHOW.format(model=SLOW), "run = w.ask('long')"])
    lab.run(fresh_page, 1)
    until_shown(fresh_page, 80)
    fresh_page.keyboard.press("Control+s")
    fresh_page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
    fresh_page.reload()
    fresh_page.wait_for_selector(".ssew-text", timeout=LIMIT_MS)
    until_state(fresh_page, "done")
    until_typed(fresh_page, golden_at(standalone, SLOW))
