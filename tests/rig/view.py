"""What tests do with a widget in a page, and what a reader sees there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from rig.browser import Lab

LIMIT_MS = 60_000
# marimo shows each widget in a shadow tree.
_FOUND = """(function find(root) {
  const found = root.querySelector('.ssew-text');
  return found ?? [...root.querySelectorAll('*')].map((el) => el.shadowRoot && find(el.shadowRoot)).find(Boolean);
})(document)"""
_COPIES = """
([want, count]) => {
  const seen = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let text = '';
  while (seen.nextNode()) {
    const parent = seen.currentNode.parentElement;
    // What is there for screen readers only is no second copy for the eye.
    const hidden = parent.closest('.ssew-unseen, .cm-editor, style, script');
    if (!hidden && parent.checkVisibility({visibilityProperty: true})) text += seen.currentNode.data;
  }
  return text.split(want).length - 1 === count;
}
"""


def golden(lab: Lab, model: str) -> str:
    """Return the whole text of a synthetic model, read without cuts, as a script would."""
    return golden_at(f"{lab.url}/sse-widget", model, {"Authorization": f"token {lab.token}"})


def golden_at(base: str, model: str, headers: dict[str, str] | None = None) -> str:
    """Return the same from the server at this base URL."""
    query = {"q": "golden", "model": f"{model},rate=0", "chunk_tokens": 50}
    body = httpx.get(f"{base}/api/v1/stream/chat", params=query, headers=headers, timeout=30).text
    rows = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith('data: {"text"')]
    return "".join(json.loads(row)["text"] for row in rows)


def until_seen(page: Page, text: str, copies: int = 1) -> None:
    """Wait until the first and the last line of a text stand in the page so many times, for the eye."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    for line in {lines[0], lines[-1]}:
        page.wait_for_function(_COPIES, arg=[line, copies], timeout=LIMIT_MS)


def until_state(page: Page, state: str) -> None:
    """Wait until the first view says a state."""
    expect(page.locator(".ssew-dot").first).to_have_attribute("data-state", state, timeout=LIMIT_MS)


def until_shown(page: Page, characters: int) -> None:
    """Wait until the first view has typed so many characters."""
    page.wait_for_function(f"n => ({_FOUND})?.textContent.length >= n", arg=characters, timeout=LIMIT_MS)


def until_typed(page: Page, text: str) -> None:
    """Wait until exactly this text is shown, whatever its lines are made of; what is shown wrongly never becomes it."""
    page.wait_for_function(
        f"want => ({_FOUND}).textContent.replace(/\\s/g, '') === want", arg="".join(text.split()), timeout=10_000
    )


def ask_in_box(page: Page, question: str) -> None:
    """Type a question and send it."""
    box = page.locator(".ssew textarea").first
    box.fill(question)
    box.press("Enter")


class Traffic:
    """What came over the websockets of a page since this was made, in bytes."""

    def __init__(self, page: Page) -> None:
        self.received = 0
        page.on("websocket", lambda socket: socket.on("framereceived", self._count))

    def _count(self, frame: str | bytes) -> None:
        self.received += len(frame if isinstance(frame, bytes) else frame.encode())
