"""For everyone: what axe-core finds, what the keyboard reaches, what a screen reader hears, in both themes and languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from rig.panel import LIMIT_MS

from rig.axe import violations
from rig.shots import keep

if TYPE_CHECKING:
    from playwright.sync_api import Browser

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
    context = chromium.new_context(viewport={"width": 1100, "height": 3600})
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
    keep(page, f"access-{theme}-{lang}")
    assert violations(page, ".ssew") == []
    context.close()
    lab.set(THEMES, theme="JupyterLab Light")
