"""For everyone: what axe-core finds, what the keyboard reaches, and what stays still for those who ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from rig.axe import violations
from rig.shots import keep
from rig.view import LIMIT_MS, ask_in_box, until_state

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from rig.browser import Lab

THEMES = "@jupyterlab/apputils-extension:themes"
WIDGETS = """
import sse_widget as sw
idle, open_, done, failed, broken = [sw.StreamWidget(lang={lang!r}, timeline=folded) for folded in (0, 1, 1, 0, 0)]
broken.set_trait("reconnect", False)
done.model = "synthetic:tokens=260,rate=0,lang=markdown,seed=4"
open_.model = broken.model = "synthetic:tokens=2000,rate=20,lang=mixed,seed=3"
display(idle, open_, done, failed, broken)
"""
CUT = {"en": "Cut connection", "ar": "اقطع الاتصال"}
ASKS = """
answer = await done.ask("A table, some code, a formula?")
runs = [open_.ask("How long is the sea?"), broken.ask("And who cuts the line?")]
try:
    await failed.ask("x" * 20_000)
except sw.SSEWidgetError as error:
    print(error.code)
"""


@pytest.mark.parametrize(("theme", "lang"), [("Light", "en"), ("Dark", "ar")])
def test_axe_finds_nothing_in_jupyterlab(lab: Lab, chromium: Browser, theme: str, lang: str) -> None:
    """Idle, streaming with its timeline and knobs, done with rich text, failed, interrupted; wide and narrow."""
    lab.set(THEMES, theme=f"JupyterLab {theme}")
    context = chromium.new_context(viewport={"width": 1100, "height": 4200})
    page = context.new_page()
    name = f"axe-{theme}-{lang}.ipynb"
    lab.write(name, [WIDGETS.format(lang=lang), ASKS])
    lab.open(page, name)
    lab.run(page, 0)
    expect(page.locator(".ssew")).to_have_count(5, timeout=LIMIT_MS)
    lab.run(page, 1)
    dots = page.locator(".ssew-dot")
    for number, state in enumerate(["idle", "open", "done", "error", "open"]):
        expect(dots.nth(number)).to_have_attribute("data-state", state, timeout=LIMIT_MS)
    context.set_offline(True)
    page.locator(".ssew").nth(4).get_by_role("button", name=CUT[lang]).click()
    expect(dots.nth(4)).to_have_attribute("data-state", "interrupted", timeout=LIMIT_MS)
    context.set_offline(False)
    page.locator(".ssew-toggle").first.click()  # the knobs of the first
    expect(page.locator(".ssew-knobs").first).to_be_visible()
    for width in (1100, 640):
        page.set_viewport_size({"width": width, "height": 4200})
        keep(page, f"access-{theme}-{lang}-{width}")
        assert violations(page, ".ssew") == []
    context.close()
    lab.set(THEMES, theme="JupyterLab Light")


@pytest.mark.parametrize(("scheme", "locale"), [("light", "en-GB"), ("dark", "ar-EG")])
def test_axe_finds_nothing_in_the_page(standalone: str, chromium: Browser, scheme: Any, locale: str) -> None:
    context = chromium.new_context(color_scheme=scheme, locale=locale, viewport={"width": 900, "height": 1400})
    page = context.new_page()
    page.goto(standalone)
    page.wait_for_selector(".ssew textarea")
    assert violations(page) == []
    for toggle in page.locator(".ssew-toggle").all():
        toggle.click()
    ask_in_box(page, "What is a stream?")
    until_state(page, "open")
    assert violations(page) == []
    until_state(page, "done")
    keep(page, f"access-page-{scheme}-{locale}")
    assert violations(page) == []
    ask_in_box(page, "x" * 10_001)
    until_state(page, "error")
    page.set_viewport_size({"width": 360, "height": 1800})
    keep(page, f"access-page-{scheme}-{locale}-narrow")
    assert violations(page) == []
    context.close()


NAME = """
() => {
  const held = document.activeElement;
  if (!held?.closest('.ssew')) return null;
  return held.labels?.[0]?.textContent || held.getAttribute('aria-label') || held.textContent;
}
"""


def tabs(page: Page) -> list[str]:
    """Press Tab until the focus leaves the widget; return the names of what had it."""
    names = []
    while (name := page.evaluate(NAME)) is not None:
        assert len(names) < 40, names
        names.append(name)
        page.keyboard.press("Tab")
    return names


def test_the_keyboard_does_it_all_in_jupyterlab(lab: Lab, fresh_page: Page) -> None:
    page = fresh_page
    model = "synthetic:tokens=4000,rate=40"
    lab.write("keys.ipynb", [f"import sse_widget as sw\nw = sw.StreamWidget(model={model!r})\nw", "1 + 1"])
    lab.open(page, "keys.ipynb")
    lab.run(page, 0)
    widget = page.locator(".ssew")
    box = widget.locator("textarea")
    box.wait_for(timeout=LIMIT_MS)
    box.focus()
    assert tabs(page) == ["Question", "Answer", "Knobs", "Timeline"]
    box.focus()
    page.keyboard.type("How long is the sea?")
    page.keyboard.press("Tab")
    assert page.evaluate(NAME) == "Ask"
    page.keyboard.press("Space")
    until_state(page, "open")
    assert page.evaluate(NAME) == "Question", "the box has the focus again, since an empty question cannot be sent"
    expect(widget.get_by_role("button", name="Copy")).to_be_enabled()
    assert tabs(page) == ["Question", "Answer", "Knobs", "Timeline", "Copy", "Cut connection", "Stop"]
    widget.get_by_role("button", name="Stop").focus()
    page.keyboard.press("Space")
    until_state(page, "stopped")
    assert page.evaluate(NAME) == "Stop", "the focus stays where the reader is"
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(NAME) == "Copy", "Cut is of no use now"
    widget.get_by_role("button", name="Knobs").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator(".ssew-knobs")).to_be_hidden()
    page.keyboard.press("Space")
    expect(page.locator(".ssew-knobs")).to_be_visible()
    knobs = widget.locator(".ssew-knobs input:not([type=radio]), .ssew-knobs input[type=radio]:checked").count()
    assert knobs > 15
    names = tabs(page)
    assert names[:3] == ["Knobs", "Timeline", "Copy"]
    assert len(names) == 3 + knobs
    assert page.locator(".jp-Notebook .jp-Cell").count() == 2, "no key did what it does in a notebook"
