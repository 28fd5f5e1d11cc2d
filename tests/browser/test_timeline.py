"""The timeline on the page: what it draws is what was delivered and displayed, and it costs nothing when folded."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import regex
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

LIMIT_MS = 60_000
MIXED = "synthetic:tokens=240,rate=80,lang=mixed,seed=6"
STEADY = "synthetic:tokens=400,rate=100,lang=en,seed=6"

WATCH = """
window.drawn = 0;
const clear = CanvasRenderingContext2D.prototype.clearRect;
CanvasRenderingContext2D.prototype.clearRect = function (...box) { window.drawn += 1; return clear.apply(this, box); };
window.intervals = [];
let before = 0;
requestAnimationFrame(function frame(now) {
  if (before) window.intervals.push(now - before);
  before = now;
  requestAnimationFrame(frame);
});
"""
"""Counts what is drawn on canvases, and the frames of the page."""

INK = """
(name) => {
  const probe = document.querySelector(`.ssew-swatch.ssew-${name}`);
  const canvas = document.querySelector('.ssew-chart canvas');
  const pixel = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  pixel.fillStyle = getComputedStyle(probe).color;
  pixel.fillRect(0, 0, 1, 1);
  const [r, g, b] = pixel.getImageData(0, 0, 1, 1).data;
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const context = copy.getContext('2d');
  context.drawImage(canvas, 0, 0);
  const {data} = context.getImageData(0, 0, copy.width, copy.height);
  let [count, left, right, top] = [0, copy.width, 0, copy.height];
  for (let at = 0; at < data.length; at += 4) {
    const off = Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b);
    if (data[at + 3] < 200 || off > 30) continue;
    const [x, y] = [(at / 4) % copy.width, Math.floor(at / 4 / copy.width)];
    [count, left, right, top] = [count + 1, Math.min(left, x), Math.max(right, x), Math.min(top, y)];
  }
  return {count, left: left / copy.width, right: right / copy.width, top: top / copy.height};
}
"""
"""Where on the chart the colour of a line or mark is, as shares of its width and height."""


def golden(url: str, model: str) -> str:
    query = {"q": "golden", "chunk_tokens": 50, "model": re.sub(r"rate=\d+", "rate=0", model)}
    rows = httpx.get(f"{url}/api/v1/stream/chat", params=query).text.splitlines()
    return "".join(json.loads(row[6:])["text"] for row in rows if row.startswith('data: {"text"'))


def characters(text: str) -> int:
    return len(regex.findall(r"\X", text))


@pytest.fixture
def ask(fresh_page: Page) -> Callable[..., Page]:
    """Return a function that asks a model on the page, with the timeline unfolded or not."""

    def start(url: str, model: str, *, unfolded: bool = True, lang: str = "en") -> Page:
        fresh_page.add_init_script(WATCH)
        fresh_page.route(
            "**/api/v1/stream/chat",
            lambda route: route.continue_(post_data=json.dumps({**route.request.post_data_json, "model": model})),
        )
        fresh_page.goto(f"{url}/?lang={lang}")
        if unfolded:
            fresh_page.locator(".ssew-toggle").nth(1).click()
            fresh_page.wait_for_selector(".ssew-chart canvas")
        fresh_page.locator("textarea").fill("Draw")
        fresh_page.locator("textarea").press("Enter")
        return fresh_page

    return start


def until_done(page: Page) -> None:
    expect(page.locator(".ssew-dot")).to_have_attribute("data-state", "done", timeout=LIMIT_MS)
    expect(page.locator(".ssew-answer")).to_have_attribute("aria-busy", "false", timeout=LIMIT_MS)


def figures(page: Page) -> dict[str, list[str]]:
    """Return the strip's figures by their names."""
    found = page.locator(".ssew-figure-item").evaluate_all(
        "items => items.map((item) => [item.querySelector('dt').textContent,"
        " [...item.querySelectorAll('dd > span:last-child')].map((value) => value.textContent)])"
    )
    return {name: [value.strip("\u2066\u2069") for value in values] for name, values in found}


