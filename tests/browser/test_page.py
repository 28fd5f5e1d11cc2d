"""The page of the standalone server: ask, reload in the middle, both languages, no violation of its own policy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LIMIT_MS = 30_000


def ask(page: Page, question: str) -> None:
    box = page.locator("textarea")
    box.fill(question)
    box.press("Enter")


def golden(url: str) -> str:
    query = {"q": "golden", "chunk_tokens": 50, "model": "synthetic:rate=0"}
    rows = httpx.get(f"{url}/api/v1/stream/chat", params=query).text.splitlines()
    return "".join(json.loads(row[6:])["text"] for row in rows if row.startswith('data: {"text"'))


def until_typed(page: Page, text: str) -> None:
    """Wait until exactly this text stands there, block by block."""
    page.wait_for_function(
        """(want) => [...document.querySelector('.ssew-text').children]
          .map((line) => line.textContent).join('\\n') === want""",
        arg=text,
        timeout=LIMIT_MS,
    )


def test_ask_and_reload_in_the_middle(standalone: str, fresh_page: Page) -> None:
    complaints: list[str] = []
    fresh_page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    fresh_page.on("pageerror", lambda error: complaints.append(str(error)))
    fresh_page.goto(standalone)
    ask(fresh_page, "What is a stream?")
    fresh_page.wait_for_function("() => document.querySelector('.ssew-text').textContent.length > 60")
    fresh_page.reload()
    until_typed(fresh_page, golden(standalone))
    expect(fresh_page.locator(".ssew-dot")).to_have_attribute("data-state", "done")
    assert complaints == []


def test_stop_on_the_page_ends_the_run(standalone: str, fresh_page: Page) -> None:
    fresh_page.goto(standalone)
    ask(fresh_page, "Stop me")
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
    ask(fresh_page, "x" * 10_001)
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
    ask(fresh_page, "Speak")
    expect(fresh_page.locator(".ssew-answer")).to_have_attribute("aria-busy", "true", timeout=LIMIT_MS)
    expect(fresh_page.locator(".ssew-dot")).to_have_attribute("data-state", "done", timeout=LIMIT_MS)
    assert fresh_page.evaluate("window.spoken") == [golden(standalone)]
