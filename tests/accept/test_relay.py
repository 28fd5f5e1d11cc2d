"""Runs by way of the kernel's comm, in a real JupyterLab whose widgets are told to take no other way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from rig.view import LIMIT_MS, Traffic, ask_in_box, golden, until_shown, until_state, until_typed

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

SLOW = "synthetic:tokens=160,rate=40,lang=mixed,seed=5"
LONG = "synthetic:tokens=1500,rate=200,lang=mixed,seed=6"
SHOW = "import sse_widget as sw\nw = sw.StreamWidget(model={model!r}, route='relay')\nw"
BUSY = ".jp-Notebook-ExecutionIndicator[data-status=busy]"


@pytest.fixture
def notebook(lab: Any, fresh_page: Page) -> Callable[[str, list[str]], tuple[Page, Traffic]]:
    """Return a function that shows the widget, and watches what the page asks of our server: it must be nothing."""
    asked: list[str] = []

    def start(name: str, cells: list[str]) -> tuple[Page, Traffic]:
        traffic = Traffic(fresh_page)
        fresh_page.on("request", lambda request: asked.append(request.url) if "/stream/" in request.url else None)
        lab.write(name, cells)
        lab.open(fresh_page, name)
        lab.run(fresh_page, 0)
        fresh_page.wait_for_selector(".ssew textarea", timeout=LIMIT_MS)
        return fresh_page, traffic

    yield start
    assert asked == []


def test_a_question_of_the_page_and_its_answer_go_by_the_kernel(notebook: Any, lab: Any) -> None:
    page, _ = notebook("relay.ipynb", [SHOW.format(model=SLOW), "print(len(w.text), w.status)"])
    ask_in_box(page, "hi")
    until_shown(page, 80)
    page.locator(".ssew button", has_text="Cut").click()
    until_state(page, "done")
    text = golden(lab, SLOW)
    until_typed(page, text)
    lab.run(page, 1)
    expect(page.locator(".jp-OutputArea-output pre").last).to_contain_text(f"{len(text)} done", timeout=LIMIT_MS)


def test_it_streams_while_the_kernel_is_busy_and_costs_little(notebook: Any, lab: Any) -> None:
    page, traffic = notebook("busy.ipynb", [SHOW.format(model=LONG), "run = w.ask('long', chunk_tokens=1)\nw.wait()"])
    page.wait_for_selector(".ssew-markdown", state="attached", timeout=LIMIT_MS)  # its part, once for the page
    before = traffic.received
    lab.run(page, 1)
    until_shown(page, 2000)
    assert page.locator(BUSY).count() == 1
    until_state(page, "done")
    until_typed(page, golden(lab, LONG))
    cost = traffic.received - before
    print(f"\nRelay, 1,500 tokens in as many deltas, 7.5 s: {cost} bytes over the kernel's websocket")
    assert cost < 300_000


def test_a_reload_in_the_middle_goes_on(notebook: Any, lab: Any) -> None:
    page, _ = notebook("reload.ipynb", [SHOW.format(model=SLOW), 'run = w.ask("long")'])
    lab.run(page, 1)
    until_shown(page, 80)
    page.keyboard.press("Control+s")
    page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
    page.reload()
    page.wait_for_selector(".ssew-text", timeout=LIMIT_MS)
    until_state(page, "done")
    until_typed(page, golden(lab, SLOW))


def test_stop_goes_by_the_kernel(notebook: Any) -> None:
    page, _ = notebook("stop.ipynb", [SHOW.format(model="synthetic:tokens=4000,rate=40")])
    ask_in_box(page, "endless")
    until_shown(page, 40)
    page.locator(".ssew button", has_text="Stop").click()
    until_state(page, "stopped")
