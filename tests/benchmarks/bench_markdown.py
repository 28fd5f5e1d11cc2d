"""What the Markdown view costs: four times the text at most 4.5 times the renderer's time, and no long frame.

Each text is streamed with so many characters a frame, a quarter of it and the whole; the cost is CDP's TaskDuration of
the page's main thread, and the frame the longest time that one append takes, with the layout that it asks for.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import pytest

from rig.answer import answer, pages
from rig.browser import chromium, playwright

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

__all__ = ["answer", "chromium", "pages", "playwright"]

MOST_RATIO = 4.5
LONG_FRAME_MS = 50.0
FRAMES = 300
PAIRS = 7
SECTION = """## Heading

The quick **brown fox** jumps over the [lazy dog](https://example.org/dog) and runs `code` away, _again_ and again.

- item one with *words*
- item two
  - nested item

| a | b | c |
|---|:-:|--:|
| 1 | two | 3 |

```python
def f(x):
    return x + 1  # add
```

هذه فقرة عربية فيها **كلمات** كثيرة.

"""
CODE = "    value = compute(index, 'text', 12.5)  # comment on it\n"
SENTENCE = "Some words of a very long paragraph that never ends, with **bold** here and there. "
ARABIC = "هذه فقرة عربية طويلة لا تنتهي وفيها كلمات كثيرة متنوعة دون أي سطر جديد. "
RUN = """
async ([text, step]) => {
  const view = newView({leastGapMs: 8});
  const box = document.querySelector('.ssew-answer');
  let longest = 0;
  for (let at = 0; at < text.length; at += step) {
    await new Promise(requestAnimationFrame);
    const began = performance.now();
    view.append(text.slice(at, at + step));
    box.scrollTop = box.scrollHeight;
    longest = Math.max(longest, performance.now() - began);
  }
  view.finish();
  return longest;
}
"""


def repeated(text: str, length: int) -> str:
    return (text * (length // len(text) + 1))[:length]


TEXTS = {
    "prose, lists, tables, code": repeated(SECTION, 50_000),
    "one block of code": "```python\n" + repeated(CODE, 50_000),
    "one paragraph": repeated(SENTENCE, 50_000),
    "one paragraph in Arabic": repeated(ARABIC, 20_000),
    "one table": "| a | b | c |\n|---|---|---|\n"
    + "".join(f"| row {n} | {n * 7} | some text |\n" for n in range(2000)),
    "one list": "".join(f"- item number {n} with some **words**\n" for n in range(2000)),
}


def task_ms(session: CDPSession) -> float:
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(1000 * metric["value"] for metric in metrics if metric["name"] == "TaskDuration")


def cost(page: Page, session: CDPSession, text: str, step: int) -> tuple[float, float]:
    """Return ms of the main thread, and the longest append."""
    page.evaluate("() => { newView({leastGapMs: 8}); return new Promise(requestAnimationFrame); }")
    session.send("HeapProfiler.collectGarbage")  # what stood before is not this text's cost
    before = task_ms(session)
    longest: Any = page.evaluate(RUN, [text, step])
    return task_ms(session) - before, longest


@pytest.mark.parametrize("name", TEXTS)
def test_four_times_the_text(answer: Page, name: str) -> None:
    text = TEXTS[name]
    step = len(text) // FRAMES
    session = answer.context.new_cdp_session(answer)
    session.send("Performance.enable")
    cost(answer, session, text[: len(text) // 4], step)
    pairs = [
        (cost(answer, session, text[: len(text) // 4], step), cost(answer, session, text, step)) for _ in range(PAIRS)
    ]
    ratios = [whole[0] / quarter[0] for quarter, whole in pairs]
    ratio = statistics.median(ratios)
    quarter, whole = (statistics.median(pair[place][0] for pair in pairs) for place in (0, 1))
    longest = min(whole[1] for _, whole in pairs)
    session.detach()
    holds = ratio <= MOST_RATIO and longest < LONG_FRAME_MS
    print(
        f"\nmarkdown, {name}: {quarter:.0f} ms, four times the text {whole:.0f} ms; "
        f"ratio {ratio:.2f} of {min(ratios):.2f} to {max(ratios):.2f} (at most {MOST_RATIO}); "
        f"longest append {longest:.1f} ms (under {LONG_FRAME_MS:.0f}): {'holds' if holds else 'DOES NOT HOLD'}"
    )
