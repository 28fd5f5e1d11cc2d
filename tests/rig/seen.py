"""What a reader sees in a page, wherever it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

LIMIT_MS = 60_000
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


def until_seen(page: Page, text: str, copies: int = 1) -> None:
    """Wait until the first and the last line of a text stand in the page so many times, for the eye."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    for line in {lines[0], lines[-1]}:
        page.wait_for_function(_COPIES, arg=[line, copies], timeout=LIMIT_MS)
