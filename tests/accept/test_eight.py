"""Eight answers at once: a browser opens six HTTP/1.1 connections to a server, and the notebook needs some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from rig.shots import keep
from rig.view import LIMIT_MS, golden

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from rig.browser import Lab

COUNT = 8
MODEL = "synthetic:tokens={tokens},rate=20,lang=mixed,seed={seed}"
SHOW = """
import sse_widget as sw
widgets = [sw.StreamWidget(model={model!r}.format(tokens={tokens}, seed=n)) for n in range({count})]
display(*widgets)
"""
ASK = 'runs = [widget.ask(f"Question {n}") for n, widget in enumerate(widgets)]'
CHECK = "print(*[widget.status for widget in widgets], sum(len(widget.text) for widget in widgets))"
STATES = "() => [...document.querySelectorAll('.ssew-dot')].map((dot) => dot.dataset.state)"
TEXTS = "() => [...document.querySelectorAll('.ssew-text')].map((text) => text.textContent.replace(/\\s/g, ''))"


@pytest.fixture
def asked(lab: Lab, fresh_page: Page) -> Callable[[str, int], tuple[Page, list[str]]]:
    """Return a function that asks eight widgets at once, and gives the page and the texts that are to come."""

    def start(name: str, tokens: int) -> tuple[Page, list[str]]:
        texts = [golden(lab, MODEL.format(tokens=tokens, seed=seed)) for seed in range(COUNT)]
        lab.write(name, [SHOW.format(model=MODEL, tokens=tokens, count=COUNT), ASK, "6 * 7", CHECK])
        lab.open(fresh_page, name)
        lab.run(fresh_page, 0)
        expect(fresh_page.locator(".ssew textarea")).to_have_count(COUNT, timeout=LIMIT_MS)
        lab.run(fresh_page, 1)
        return fresh_page, texts

    return start


def until_all(page: Page, state: str) -> None:
    """Wait until every widget of a page is in a state at the same time."""
    page.wait_for_function(f"want => ({STATES})().every((state) => state === want)", arg=state, timeout=LIMIT_MS)


def until_whole(page: Page, texts: list[str]) -> None:
    """Wait until each widget has shown its own text to the letter."""
    until_all(page, "done")
    want = ["".join(text.split()) for text in texts]
    page.wait_for_function(f"want => ({TEXTS})().join() === want.join()", arg=want, timeout=LIMIT_MS)


def ways(page: Page) -> list[str]:
    return page.locator(".ssew-via").all_inner_texts()


def test_eight_widgets_stream_at_once_and_the_notebook_goes_on(asked: Any, lab: Lab) -> None:
    page, texts = asked("eight.ipynb", 300)
    until_all(page, "open")
    page.wait_for_function(f"() => ({TEXTS})().every((text) => text)", timeout=LIMIT_MS)
    taken = ways(page)
    print(f"\neight at once: {', '.join(taken)}")
    lab.run(page, 2)
    expect(page.locator(".jp-OutputArea-output pre", has_text="42")).to_be_visible(timeout=LIMIT_MS)
    assert lab.save(page)["cells"][2]["outputs"][0]["data"]["text/plain"] == ["42"]
    until_all(page, "open")  # all of that happened while all were streaming
    keep(page, "eight-at-once")
    until_whole(page, texts)
    lab.run(page, 3)
    said = f"{' '.join(['done'] * COUNT)} {sum(map(len, texts))}"
    expect(page.locator(".jp-OutputArea-output pre", has_text=said)).to_be_visible(timeout=LIMIT_MS)


def test_eight_widgets_stream_in_two_tabs(asked: Any, lab: Lab) -> None:
    """The second tab joins in the middle, beside the first, whose streams take all connections that there are."""
    first, texts = asked("tabs.ipynb", 700)
    until_all(first, "open")
    lab.save(first)
    second = first.context.new_page()
    lab.open(second, "tabs.ipynb")
    expect(second.locator(".ssew")).to_have_count(COUNT, timeout=LIMIT_MS)
    until_all(second, "open")
    print(f"\neight in two tabs: {', '.join(ways(first))} and {', '.join(ways(second))}")
    keep(second, "eight-second-tab")
    for page in (first, second):
        until_whole(page, texts)
