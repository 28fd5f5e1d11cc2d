"""What the flight recorder costs a notebook's renderer: runs that are recorded and runs that are not, in turn.

Cost is the CPU time of the page's main thread from the question until everything is on show and the server has all
rows: 1,600 tokens of Markdown, code, math and Arabic at 200 a second, into one widget in JupyterLab. The kernel reads
along in both, as it always does.
"""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from rig.renderer import Renderer

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from rig.browser import Lab

CELLS = [
    "import sse_widget as sw\nw = sw.StreamWidget(model='synthetic:tokens=1600,rate=200,lang=markdown')\nw",
    "w.recorder = False",
    "w.recorder = True",
    "frame = w.frame()\nprint('painted', int(frame.paint_s.notna().sum()))",
]
ALONE, RECORDED, TABLE = 1, 2, 3
PAIRS = 10
LIMIT_MS = 60_000
ASK = """(() => {
  const box = document.querySelector('.ssew-input');
  box.value = '?';
  box.form.requestSubmit();
})()"""
OVER = """document.querySelector('.ssew-dot').dataset.state === 'done'
  && document.querySelector('.ssew-answer').ariaBusy === 'false'"""
SENT_MS = 1000
"""Within this the last rows have left; the cost of the page in it is part of either kind of run."""
MOST_SHARE = 0.05
T_95 = 2.262
"""Student's t of a two-sided 95 % interval, 9 degrees of freedom."""


def cost_s(page: Page, lab: Lab, renderer: Renderer, kind: int) -> float:
    """Return the main thread's time (s) of one run."""
    lab.run(page, kind)
    page.wait_for_timeout(SENT_MS)
    renderer.collect()
    renderer.settle()
    before = renderer.cost()
    renderer.evaluate(ASK)
    page.wait_for_timeout(SENT_MS)
    renderer.until(OVER, LIMIT_MS)
    page.wait_for_timeout(SENT_MS)
    renderer.settle()
    return (renderer.cost() - before).task_s


def painted(page: Page, lab: Lab) -> int:
    """Return how many deltas of the latest run the kernel knows to be painted."""
    lab.run(page, TABLE)
    output = page.locator(".jp-Notebook .jp-Cell").nth(TABLE).locator(".jp-OutputArea-output pre")
    output.wait_for()
    return int(output.inner_text().split()[-1])


def test_renderer_time(lab: Lab, fresh_page: Page) -> None:
    renderer = Renderer(fresh_page, cpu_time=True)
    lab.write("recorder.ipynb", CELLS)
    lab.open(fresh_page, "recorder.ipynb")
    lab.run(fresh_page, 0)
    fresh_page.wait_for_selector(".ssew-markdown", state="attached")
    cost_s(fresh_page, lab, renderer, ALONE)
    cost_s(fresh_page, lab, renderer, RECORDED)
    assert painted(fresh_page, lab) > 100
    shares = []
    for pair in range(PAIRS):
        first, second = (ALONE, RECORDED) if pair % 2 else (RECORDED, ALONE)
        costs = {kind: cost_s(fresh_page, lab, renderer, kind) for kind in (first, second)}
        shares.append(costs[RECORDED] / costs[ALONE] - 1)
        print(
            f"\npair {pair + 1}: {costs[ALONE]:.2f} s alone, {costs[RECORDED]:.2f} s recorded: "
            f"{100 * shares[-1]:+.1f} %"
        )
    mean = statistics.mean(shares)
    upper = mean + T_95 * statistics.stdev(shares) / math.sqrt(PAIRS)
    verdict = "holds" if upper <= MOST_SHARE else "DOES NOT HOLD"
    print(
        f"\nrecording costs {100 * mean:.2f} % of the renderer's time, at most {100 * upper:.2f} % (upper 95 % bound "
        f"of {PAIRS} pairs; threshold {100 * MOST_SHARE:.0f} %): {verdict}"
    )
