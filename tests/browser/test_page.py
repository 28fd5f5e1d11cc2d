"""The page of the standalone server: ask, reload in the middle, both languages, no violation of its own policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from rig.view import LIMIT_MS, ask_in_box, golden_at, until_typed

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def test_ask_and_reload_in_the_middle(standalone: str, fresh_page: Page) -> None:
    complaints: list[str] = []
    fresh_page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    fresh_page.on("pageerror", lambda error: complaints.append(str(error)))
    fresh_page.goto(standalone)
    ask_in_box(fresh_page, "What is a stream?")
    fresh_page.wait_for_function("() => document.querySelector('.ssew-text').textContent.length > 60")
    fresh_page.reload()
    until_typed(fresh_page, golden_at(standalone, "synthetic:lang=en"))
    expect(fresh_page.locator(".ssew-dot")).to_have_attribute("data-state", "done")
    assert complaints == []


def test_stop_on_the_page_ends_the_run(standalone: str, fresh_page: Page) -> None:
    fresh_page.goto(standalone)
    ask_in_box(fresh_page, "Stop me")
    fresh_page.wait_for_function("() => document.querySelector('.ssew-text').textContent.length > 20")
    fresh_page.get_by_role("button", name="Stop").click()
    expect(fresh_page.locator(".ssew-dot")).to_have_attribute("data-state", "stopped", timeout=LIMIT_MS)


def test_arabic_page_runs_from_right_to_left(standalone: str, chromium: Browser) -> None:
    context = chromium.new_context(locale="ar-EG")
    page = context.new_page()
    page.goto(standalone)
    assert page.locator(".ssew").evaluate("el => getComputedStyle(el).direction") == "rtl"
    for text in ("إيقاف", "اقطع الاتصال", "جاهز"):
        assert text in page.locator(".ssew-foot").inner_text()
    context.close()


def test_a_refusal_is_said_in_words(standalone: str, fresh_page: Page) -> None:
    fresh_page.goto(standalone)
    ask_in_box(fresh_page, "x" * 10_001)
    expect(fresh_page.locator(".ssew-dot")).to_have_attribute("data-state", "error", timeout=LIMIT_MS)
    expect(fresh_page.locator(".ssew-status")).to_contain_text("10001")


def test_a_live_region_speaks_once(standalone: str, fresh_page: Page) -> None:
    """A screen reader hears the answer once, whole, and not each token (aria-busy meanwhile)."""
    fresh_page.goto(standalone)
    fresh_page.evaluate(
        """() => {
          window.spoken = [];
          const region = document.querySelector('[aria-live=polite]');
          new MutationObserver(() => { if (region.textContent) window.spoken.push(region.textContent); })
            .observe(region, {childList: true, characterData: true, subtree: true});
        }"""
    )
    ask_in_box(fresh_page, "Speak")
    expect(fresh_page.locator(".ssew-answer")).to_have_attribute("aria-busy", "true", timeout=LIMIT_MS)
    expect(fresh_page.locator(".ssew-dot")).to_have_attribute("data-state", "done", timeout=LIMIT_MS)
    fresh_page.wait_for_function("() => window.spoken.length")
    said = [words.split() for words in fresh_page.evaluate("window.spoken")]
    assert said == [golden_at(standalone, "synthetic:lang=en").split()]


BUSY = """
async ([model, busyMs]) => {
  const {openStream} = await import("/sse.js");
  const busy = (...request) => {
    const answer = fetch(...request);
    const until = performance.now() + busyMs;
    while (performance.now() < until);
    return answer;
  };
  const body = {q: "?", model, chunk_tokens: 1};
  const consumer = openStream("/api/v1/stream/chat", {body, fetch: busy});
  const ways = [];
  let text = "";
  consumer.onTransport((name, reason) => ways.push([name, reason])).onDelta((delta) => { text += delta.text; });
  return [await consumer.connect(), consumer.transport, ways, text];
}
"""


@pytest.mark.parametrize("busy_ms", [2000, 3200])
def test_a_busy_page_takes_nothing_for_held_back(standalone: str, fresh_page: Page, busy_ms: int) -> None:
    """The whole answer comes while the page's only thread is taken, for longer than a proxy would be trusted."""
    model = "synthetic:tokens=30"
    fresh_page.goto(standalone)
    told = fresh_page.evaluate(BUSY, [f"{model},rate=0", busy_ms])
    assert told == ["done", "sse", [], golden_at(standalone, model)]
