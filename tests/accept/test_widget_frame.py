"""What a notebook is told of its runs by the page that shows them, in a real JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from rig.view import LIMIT_MS, ask_in_box, until_state

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from rig.browser import Lab

MODEL = "synthetic:tokens=60,rate=40"
ASK = "answer = await w.ask('hi')"
TABLE = """
frame = answer.frame()
seen = frame[frame.kind == 'delta']
print('reader', frame.attrs['reader'] is not None, 'asked by', frame.attrs['asked_by'])
print('deltas', len(seen) > 5, 'painted', bool(seen.paint_s.notna().all()), 'shown', bool(seen.show_ms.notna().all()))
errors = [frame.attrs['clock_error_ms'] or 0, frame.attrs['kernel_error_ms']]
stages = seen[[name for name in seen if name.endswith('_ms') and 'gap' not in name]].min()
print('least', bool((stages.dropna() >= -sum(errors)).all()), '±', errors)
"""


def open_widget(page: Page, lab: Lab, name: str, make: str, *cells: str) -> None:
    """Show a widget in a notebook of its own."""
    lab.write(name, [f"import sse_widget as sw\nw = sw.StreamWidget(model={MODEL!r}, {make})\nw", *cells])
    lab.open(page, name)
    lab.run(page, 0)
    page.wait_for_selector(".ssew textarea", timeout=LIMIT_MS)


def told(page: Page, lab: Lab, cell: int) -> str:
    """Run a cell and return what it printed."""
    lab.run(page, cell)
    output = page.locator(".jp-Notebook .jp-Cell").nth(cell).locator(".jp-OutputArea-output pre")
    expect(output).to_contain_text("±", timeout=LIMIT_MS)
    print(f"\n{output.inner_text()}")
    return output.inner_text()


@pytest.mark.parametrize("way", ["extension", "ticket"])
def test_the_kernels_question(lab: Lab, fresh_page: Page, standalone: str, way: str) -> None:
    """The page reads by the extension, or by a ticket from a server of another origin."""
    make = "" if way == "extension" else f"url={standalone!r}"
    open_widget(fresh_page, lab, f"{way}.ipynb", make, ASK, TABLE)
    lab.run(fresh_page, 1)
    until_state(fresh_page, "done")
    said = told(fresh_page, lab, 2)
    assert "reader True asked by kernel" in said
    assert "deltas True painted True shown True" in said
    assert "least True" in said


def test_the_pages_question(lab: Lab, fresh_page: Page) -> None:
    open_widget(fresh_page, lab, "asked.ipynb", "", TABLE.replace("answer.", "w."))
    ask_in_box(fresh_page, "hi")
    until_state(fresh_page, "done")
    said = told(fresh_page, lab, 1)
    assert "reader True asked by page" in said
    assert "deltas True painted True shown True" in said
    assert "least True" in said


@pytest.mark.parametrize("make", ["recorder=False", "route='relay'"])
def test_of_a_page_that_tells_nothing_there_are_the_kernels_times(lab: Lab, fresh_page: Page, make: str) -> None:
    asked: list[str] = []
    fresh_page.on("request", lambda request: asked.append(request.url) if "/spans" in request.url else None)
    open_widget(fresh_page, lab, f"{make[:5]}.ipynb", f"{make}, timeline=True", ASK, TABLE)
    lab.run(fresh_page, 1)
    until_state(fresh_page, "done")
    said = told(fresh_page, lab, 2)
    assert "reader False asked by kernel" in said
    assert "deltas True painted False shown False" in said
    assert asked == []
    note = fresh_page.locator(".ssew-timeline .ssew-why")
    expect(note).to_be_visible(visible="relay" in make)