def test_it_tells_what_was_delivered_and_displayed_and_where_it_was_cut(
    standalone: str, cutting_proxy: Any, ask: Any
) -> None:
    proxy = cutting_proxy(standalone)
    left = [900, 1500]
    proxy.cut_for = lambda head: left.pop(0) if left and re.match(rb"(POST|GET) /api/v1/stream/", head) else None
    page = ask(proxy.url, MIXED)
    until_done(page)
    count = characters(golden(standalone, MIXED))
    expect(page.locator(".ssew-chart")).to_have_attribute(
        "aria-label", re.compile(rf"^Timeline: {count} characters delivered .* Cuts: 2\. "), timeout=LIMIT_MS
    )
    assert proxy.cuts == 2
    expect(page.locator(".ssew-legend li", has_text="Cut")).to_have_text("Cut2")
    seen = figures(page)
    assert seen["Reconnects"] == ["2"]
    assert seen["Transport"] == ["SSE"]
    assert seen["Lag now"] == ["0 ms"]
    for name in ("Characters/s", "Gap p50", "Gap p95"):
        assert all(re.match(r"\d", value) for value in seen[name]), seen
        assert len(seen[name]) == 2
    assert float(seen["TTFT"][0].split()[0]) <= float(seen["TTFP"][0].split()[0])
    marks = {name: page.evaluate(INK, name) for name in ("delivered", "displayed", "cut")}
    assert all(mark["count"] > 20 for mark in marks.values()), marks
    assert marks["displayed"]["right"] > marks["cut"]["right"] > marks["cut"]["left"] > marks["displayed"]["left"]


def test_frames_while_it_runs_and_rest_when_it_is_over(standalone: str, ask: Any) -> None:
    page = ask(standalone, STEADY)
    page.wait_for_function("() => document.querySelector('.ssew-text').textContent.length > 20")
    page.evaluate("() => { window.intervals.length = 0; window.drawn = 0; }")
    until_done(page)
    drawn = page.evaluate("window.drawn")
    intervals = sorted(page.evaluate("window.intervals"))
    late = sum(interval > 25 for interval in intervals) / len(intervals)
    print(
        f"\nTimeline unfolded: {len(intervals)} frames, median {intervals[len(intervals) // 2]:.1f} ms,"
        f" p99 {intervals[int(0.99 * len(intervals))]:.1f} ms, {100 * late:.1f} % over 25 ms; drawn {drawn} times"
    )
    assert 10 < drawn <= len(intervals) + 2
    after = "() => new Promise((r) => { const d = window.drawn; setTimeout(() => r(window.drawn - d), 700); })"
    page.wait_for_function(f"() => ({after})().then((more) => more === 0)", timeout=LIMIT_MS)


def test_folded_it_does_nothing_and_unfolded_later_it_has_everything(standalone: str, ask: Any) -> None:
    asked: list[str] = []
    page = ask(standalone, "synthetic:tokens=80,rate=80,seed=6", unfolded=False)
    page.on("request", lambda request: asked.append(request.url))
    until_done(page)
    assert page.evaluate("window.drawn") == 0
    assert page.locator(".ssew-chart canvas").count() == 0
    assert page.locator(".ssew-figure").count() == 0
    page.get_by_role("button", name="Timeline").click()
    page.wait_for_selector(".ssew-chart canvas")
    count = characters(golden(standalone, "synthetic:tokens=80,rate=80,seed=6"))
    expect(page.locator(".ssew-chart")).to_have_attribute("aria-label", re.compile(rf"^Timeline: {count} characters"))
    page.wait_for_function(f"() => ({INK})('displayed').count > 20")
    assert [url.rpartition("/")[2] for url in asked if "part-" in url] == ["part-timeline.js"]


def test_a_page_from_right_to_left_draws_time_so_too(standalone: str, ask: Any) -> None:
    page = ask(standalone, "synthetic:tokens=120,rate=80,lang=ar,seed=6", lang="ar")
    until_done(page)
    expect(page.locator(".ssew-chart")).to_have_attribute("aria-label", re.compile("المخطط الزمني: وصلت"))
    line = page.evaluate(INK, "displayed")
    assert line["right"] > 0.85, "time begins at the right"
    assert line["left"] > 0.3


def test_a_new_theme_recolours_it_at_once(standalone: str, chromium: Browser) -> None:
    context = chromium.new_context(color_scheme="light")
    page = context.new_page()
    page.goto(f"{standalone}/?lang=en")
    page.get_by_role("button", name="Timeline").click()
    page.wait_for_selector(".ssew-chart canvas")
    page.locator("textarea").fill("Colours")
    page.locator("textarea").press("Enter")
    page.wait_for_function(f"() => ({INK})('displayed').count > 5", timeout=LIMIT_MS)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".ssew-dot")).to_have_attribute("data-state", "stopped", timeout=LIMIT_MS)
    light = page.locator(".ssew-swatch.ssew-delivered").evaluate("el => getComputedStyle(el).color")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "(light) => getComputedStyle(document.querySelector('.ssew-swatch.ssew-delivered')).color !== light", arg=light
    )
    page.wait_for_function(f"() => ({INK})('displayed').count > 5", timeout=LIMIT_MS)
    page.set_viewport_size({"width": 320, "height": 900})
    page.wait_for_function("() => document.querySelector('.ssew-chart canvas').getBoundingClientRect().width < 300")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    summary = page.locator(".ssew-figures-line")
    expect(page.locator(".ssew-figures")).to_be_hidden()
    summary.click()
    expect(page.locator(".ssew-figures")).to_be_visible()
    context.close()
