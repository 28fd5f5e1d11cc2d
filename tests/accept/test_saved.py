"""A notebook that is opened with a fresh kernel shows its answer, once. The other cases are in tests/accept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from rig.view import LIMIT_MS, golden, until_seen, until_state

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from rig.browser import Lab

MODEL = "synthetic:tokens=60,rate=0,lang=mixed,seed=2"


def test_a_fresh_kernel_leaves_the_text(lab: Lab, fresh_page: Page) -> None:
    page = fresh_page
    show = f"import sse_widget as sw\nw = sw.StreamWidget(model={MODEL!r})\nw"
    lab.write("lasting.ipynb", [show, 'answer = await w.ask("What is a stream?")'])
    lab.open(page, "lasting.ipynb")
    lab.run(page, 0)
    page.wait_for_selector(".ssew textarea", timeout=LIMIT_MS)
    lab.run(page, 1)
    until_state(page, "done")
    until_seen(page, golden(lab, MODEL))
    expect(page.locator(".ssew-saved")).to_contain_text("What is a stream?")
    expect(page.locator(".ssew-saved")).to_be_hidden()
    lab.save(page)
    page.goto("about:blank")
    lab.end_kernels()
    lab.open(page, "lasting.ipynb")
    until_seen(page, golden(lab, MODEL))
    expect(page.locator(".jupyter-widgets", has_text="Error displaying widget")).to_be_hidden()
