"""What a page received and what it showed, noted beside it: bytes as they are read, text as it changes, frames."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sse_widget.protocol.events import TEXT, text_of
from sse_widget.protocol.sse import Parser

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Each is noted by the page's own clock. The observer is told after the callbacks of the frame that changed the text,
# and before it is painted.
WATCH = """
(() => {
  const seen = window.seen = {asked: null, reads: [], shown: [], frames: []};
  const ask = window.fetch;
  window.fetch = (url, ...rest) => {
    if (String(url).includes('stream/chat')) seen.asked = performance.now();
    return ask(url, ...rest);
  };
  const read = ReadableStreamDefaultReader.prototype.read;
  ReadableStreamDefaultReader.prototype.read = async function (...args) {
    const result = await read.apply(this, args);
    if (result.value) seen.reads.push([performance.now(), btoa(String.fromCharCode(...result.value))]);
    return result;
  };
  const frame = (at) => { seen.frames.push(at); requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
  document.addEventListener('DOMContentLoaded', () => {
    const note = () => {
      const text = document.querySelector('.ssew-text')?.textContent ?? '';
      if (text.length !== (seen.shown.at(-1)?.[1] ?? 0)) seen.shown.push([performance.now(), text.length]);
    };
    new MutationObserver(note).observe(document.body, {subtree: true, childList: true, characterData: true});
  });
})();
"""


@dataclass(frozen=True)
class Seen:
    """Times in seconds of the page's clock: the question, each delta's receipt, the end, and the text.

    By each of `shown_s`, `chars` UTF-16 units were on show, line ends not counted; `frames_ms` are when frames began.
    """

    asked_s: float
    texts: tuple[str, ...]
    receive_s: tuple[float, ...]
    end_s: float
    shown_s: tuple[float, ...]
    chars: tuple[int, ...]
    frames_ms: tuple[float, ...]


def watch(page: Page) -> None:
    """Begin to note; before the page is opened."""
    page.add_init_script(WATCH)


def seen(page: Page) -> Seen:
    """Return what was noted of the one answer of this page."""
    noted: dict[str, Any] = page.evaluate("window.seen")
    parser = Parser()
    deltas: list[tuple[float, str]] = []
    end_ms = 0.0
    for at_ms, data in noted["reads"]:
        for event in parser.feed(base64.b64decode(data)):
            if event.event == TEXT:
                deltas.append((at_ms / 1000, text_of(event.data)))
            elif event.event == "done":
                end_ms = at_ms
    assert end_ms, "the answer has not ended"
    return Seen(
        asked_s=noted["asked"] / 1000,
        texts=tuple(text for _, text in deltas),
        receive_s=tuple(at_s for at_s, _ in deltas),
        end_s=end_ms / 1000,
        shown_s=tuple(at_ms / 1000 for at_ms, _ in noted["shown"]),
        chars=tuple(chars for _, chars in noted["shown"]),
        frames_ms=tuple(noted["frames"]),
    )
