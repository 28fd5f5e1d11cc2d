"""What a reader asks the system for: less motion, and the few colours of a contrast theme."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from rig.axe import violations
from rig.shots import keep
from rig.view import LIMIT_MS, ask_in_box, golden_at, until_shown, until_state, until_typed

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

MOVED = """
() => {
  window.moved = [];
  (function frame() {
    for (const {animationName, transitionProperty, effect} of document.getAnimations())
      window.moved.push(animationName ?? transitionProperty ?? effect.target.className);
    requestAnimationFrame(frame);
  })();
}
"""
"""Notes all that moves, in every frame from now on."""

LOOK = """
el => {
  const {borderRadius, backgroundColor, backgroundImage, borderTopStyle} = getComputedStyle(el);
  return [borderRadius, backgroundColor, backgroundImage, borderTopStyle].join(' ');
}
"""

SYSTEM = """
(names) => names.map((name) => {
  const probe = document.body.appendChild(document.createElement('i'));
  probe.style.cssText = `forced-color-adjust: none; color: ${name}`;
  const {color} = getComputedStyle(probe);
  probe.remove();
  return color;
})
"""

DRAWN = """
(colour) => {
  const canvas = document.querySelector('.ssew-chart canvas');
  const context = Object.assign(document.createElement('canvas'), {width: canvas.width, height: canvas.height})
    .getContext('2d', {willReadFrequently: true});
  context.fillStyle = getComputedStyle(document.documentElement).backgroundColor;
  context.fillRect(0, 0, 2, 1);
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const want = context.getImageData(0, 0, 1, 1).data;
  context.fillStyle = getComputedStyle(document.documentElement).backgroundColor;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(canvas, 0, 0);
  const {data} = context.getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4)
    if ([0, 1, 2].every((i) => Math.abs(data[at + i] - want[i]) < 12)) count += 1;
  return count;
}
"""
"""How many pixels of the chart have a colour, as it looks on the page."""


def until_open(page: Page, url: str, model_tokens: int = 60) -> None:
    """Open the page with everything unfolded, ask, and wait until some of the answer is shown."""
    page.goto(f"{url}/?lang=en")
    for toggle in page.locator(".ssew-toggle").all():
        toggle.click()
    page.wait_for_selector(".ssew-chart canvas")
    ask_in_box(page, "What is a stream?")
    until_state(page, "open")
    until_shown(page, model_tokens)


def moved_while_answering(page: Page, url: str) -> list[str]:
    page.goto(f"{url}/?lang=en")
    page.evaluate(MOVED)
    for toggle in page.locator(".ssew-toggle").all():
        toggle.click()
    page.get_by_role("checkbox", name="Show Markdown").uncheck()  # plain text has the caret
    ask_in_box(page, "Move")
    until_state(page, "done")
    until_typed(page, golden_at(url, "synthetic:lang=en"))
    return page.evaluate("window.moved")


def test_nothing_moves_for_who_asks_for_less_motion(standalone: str, fresh_page: Page) -> None:
    moved = moved_while_answering(fresh_page, standalone)
    assert {"ssew-caret", "ssew-dot"} <= {*moved}, "what is looked for is there otherwise"
    fresh_page.emulate_media(reduced_motion="reduce")
    assert moved_while_answering(fresh_page, standalone) == []


def test_text_is_there_at_once_for_who_asks_for_less_motion(standalone: str, fresh_page: Page) -> None:
    """However slow the typewriter is set: what has been delivered is what is displayed, two frames later."""
    fresh_page.emulate_media(reduced_motion="reduce")
    fresh_page.goto(f"{standalone}/?lang=en")
    fresh_page.locator(".ssew-toggle").first.click()
    for name, value in {"Pause after a step": "1000", "Longest lag": "10000"}.items():
        fresh_page.get_by_role("spinbutton", name=name).fill(value)
    ask_in_box(fresh_page, "Hurry")
    until_state(fresh_page, "done")
    frames = "() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown)))"
    fresh_page.evaluate(frames)
    seen = fresh_page.locator(".ssew-text").text_content() or ""
    assert "".join(seen.split()) == "".join(golden_at(standalone, "synthetic:lang=en").split())


def edge(found: Locator) -> tuple[str, str]:
    """Return the width and the colour of the frame that shows where the focus is."""
    found.focus()
    found.page.keyboard.press("Shift")
    style: Any = found.evaluate("el => ({...getComputedStyle(el)})")
    return style["outlineStyle"], style["outlineWidth"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forced_colours_leave_every_part_visible(standalone: str, chromium: Browser, scheme: Any) -> None:
    context = chromium.new_context(color_scheme=scheme, viewport={"width": 900, "height": 1700})
    page = context.new_page()
    until_open(page, standalone)
    page.emulate_media(forced_colors="active")
    canvas, text, highlight, button = page.evaluate(SYSTEM, ["Canvas", "CanvasText", "Highlight", "ButtonText"])
    assert len({canvas, text, highlight}) == 3
    until_state(page, "done")
    for mark, colour in {"delivered": text, "displayed": highlight}.items():
        swatch = page.locator(f".ssew-swatch.ssew-{mark}")
        expect(swatch).to_have_css("color", colour)
        expect(page.locator(f".ssew-of-{mark}").first).to_be_visible()
        bar = "el => getComputedStyle(el, '::before').backgroundColor"
        assert page.locator(f".ssew-of-{mark}").first.evaluate(bar) == colour
        page.wait_for_function(f"colour => ({DRAWN})(colour) > 50", arg=colour, timeout=LIMIT_MS)
    for shown in (".ssew-send", ".ssew-main", ".ssew-toggle", ".ssew-preset", ".ssew-field"):
        style = page.locator(shown).first.evaluate(
            "el => { const s = getComputedStyle(el); return [s.borderTopStyle, s.borderTopColor, s.backgroundColor]; }"
        )
        assert style[0] == "solid", shown
        assert style[1] not in {canvas, "rgba(0, 0, 0, 0)"}, shown
    assert button != canvas
    checked, other = (
        page.locator(f".ssew-preset{which}").first for which in (":has(:checked)", ":not(:has(:checked))")
    )
    assert checked.evaluate(LOOK) != other.evaluate(LOOK)
    slider = page.locator(".ssew-slider").first
    expect(slider).to_have_css("appearance", "auto")
    for focused in (slider, *(page.locator(name).first for name in (".ssew-answer", ".ssew-toggle", ".ssew-check"))):
        assert edge(focused) == ("solid", "2px")
    keep(page, f"media-forced-{scheme}")
    assert violations(page) == []
    context.close()


def test_forced_colours_leave_the_states_apart(standalone: str, fresh_page: Page) -> None:
    """By their shapes: a contrast theme has no colour for what is right or wrong."""
    page = fresh_page
    page.emulate_media(forced_colors="active", reduced_motion="reduce")
    page.goto(f"{standalone}/?lang=en")
    dot = page.locator(".ssew-dot")
    until_state(page, "idle")
    looks = {"idle": dot.evaluate(LOOK)}
    ask_in_box(page, "Go")
    until_state(page, "open")
    looks["open"] = dot.evaluate(LOOK)
    until_shown(page, 20)
    page.context.set_offline(True)
    page.get_by_role("button", name="Cut connection").click()
    until_state(page, "waiting")
    looks["waiting"] = dot.evaluate(LOOK)
    page.context.set_offline(False)
    until_state(page, "done")
    assert dot.evaluate(LOOK) == looks["idle"]
    ask_in_box(page, "x" * 10_001)
    until_state(page, "error")
    looks["error"] = dot.evaluate(LOOK)
    assert len(set(looks.values())) == 4, looks
