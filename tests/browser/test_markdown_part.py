"""The part that shows Markdown comes late, or never: the text stands as it came, and nothing of it is lost."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from rig.process import Program
from rig.view import LIMIT_MS, ask_in_box, golden_at, until_state, until_typed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page, Route

MODEL = "synthetic:lang=markdown,tokens=500,rate=250,seed=3"
WATCH = """
() => {
  window.spoken = [];
  const region = document.querySelector('[aria-live=polite]');
  new MutationObserver(() => { if (region.textContent) spoken.push(region.textContent); })
    .observe(region, {childList: true, characterData: true, subtree: true});
  // What readers see of the answer, frame by frame: how many letters, and how.
  window.seen = [];
  const look = () => {
    const text = document.querySelector('.ssew-text');
    const letters = text.textContent.match(/[\\p{L}\\p{N}]/gu)?.length ?? 0;
    seen.push([letters, text.classList.contains('ssew-markdown')]);
    requestAnimationFrame(look);
  };
  look();
}
"""
ITEMS = """
() => {
  const {top} = document.querySelector('.ssew-answer').getBoundingClientRect();
  const lines = [...document.querySelectorAll('.ssew-block, .ssew-text li')];
  const words = (line) => line.textContent.match(/\\p{L}+/gu)?.join(' ') ?? '';
  return lines.filter((line) => line.localName === 'li' || /^(-|\\d\\.) /.test(line.textContent))
    .map((line) => [words(line), line.getBoundingClientRect().top - top]);
}
"""


class Late:
    """Holds back what a page asks for until it is let go."""

    def __init__(self, page: Page, pattern: str) -> None:
        self._held: list[Route] = []
        self._page = page
        self._pattern = pattern
        page.route(pattern, self._hold)

    def _hold(self, route: Route) -> None:
        self._held.append(route)

    def let_go(self) -> None:
        """Answer all, and from now on at once."""
        for route in self._held:
            route.continue_()
        self._page.unroute(self._pattern)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a server whose answers are Markdown."""
    folder: Path = tmp_path_factory.mktemp("markdown")
    program = Program(
        [sys.executable, "-m", "sse_server", "--port=0", "--rate-limit=off", f"--model={MODEL}"], folder / "server.log"
    )
    yield program.wait_for(r"listens on (\S+)")[1]
    program.end()


def test_it_comes_while_the_answer_is_written(server: str, fresh_page: Page) -> None:
    late = Late(fresh_page, "**/part-markdown.js")
    # The page counts as loaded when all is there that it named.
    fresh_page.goto(server, wait_until="domcontentloaded")
    fresh_page.evaluate(WATCH)
    ask_in_box(fresh_page, "late")
    fresh_page.wait_for_function("() => document.querySelector('.ssew-text').textContent.length > 300")
    shown = fresh_page.locator(".ssew-text")
    golden = golden_at(server, MODEL)
    assert "".join(golden.split()).startswith("".join((shown.text_content() or "").split()))
    assert fresh_page.locator(".ssew-block").count() > 1
    late.let_go()
    expect(fresh_page.locator(".ssew-text.ssew-markdown h1, .ssew-text.ssew-markdown h2").first).to_be_visible()
    until_state(fresh_page, "done")
    fresh_page.wait_for_function("() => spoken.length")
    seen = fresh_page.evaluate("seen")
    kinds = [markdown for _, markdown in seen]
    assert kinds == sorted(kinds)
    # In one step, and never from the beginning again; what is not decided yet of the last line is held back.
    drops = [(before, after) for (before, _), (after, _) in pairwise(seen) if after < 0.7 * before]
    assert drops == []
    assert len(fresh_page.evaluate("spoken")) == 1
    late_text = shown.inner_text()
    fresh_page.reload()
    until_state(fresh_page, "done")
    expect(shown).to_have_text(late_text, use_inner_text=True, timeout=LIMIT_MS)


def test_the_reader_stays_where_they_are(server: str, fresh_page: Page) -> None:
    late = Late(fresh_page, "**/part-markdown.js")
    # The page counts as loaded when all is there that it named.
    fresh_page.goto(server, wait_until="domcontentloaded")
    fresh_page.evaluate(WATCH)
    ask_in_box(fresh_page, "place")
    until_state(fresh_page, "done")
    fresh_page.wait_for_function("() => spoken.length")
    # As in a notebook's cell: on its own page an answer has all the room that it wants.
    fresh_page.evaluate("document.querySelector('.ssew-answer').style.maxBlockSize = '20rem'")
    lines = fresh_page.evaluate(ITEMS)
    words, top = lines[len(lines) // 2]
    fresh_page.evaluate("top => { document.querySelector('.ssew-answer').scrollTop += top; }", top)
    fresh_page.evaluate("() => new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)))")
    late.let_go()
    expect(fresh_page.locator(".ssew-text.ssew-markdown")).to_be_visible()
    now = [top for text, top in fresh_page.evaluate(ITEMS) if text == words]
    height = fresh_page.evaluate("document.querySelector('.ssew-answer').clientHeight")
    assert [round(top) for top in now if not -height / 2 < top < height / 2] == []
    assert len(now) == 1
    assert len(fresh_page.evaluate("spoken")) == 1


def test_it_never_comes(server: str, fresh_page: Page) -> None:
    complaints: list[str] = []
    fresh_page.on("pageerror", lambda error: complaints.append(str(error)))
    fresh_page.route("**/part-markdown.js", lambda route: route.abort())
    fresh_page.goto(server)
    ask_in_box(fresh_page, "never")
    until_state(fresh_page, "done")
    until_typed(fresh_page, golden_at(server, MODEL))
    assert fresh_page.locator(".ssew-markdown").count() == 0
    assert complaints == []
