"""Answers that attack their reader: streamed in random parts, none runs, none asks for anything, none makes HTML.

`vectors/injection.json` has the payloads; `{host}` in them is a listener on this machine, and so is, for this browser,
every other host that they name. What an answer may become is a closed list of elements and attributes.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rig.answer import Listener, serving
from rig.browser import CHROMIUM_FLAGS, _which

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page, Playwright

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "injection.json").read_text("utf-8"))
LEAST_PAYLOADS = 150
RUNS = 3
TRAPS = """
window.caught = [];
window.__pwned = (what) => caught.push(String(what));
for (const name of ['alert', 'confirm', 'prompt', 'open', 'print']) window[name] = () => __pwned(name);
addEventListener('securitypolicyviolation', (event) => __pwned(`policy ${event.violatedDirective}`));
"""
STREAM = r"""
async ([text, seed, allowed]) => {
  let state = seed;
  const random = () => (state = (state * 1664525 + 1013904223) >>> 0) / 2 ** 32;
  const faults = new Set();
  const look = () => {
    const found = document.createTreeWalker(shown(), NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_COMMENT);
    while (found.nextNode()) {
      const element = found.currentNode;
      if (!(element instanceof Element)) { faults.add('comment'); continue; }
      const attributes = allowed[element.localName];
      if (!attributes) { faults.add(`<${element.localName}>`); continue; }
      for (const { name, value } of element.attributes) {
        if (attributes[name] === undefined || !new RegExp(`^(?:${attributes[name]})$`, 'is').test(value)) {
          faults.add(`${element.localName} ${name}=${value}`);
        }
      }
    }
  };
  const view = newView();
  for (let at = 0; at < text.length; ) {
    const size = 1 + Math.floor(random() * random() * 12);
    view.append(text.slice(at, at + size));
    at += size;
    look();
  }
  await settled();
  look();
  view.finish();
  await settled();
  look();
  for (const element of shown().querySelectorAll('*')) {
    for (const name of ['mouseover', 'mouseenter', 'pointerenter', 'focus', 'load', 'error', 'toggle']) {
      element.dispatchEvent(new Event(name));
    }
  }
  look();
  return [...faults];
}
"""
DIRECTION = {"dir": "auto|ltr|rtl"}
CLASS = {"class": "ssew-[a-z]+( ssew-[a-z]+)*|"}
LINK = {
    "href": r"(https?://[^@\s]+|mailto:\S+)",
    "target": "_blank",
    "rel": "noopener noreferrer nofollow",
    "title": r"(https?://[^@\s]+|mailto:\S+)",
}
ROLE = {"role": "region|list|listitem|none|table|rowgroup|row|cell|columnheader"}
NUMBER = {"depth", "height", "lspace", "rspace", "voffset", "width", "scriptlevel", "linethickness", "mathsize"}
WORD = {
    "accent", "accentunder", "columnalign", "columnspacing", "display", "displaystyle", "fence", "largeop",
    "mathvariant", "maxsize", "minsize", "movablelimits", "notation", "rowspacing", "separator", "stretchy",
    "symmetric",
}  # fmt: skip
MATHML = dict.fromkeys(NUMBER | WORD, r"[-+\d.a-z% ]*") | dict.fromkeys(
    ["mathcolor", "mathbackground"], r"#[\da-f]{3,8}|[a-z]+"
)
MATH = (
    "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot mstyle merror mpadded mphantom msub msup msubsup munder mover"
)
MORE_MATH = "munderover mtable mtr mtd menclose"
ALLOWED: dict[str, dict[str, str]] = {
    **dict.fromkeys(("p", "label", "h1", "h2", "h3", "h4", "h5", "h6", "code", "blockquote", "ul", "li"), DIRECTION),
    **dict.fromkeys(("div", "span", "ul", "figure", "blockquote", "table"), DIRECTION | CLASS | ROLE),
    **{name: {} for name in ("hr", "strong", "em", "del", "br", "thead", "tbody", "tr", "figcaption")},
    **{name: DIRECTION | {"style": r"text-align: (left|right|center);|"} for name in ("td", "th")},
    **dict.fromkeys(f"{MATH} {MORE_MATH}".split(), MATHML),
    "a": LINK,
    "ol": DIRECTION | CLASS | ROLE | {"start": r"\d+"},
    "pre": ROLE | {"tabindex": "0", "aria-label": ".*"},
    "input": {"type": "checkbox", "disabled": "", "checked": ""},
    "button": CLASS | {"type": "button", "aria-label": ".*", "title": r"https?://[^@\s]+"},
}
ALLOWED["th"] = ALLOWED["th"] | {"scope": "col"}
ALLOWED["span"] = ALLOWED["span"] | {"style": r"contain-intrinsic-inline-size: \d+ch;"}
ALLOWED["div"] = ALLOWED["div"] | {"tabindex": "0", "aria-label": ".*"}


class Watch:
    """A page with traps, and all that leaves it."""

    def __init__(self, page: Page, origin: str, listener: Listener) -> None:
        self.page = page
        self.listener = listener
        self.seen: list[str] = []
        page.add_init_script(TRAPS)
        page.on("request", lambda request: self._note(request.url))
        page.on("dialog", lambda dialog: (self.seen.append(f"dialog {dialog.type}"), dialog.dismiss()))
        page.on("pageerror", lambda error: self.seen.append(f"error {error}"))
        page.on("console", lambda message: self.seen.append(f"console {message.text}"))
        page.context.on("page", lambda other: self.seen.append(f"page {other.url}"))
        self._origin = origin
        page.goto(f"{origin}/markdown.html")
        page.wait_for_function("window.ready")

    def _note(self, url: str) -> None:
        if not url.startswith((f"{self._origin}/", "data:,")):
            self.seen.append(f"request {url}")

    def stream(self, text: str, seed: int) -> list[str]:
        """Show a text in random parts; return what it became that it may not."""
        text = text.replace("{host}", self.listener.host)
        faults: list[str] = self.page.evaluate(STREAM, [text, seed, ALLOWED])
        return faults

    def caught(self) -> list[str]:
        """Return all that went off or out until now. What the page asks for itself last comes after all before it."""
        self.page.evaluate("host => fetch(`http://${host}/last`).then(() => true)", self.listener.host)
        trapped: list[str] = self.page.evaluate("caught")
        out = [path for path, _ in self.listener.requests if path != "/last"]
        sent = [note for note in self.seen if not note.endswith("/last")]
        return [*trapped, *out, *sent]


def flags(listener: Listener) -> list[str]:
    """Return what makes the listener every host that the payloads name; those of the browser itself are not."""
    return [*CHROMIUM_FLAGS, f"--host-resolver-rules=MAP *.example {listener.host}, MAP *.org {listener.host}"]


@pytest.fixture(scope="module")
def watch(playwright: Playwright, pages: str) -> Iterator[Watch]:
    """Yield a browser for which every host is the listener."""
    listener = Listener()
    with serving(listener):
        browser = playwright.chromium.launch(executable_path=_which("chromium"), args=flags(listener))
        yield Watch(browser.new_page(), pages, listener)
        browser.close()


def test_there_are_enough_payloads_and_no_two_are_the_same() -> None:
    assert len({vector["text"] for vector in VECTORS}) == len(VECTORS) >= LEAST_PAYLOADS


@pytest.mark.parametrize("kind", sorted({vector["kind"] for vector in VECTORS}))
def test_none_runs_and_none_asks_for_anything(watch: Watch, kind: str) -> None:
    texts = [vector["text"] for vector in VECTORS if vector["kind"] == kind]
    wrong: dict[str, Any] = {}
    for place, text in enumerate(texts):
        around = f"Before.\n\n{text}\n\n- after\n\n{text}"
        for seed in range(RUNS):
            faults = watch.stream(text if seed else around, 1000 * place + seed)
            if faults:
                wrong[text] = faults
    assert not wrong
    assert not watch.caught()
    assert watch.page.url.endswith("/markdown.html")


def test_all_of_them_in_one_answer(watch: Watch) -> None:
    text = "\n\n".join(vector["text"] for vector in VECTORS)
    assert not watch.stream(text, 7)
    assert not watch.caught()


def test_nothing_connects_ahead(watch: Watch) -> None:
    before = watch.listener.connections
    watch.stream(
        "[a](http://ahead.example/) ![b](http://image.example/b.png) http://bare.example/ <http://auto.example/>", 1
    )
    assert not watch.caught()
    # `caught` itself asks once, on a connection that it may have already.
    assert watch.listener.connections - before <= 1


def test_the_traps_catch(pages: str, playwright: Playwright) -> None:
    """The same payloads, put into a page as HTML, set every kind of trap off: what is not caught above is not there."""
    listener = Listener()
    with serving(listener):
        browser = playwright.chromium.launch(executable_path=_which("chromium"), args=flags(listener))
        watch = Watch(browser.new_page(), pages, listener)
        for text in (
            "<img src=x onerror=window.__pwned('img')>",
            "<img src=http://{host}/i.png>",
            "<img src=http://far.example/i>",
        ):
            watch.page.evaluate("html => { shown().innerHTML = html; }", text.replace("{host}", listener.host))
            watch.page.wait_for_function("[...document.images].every((image) => image.complete)")
        watch.page.evaluate("() => settled()")
        caught = Counter(note.split(" ")[0] for note in watch.caught())
        browser.close()
    assert caught["img"] == 1
    assert caught["/i.png"] == 1
    assert caught["/i"] == 1
    assert caught["request"] == 2
