"""What the flight recorder costs the renderer: runs that are recorded and runs that are not, in turn.

Cost is the time of the main thread from the question until everything is on show and the server has all rows: 800
tokens of Markdown, code, math and Arabic at 100 a second. Each run has a page of its own.
"""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from rig.flown import rows_of
from rig.renderer import Renderer

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser

    from rig.process import ServerProcess

MODEL = "synthetic:tokens=800,rate=100,lang=markdown"
PAIRS = 10
LIMIT_MS = 60_000
ASK = """(() => {
  const box = document.querySelector('.ssew-input');
  box.value = '?';
  box.form.requestSubmit();
})()"""
OVER = """document.querySelector('.ssew-dot').dataset.state === 'done'
  && document.querySelector('.ssew-answer').ariaBusy === 'false'"""
MOST_SHARE = 0.05
T_95 = 2.262
"""Student's t of a two-sided 95 % interval, 9 degrees of freedom."""


def cost_s(browser: Browser, url: str, *, recorded: bool) -> float:
    """Return the main thread's time (s) of one run."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    renderer = Renderer(page)
    page.goto(f"{url}/?record=1" if recorded else url)
    page.wait_for_selector(".ssew-markdown", state="attached")
    renderer.settle()
    before = renderer.cost()
    renderer.evaluate(ASK)
    renderer.until(OVER, LIMIT_MS)
    stream_id = renderer.evaluate("location.hash.slice(1)")
    if recorded:
        _, rows = rows_of(url, stream_id)
        assert len(rows) > 100
    renderer.settle()
    spent = renderer.cost() - before
    context.close()
    return spent.task_s


def test_renderer_time(server_process: Callable[..., ServerProcess], chromium: Browser) -> None:
    url = server_process(f"--model={MODEL}").url
    cost_s(chromium, url, recorded=True)
    shares = []
    for pair in range(PAIRS):
        first = pair % 2 == 0
        costs = {recorded: cost_s(chromium, url, recorded=recorded) for recorded in (first, not first)}
        shares.append(costs[True] / costs[False] - 1)
        print(f"\npair {pair + 1}: {costs[False]:.2f} s alone, {costs[True]:.2f} s recorded: {100 * shares[-1]:+.1f} %")
    mean = statistics.mean(shares)
    upper = mean + T_95 * statistics.stdev(shares) / math.sqrt(PAIRS)
    verdict = "holds" if upper <= MOST_SHARE else "DOES NOT HOLD"
    print(
        f"\nrecording costs {100 * mean:.2f} % of the renderer's time, at most {100 * upper:.2f} % (upper 95 % bound "
        f"of {PAIRS} pairs; threshold {100 * MOST_SHARE:.0f} %): {verdict}"
    )
