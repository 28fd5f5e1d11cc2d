"""Runs by way of the kernel's comm, in a real JupyterLab whose page is told to reach no server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rig.panel import LIMIT_MS, ask_in_box, golden, until_shown, until_state, until_typed

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

SLOW = "synthetic:tokens=160,rate=40,lang=mixed,seed=5"
SHOW = "import sse_widget as sw\nw = sw.StreamWidget(model={model!r}, route='relay')\nw"


@pytest.fixture
def notebook(lab: Any, fresh_page: Page) -> Callable[[str, list[str]], Page]:
    def start(name: str, cells: list[str]) -> Page:
        lab.write(name, cells)
        lab.open(fresh_page, name)
        lab.run(fresh_page, 0)
        fresh_page.wait_for_selector(".ssew textarea", timeout=LIMIT_MS)
        return fresh_page

    return start


def test_x(notebook: Any, lab: Any) -> None:
    page = notebook("box.ipynb", [SHOW.format(model=SLOW), "run = w.ask('long')", "import time\ntime.sleep(20)"])
    page.on("console", lambda m: print("console", m.type, m.text[:300]))
    frames = []
    page.on("request", lambda r: print(r.method, r.url) if "sse-widget" in r.url else None)
    ask_in_box(page, "hi")
    until_state(page, "done")
    until_typed(page, golden(lab, SLOW))
    lab.run(page, 1)
    lab.run(page, 2)
    until_shown(page, 80)
    until_state(page, "done")
    until_typed(page, golden(lab, SLOW))
    assert page.locator(".jp-Notebook-ExecutionIndicator").get_attribute("data-status") == "busy"
