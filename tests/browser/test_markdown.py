"""Answers as Markdown in a real Chromium: what they become, and what stays as it is while they are written."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from rig.view import LIMIT_MS

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from rig.answer import Listener

SAMPLE = """# Streaming *live*

Some **bold text**, _emphasis_, ~~struck~~ and `inline code`; a [link](https://example.org/docs?q=1) and https://example.com/a_b.
It costs $5 and $6, and $E = mc^2$ holds; 2 * 3 is 6.

## العربية

هذا نص عربي فيه كلمة English و`code` ثم رابط [هنا](https://example.org).

- عنصر **أول**
- عنصر ثانٍ

1. First
2. Second
   - nested
   - [x] done
   - [ ] open

   ```python
   def f(x: int) -> str:
       return f"{x + 1}"  # comment
   ```

3. Third

> A quote with **bold**.
>
> > nested

| Name | Value | الاسم |
|:-----|------:|:-----:|
| alpha | 1.25 | ألف |
| beta | 20 | باء |

$$
\\int_0^1 x\\,dx
$$

```js
const total = 0; // a comment
```

![A chart](https://img.example.net/chart.png)

---

The end <b>of it</b> &amp; done.
"""
STREAM = """
async ([text, size, options]) => {
  const view = newView(options);
  window.view = view;
  for (let at = 0; at < text.length; at += size) view.append(text.slice(at, at + size));
  view.finish();
  await settled();
}
"""


def show(page: Page, text: str, size: int = 5, **options: Any) -> None:
    """Stream a text into a new view."""
    page.evaluate(STREAM, [text, size, options])


def test_what_it_becomes(answer: Page) -> None:
    show(answer, SAMPLE)
    text = answer.locator(".ssew-text")
    assert text.locator("h1 em").inner_text() == "live"
    assert text.locator("p strong").first.inner_text() == "bold text"
    assert text.locator("p del").inner_text() == "struck"
    links = text.locator("a").evaluate_all("links => links.map(({href, target, rel}) => [href, target, rel])")
    assert links == [
        [href, "_blank", "noopener noreferrer nofollow"]
        for href in ("https://example.org/docs?q=1", "https://example.com/a_b", "https://example.org/")
    ]
    assert text.locator("math").count() == 2
    assert "$5 and $6" in text.inner_text()
    boxes = text.locator("label > input").evaluate_all("all => all.map(({checked, disabled}) => [checked, disabled])")
    assert boxes == [[True, True], [False, True]]
    assert text.get_by_label("done").is_checked()
    assert text.locator("figure .ssew-keyword").first.inner_text() == "def"
    assert text.locator("figure").last.locator(".ssew-comment").inner_text() == "// a comment"
    assert text.locator("td").nth(4).inner_text() == "20"
    assert "The end <b>of it</b> & done." in text.inner_text()
    assert text.locator("ol").evaluate("list => list.className") == "ssew-loose"


def test_each_block_runs_as_its_own_text_does(answer: Page) -> None:
    show(answer, SAMPLE)
    directions = answer.evaluate(
        """() => Object.fromEntries([
            'h1', 'h2', 'h1 + p', 'h2 + p', 'ul', 'ol', 'td:nth-child(3)', 'table', 'pre', 'math', 'h2 + p code',
            'blockquote',
        ].map((name) => [name, getComputedStyle(shown().querySelector(name)).direction]))"""
    )
    right = {name for name, direction in directions.items() if direction == "rtl"}
    assert right == {"h2", "h2 + p", "ul", "td:nth-child(3)"}
    show(answer, "| الاسم | القيمة |\n|---|---|\n| a | ب |\n")
    boxes = answer.evaluate("[...shown().querySelectorAll('th')].map((cell) => cell.getBoundingClientRect().left)")
    assert boxes[0] > boxes[1]


BLOCKS = """
async (text) => {
  const view = newView();
  const kinds = [];
  const shrunk = [];
  let before = '';
  for (const character of text) {
    view.append(character);
    const blocks = [...shown().children];
    blocks.forEach((block, i) => {
      kinds[i] ??= [];
      if (kinds[i].at(-1) !== block.localName) kinds[i].push(block.localName);
    });
    const now = [...shown().querySelectorAll('p, h1, h2, li, td, th, code, label')]
      .map((block) => block.textContent).join('\\n');
    if (now.length < before.length) shrunk.push([before.slice(-40), now.slice(-40)]);
    before = now;
    if (character === '\\n') await settled();
  }
  view.finish();
  return {kinds, shrunk};
}
"""


def test_what_was_shown_keeps_its_kind(answer: Page) -> None:
    """At every character: no block of the sample becomes another, and no text that was shown goes away again."""
    seen = answer.evaluate(BLOCKS, SAMPLE)
    assert [len(kinds) for kinds in seen["kinds"]] == [1] * len(seen["kinds"])
    # Formulas alone: their source gives way to what it says.
    assert all("E = mc" in before or "int_0" in before for before, _ in seen["shrunk"]), seen["shrunk"]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("A title\n=======\n\ntext", [["p", "h1"], ["p"]]),
        ("a | b\n--|--\n1 | 2\n", [["p", "div"]]),
        ("text\n- item\n- item", [["p"], ["ul"]]),
        ("***bold italic*** text", [["p"]]),
        ("-5 degrees", [["p"]]),
        ("**unclosed emphasis\n\nnext", [["p"], ["p"]]),
        ("[unclosed link](http://exa\n\nnext", [["p"], ["p"]]),
        ("```\ncode", [["figure"]]),
        ("| no table\n\nnext", [["div", "p"], ["p"]]),
    ],
)
def test_a_kind_changes_at_most_once(answer: Page, text: str, kinds: list[list[str]]) -> None:
    assert answer.evaluate(BLOCKS, text)["kinds"] == kinds


def test_a_selection_in_final_text_stays(answer: Page) -> None:
    selected = answer.evaluate(
        """async (words) => {
            const view = newView();
            view.append('A first paragraph to read.\\n\\nSecond one: ' + words.slice(0, 600));
            const select = (node, from, to) => getSelection().setBaseAndExtent(node, from, node, to);
            const seen = [];
            select(shown().querySelector('p').firstChild, 2, 7);
            for (let at = 600; at < 1200; at += 7) view.append(words.slice(at, at + 7));
            seen.push(String(getSelection()));
            select(shown().querySelectorAll('p')[1].firstChild, 0, 6);
            for (let at = 1200; at < words.length; at += 7) view.append(words.slice(at, at + 7));
            view.append('\\n\\n- and\\n- more\\n');
            view.finish();
            seen.push(String(getSelection()));
            return seen;
        }""",
        "word and **word** again, " * 80,
    )
    assert selected == ["first", "Second"]


def test_what_is_final_is_not_touched(answer: Page) -> None:
    touched = answer.evaluate(
        """async ([standing, more]) => {
            const view = newView();
            view.append(standing);
            await settled();
            const final = [...shown().children].slice(0, -1);
            const records = [];
            const observer = new MutationObserver((list) => records.push(...list));
            observer.observe(shown(), {subtree: true, childList: true, characterData: true, attributes: true});
            for (const character of more) view.append(character);
            view.finish();
            records.push(...observer.takeRecords());
            return [final.length, records.filter(({target}) => final.some((block) => block.contains(target))).length];
        }""",
        [
            "# Title\n\n- one\n- two\n\n```js\nlet a = 1;\nlet b = 2;\n```\n\n| a |\n|---|\n| 1 |\n\nend\n\n",
            "More text.\n\n1. and\n2. a list\n\n```py\nx = 1\n```\n",
        ],
    )
    assert touched == [4, 0]


NORMAL = """
() => {
  const copy = shown().cloneNode(true);
  for (const box of copy.querySelectorAll('.ssew-box')) box.replaceWith(...box.childNodes);
  for (const list of copy.querySelectorAll('[role]')) list.removeAttribute('role');
  for (const lines of copy.querySelectorAll('pre code')) lines.textContent = lines.textContent.trimEnd();
  for (const item of copy.querySelectorAll('[value]')) item.removeAttribute('value');
  // Which of two attributes came first says nothing.
  for (const {classList, className, attributes} of copy.querySelectorAll('ul[class][dir], ol[class][dir]')) {
    attributes.removeNamedItem('class');
    classList.value = className;
  }
  copy.normalize();
  return copy.innerHTML;
}
"""
PARTS = [
    "# Title\n\n",
    "A paragraph with **bold**, `code` and [a link](https://example.org).\n",
    "\n",
    "- item\n",
    "- [ ] task\n",
    "  - nested\n",
    "    deeper\n",
    "1. one\n",
    "> quote\n",
    "> - in it\n",
    "```js\nlet a = 1;\n\n",
    "```\n",
    "| a | b |\n|---|:-:|\n",
    "| 1 | **2** |\n",
    "Title\n---\n",
    "نص عربي طويل فيه كلمات كثيرة. ",
    "$x^2$ and \\(y\\)\n",
    "$$\nz\n$$\n",
    "    indented\n",
    "[ref] and [ref][]\n",
    "\n[ref]: https://example.org/ref\n",
    "![i](https://example.org/i.png)\n",
    "**open ",
    "`open ",
    "a | b\n",
]


@pytest.mark.parametrize("seed", range(12))
def test_parts_end_as_the_whole(answer: Page, seed: int) -> None:
    chance = random.Random(seed)
    text = "".join(chance.choices(PARTS, k=60))
    show(answer, text, len(text))
    whole = answer.evaluate(NORMAL)
    show(answer, text, chance.randint(1, 9))
    assert answer.evaluate(NORMAL) == whole


def test_a_code_block_is_copied(answer: Page) -> None:
    code = "def f():\n    return 1\n"
    show(answer, f"```python\n{code}```\n\nafter\n")
    button = answer.locator(".ssew-code .ssew-copy")
    button.click()
    expect(button).to_have_text("Copied")
    assert answer.evaluate("navigator.clipboard.readText()") == code
    expect(button).to_have_text("Copy", timeout=LIMIT_MS)


def test_code_is_selected_as_it_is_written(answer: Page) -> None:
    code = "\n".join(f"line {number}" for number in range(100))
    show(answer, f"```\n{code}\n```\n")
    assert (
        answer.evaluate("getSelection().selectAllChildren(shown().querySelector('pre')), String(getSelection())")
        == code
    )


def test_an_image_is_asked_for_when_the_reader_wants_it(answer: Page, listener: Listener) -> None:
    show(answer, f"![A chart](http://{listener.host}/chart.png)", lang="en")
    button = answer.get_by_role("button", name=f"Load image from {listener.host}: A chart")
    button.focus()
    assert not listener.requests
    answer.keyboard.press("Enter")
    image = answer.locator(".ssew-picture img")
    answer.wait_for_function("shown().querySelector('img')?.complete && shown().querySelector('img').naturalWidth > 0")
    ((path, headers),) = listener.requests
    assert path == "/chart.png"
    assert "Referer" not in headers
    assert image.get_attribute("alt") == "A chart"
    show(answer, "![رسم](https://img.example.net/x.png)", lang="ar")
    assert answer.get_by_role("button").inner_text() == "حمّل الصورة من img.example.net: رسم"


def test_wide_tables_scroll_by_themselves(answer: Page) -> None:
    columns = 40
    show(answer, f"|{' wide column |' * columns}\n|{'---|' * columns}\n|{' value |' * columns}\n")
    region = answer.get_by_role("region", name="Table")
    region.focus()
    answer.keyboard.press("ArrowRight")
    answer.wait_for_function("shown().querySelector('.ssew-scroll').scrollLeft > 0")
    assert answer.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_long_tables_and_lists_say_what_they_are(answer: Page) -> None:
    rows = 350
    show(answer, "| a | b |\n|---|---|\n" + "".join(f"| {row} | text |\n" for row in range(rows)), 400)
    assert answer.get_by_role("row").count() == rows + 1
    assert answer.get_by_role("columnheader").count() == 2
    lefts = answer.evaluate(
        "new Set([...shown().querySelectorAll('tr')].map((row) => row.children[1].offsetLeft)).size"
    )
    assert lefts == 1
    show(answer, "".join(f"{item}. item\n" for item in range(3, rows + 3)), 400)
    assert answer.get_by_role("listitem").count() == rows
    # Numbers begin anew in each box, and the box says with which.
    starts = answer.evaluate("[...shown().querySelectorAll('li[value]')].map((item) => [item.value, item.textContent])")
    assert [value for value, _ in starts] == [103, 203, 303]


def test_a_bracket_that_stays_open_holds_nothing_up(answer: Page) -> None:
    text = "[open " + "and many more words, **bold** ones too, that no bracket closes " * 150
    show(answer, text, 50)
    # What was cut by force is read whole again at the end.
    assert answer.locator("p").inner_text() == text.replace("**", "").strip()
    assert answer.locator("strong").count() == 150
