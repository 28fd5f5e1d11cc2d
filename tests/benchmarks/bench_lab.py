"""A long answer into a JupyterLab cell: our widget beside the ways that a notebook has without it.

3,000 tokens of Markdown, code, math and Arabic at 200 tokens a second. Cost is the time of the renderer's main thread
from before the cell runs until everything is on show, the loading of the widget included. Frames are watched in runs of
their own, since watching costs time in every frame.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from rig.renderer import LONG_TASK_MS, Renderer

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from rig.browser import Lab
    from rig.renderer import Cost

TOKENS = 3000
RATE = 200
SPAN_MS = 1000 * TOKENS // RATE
LIMIT_MS = 150_000
COST_RATIO = 1.0
LATE_SHARE = 0.01
KERNEL_BYTES = 300_000

SETUP = f"""
import time
from IPython.display import Markdown, display
import ipywidgets
import sse_widget as sw
from sse_server.sources.synthetic import SyntheticParams, words

def paced(tokens):
    due = time.perf_counter()
    for word in words(SyntheticParams(tokens=tokens, lang="markdown")):
        time.sleep(max(0, due - time.perf_counter()))
        yield word
        due += 1 / {RATE}
"""
WIDGET = "answer = sw.show(paced({{tokens}}){traits}).wait()"


class Way(NamedTuple):
    """A cell that shows the text, how many tokens it is given, and where the text then stands."""

    cell: str
    tokens: int = TOKENS
    shown: str = ".jp-OutputArea-output"


WAYS = {
    "print": Way("for token in paced({tokens}): print(token, end='', flush=True)"),
    "widget": Way(WIDGET.format(traits=""), shown=".ssew-text"),
    "widget, timeline unfolded": Way(WIDGET.format(traits=", timeline=True"), shown=".ssew-text"),
    # These two draw everything again for each token: four times the tokens take sixteen times as long.
    "update_display": Way(
        "text, handle = '', display(Markdown(''), display_id=True)\n"
        "for token in paced({tokens}):\n    text += token\n    handle.update(Markdown(text))",
        tokens=TOKENS // 4,
    ),
    "Output.append_stdout": Way(
        "out = ipywidgets.Output()\ndisplay(out)\nfor token in paced({tokens}): out.append_stdout(token)",
        tokens=TOKENS // 4,
    ),
}


class Measured(NamedTuple):
    """What one way took."""

    cost: Cost
    span_s: float
    kernel_bytes: int
    tokens: int


def verdict(*, holds: bool) -> str:
    return "holds" if holds else "DOES NOT HOLD"


def prepared(page: Page, lab: Lab, name: str, way: Way) -> Renderer:
    """Open a notebook whose first cell has run; the second one is to be measured."""
    renderer = Renderer(page)
    file = f"{re.sub(r'[^a-z]+', '-', name)}.ipynb"
    lab.write(file, [SETUP, way.cell.format(tokens=way.tokens)])
    lab.open(page, file)
    lab.run(page, 0)
    until_run(renderer, 0)
    renderer.settle()
    return renderer


def until_run(renderer: Renderer, cell: int) -> None:
    """Wait for the end of a cell."""
    prompt = f"document.querySelectorAll('.jp-Notebook .jp-InputPrompt')[{cell}].textContent"
    renderer.until(f"/\\[\\d+\\]/.test({prompt})", LIMIT_MS)


def until_shown(renderer: Renderer, way: Way) -> None:
    """Wait until the cell has ended and all text is on show."""
    until_run(renderer, 1)
    if way.shown == ".ssew-text":
        renderer.until("document.querySelector('.ssew-answer').ariaBusy === 'false'", LIMIT_MS)


@pytest.fixture(scope="module")
def measured() -> dict[str, Measured]:
    """Return what was measured so far."""
    return {}


@pytest.mark.parametrize("name", WAYS)
def test_main_thread_time(name: str, fresh_page: Page, lab: Lab, measured: dict[str, Measured]) -> None:
    way = WAYS[name]
    renderer = prepared(fresh_page, lab, name, way)
    began_ms, before, bytes_before = renderer.settle(), renderer.cost(), renderer.kernel_bytes
    lab.run(fresh_page, 1)
    until_shown(renderer, way)
    span_s = (renderer.settle() - began_ms) / 1000
    found = Measured(renderer.cost() - before, span_s, renderer.kernel_bytes - bytes_before, way.tokens)
    measured[name] = found
    characters = renderer.evaluate(f"[...document.querySelectorAll('{way.shown}')].at(-1).textContent.length")
    print(
        f"\n{name}, {found.tokens} tokens at {RATE}/s: main thread {found.cost}; shown after {span_s:.1f} s; "
        f"kernel socket {found.kernel_bytes / 1e6:.2f} MB; {characters} characters stand"
    )
    assert characters > way.tokens * 2
    if "print" in measured:
        ratio = found.cost.task_s / found.tokens / (measured["print"].cost.task_s / TOKENS)
        bound = f" (threshold {COST_RATIO}): {verdict(holds=ratio <= COST_RATIO)}" if name.startswith("widget") else ""
        print(f"{name} / print, for each token: {ratio:.2f}{bound}")
    if name.startswith("widget"):
        holds = verdict(holds=found.kernel_bytes < KERNEL_BYTES)
        print(f"kernel socket {found.kernel_bytes:,} B (threshold {KERNEL_BYTES:,}): {holds}")


def test_an_idle_page_beside_it(fresh_page: Page, lab: Lab) -> None:
    """Without and with the frames being watched."""
    renderer = prepared(fresh_page, lab, "idle", Way(""))
    for watched in (False, True):
        if watched:
            renderer.watch_frames()
        began_ms, before = renderer.settle(), renderer.cost()
        fresh_page.wait_for_timeout(SPAN_MS / 2)
        cost = renderer.cost() - before
        print(f"\nidle page, {SPAN_MS / 2000:.1f} s{', frames watched' if watched else ''}: main thread {cost}")
    print(f"idle page: {renderer.smoothness(began_ms, renderer.settle())}")


@pytest.mark.parametrize("name", [name for name in WAYS if name.startswith("widget")])
def test_frames_and_long_tasks(name: str, fresh_page: Page, lab: Lab) -> None:
    """From the first text on show to the last."""
    way = WAYS[name]
    renderer = prepared(fresh_page, lab, f"{name}, frames", way)
    renderer.watch_frames()
    ran_ms = renderer.settle()
    lab.run(fresh_page, 1)
    until_shown(renderer, way)
    renderer.settle()
    began_ms, ended_ms = renderer.answer_span()
    found = renderer.smoothness(began_ms, ended_ms)
    print(f"\n{name}, while it streams: {found}")
    print(f"{name}, its loading included: {renderer.smoothness(ran_ms, ended_ms)}")
    late = verdict(holds=found.late_share <= LATE_SHARE)
    print(f"late frames {100 * found.late_share:.2f} % (threshold {100 * LATE_SHARE:.0f} %): {late}")
    longest = max(found.long_tasks_ms, default=0)
    print(f"longest task {longest:.0f} ms (threshold {LONG_TASK_MS:.0f}): {verdict(holds=longest <= LONG_TASK_MS)}")
