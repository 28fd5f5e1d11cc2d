"""A real JupyterLab and Notebook 7: ask, reload, restart the kernel, stop while it is busy."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect

from rig.shots import keep
from rig.view import LIMIT_MS, ask_in_box, golden, until_shown, until_state, until_typed
from sse_widget import Cassette

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

SLOW = "synthetic:tokens=160,rate=40,lang=mixed,seed=5"
SHOW = "import sse_widget as sw\nw = sw.StreamWidget(model={model!r})\nw"


def shown(page: Page) -> str:
    """Return the text that the widget shows."""
    return page.locator(".ssew-text").first.text_content() or ""


@pytest.fixture
def notebook(lab: Any, fresh_page: Page) -> Callable[[str, list[str]], Page]:
    """Return a function that writes a notebook, opens it, and runs its first cell, which shows the widget."""

    def start(name: str, cells: list[str]) -> Page:
        lab.write(name, cells)
        lab.open(fresh_page, name)
        lab.run(fresh_page, 0)
        fresh_page.wait_for_selector(".ssew textarea", timeout=LIMIT_MS)
        return fresh_page

    return start


def test_the_local_model_streams_into_a_cell(notebook: Any, lab: Any) -> None:
    page = notebook("local.ipynb", [SHOW.format(model=""), 'run = w.ask("What is the sea?", max_tokens=40)'])
    page.evaluate(
        """() => {
          window.paintedAt = new Promise((resolve) => {
            const text = document.querySelector('.ssew-text');
            new MutationObserver((_, observer) => {
              if (!text.textContent) return;
              observer.disconnect();
              requestAnimationFrame(() => setTimeout(() => resolve(Date.now())));
            }).observe(text, {childList: true, subtree: true, characterData: true});
          });
        }"""
    )
    began_ms = time.time() * 1000
    lab.run(page, 1)
    painted_ms = page.evaluate("window.paintedAt")
    until_state(page, "done")
    print(f"\nJupyterLab, local model: Run to first painted text {painted_ms - began_ms:.0f} ms")
    assert len(shown(page)) > 20


def test_a_cassette_is_shown_and_the_run_is_recorded_again(notebook: Any, lab: Any) -> None:
    original = Cassette.sample("arabic")
    record = 'c = w.record("again.ssecast").wait(60)\nprint(c.text == w.text, c.end.end, c.header.offsets)'
    page = notebook("cassette.ipynb", [SHOW.format(model="replay:arabic,speed=4"), record])
    ask_in_box(page, "ما هو البث؟")
    until_state(page, "done")
    until_typed(page, original.text)
    lab.run(page, 1)
    # The kernel may still read the run whose end the page has seen: then its offsets are those of a live reading.
    said = page.locator(".jp-OutputArea-output", has_text=re.compile("True ended (log|live)"))
    expect(said).to_be_visible(timeout=LIMIT_MS)
    assert Cassette.load(lab.folder / "again.ssecast").text == original.text
    keep(page, "cassette-lab")


def test_the_ask_box_asks_without_the_kernel_and_the_kernel_reads_too(notebook: Any, lab: Any) -> None:
    model = "synthetic:tokens=40,rate=0,lang=ar,seed=2"
    page = notebook("box.ipynb", [SHOW.format(model=model), "print(len(w.text), w.status, repr(w.question))"])
    ask_in_box(page, "ما هو البث؟")
    until_state(page, "done")
    text = golden(lab, model)
    until_typed(page, text)
    first = page.locator(".ssew-text > *").first
    assert first.evaluate("el => getComputedStyle(el).direction") == "rtl"
    lab.run(page, 1)
    expect(page.locator(".jp-OutputArea-output pre").last).to_contain_text(
        f"{len(text)} done 'ما هو البث؟'", timeout=LIMIT_MS
    )


def test_a_reload_in_the_middle_ends_with_the_full_text(notebook: Any, lab: Any) -> None:
    page = notebook("reload.ipynb", [SHOW.format(model=SLOW), 'run = w.ask("long")'])
    lab.run(page, 1)
    until_shown(page, 80)
    page.keyboard.press("Control+s")
    page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
    page.reload()
    page.wait_for_selector(".ssew-text", timeout=LIMIT_MS)
    until_state(page, "done")
    until_typed(page, golden(lab, SLOW))


def test_a_kernel_restart_in_the_middle_does_not_interrupt_the_view(notebook: Any, lab: Any) -> None:
    page = notebook("restart.ipynb", [SHOW.format(model=SLOW), 'run = w.ask("long")'])
    lab.run(page, 1)
    until_shown(page, 80)
    headers = {"Authorization": f"token {lab.token}"}
    sessions = httpx.get(f"{lab.url}/api/sessions", headers=headers).json()
    kernel = next(s["kernel"]["id"] for s in sessions if s["path"].endswith("restart.ipynb"))
    answer = httpx.post(f"{lab.url}/api/kernels/{kernel}/restart", headers=headers, timeout=30)
    assert answer.status_code == 200
    at_restart = len(shown(page))
    until_state(page, "done")
    until_typed(page, golden(lab, SLOW))
    assert at_restart < len(golden(lab, SLOW)), "the restart came after the end; the stream was too short"


STOPPED = """
() => new Promise((resolve) => {
  const dot = document.querySelector('.ssew-dot');
  const button = [...document.querySelectorAll('.ssew button')].find((b) => b.textContent === 'Stop');
  const began = performance.now();
  new MutationObserver((_, observer) => {
    if (dot.dataset.state !== 'stopped') return;
    observer.disconnect();
    resolve(performance.now() - began);
  }).observe(dot, {attributes: true});
  button.click();
})
"""


def cpu_ticks(pid: int) -> int:
    """Return the processor time of a process, in clock ticks (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def model_of(parent: int) -> int:
    """Return the process id of the model that this Jupyter server runs."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            stat = (folder / "stat").read_text("utf-8").rpartition(")")[2].split()
            if int(stat[1]) == parent and b"llama_child" in (folder / "cmdline").read_bytes():
                return int(folder.name)
    raise AssertionError("the Jupyter server runs no model")


def test_stop_works_while_the_kernel_is_busy(notebook: Any, lab: Any) -> None:
    """The stream has its end within 200 ms of the click, and the model's process then computes nothing."""
    cells = [
        SHOW.format(model=""),
        'run = w.ask("Tell a very long story about the sea.", max_tokens=1500)',
        "import time\ntime.sleep(25)",
    ]
    page = notebook("busy.ipynb", cells)
    lab.run(page, 1)
    until_shown(page, 40)
    lab.run(page, 2)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=busy]", timeout=LIMIT_MS)
    model = model_of(lab.pid)
    took_ms = page.evaluate(STOPPED)
    ticks = cpu_ticks(model)
    page.evaluate("() => new Promise((resolve) => setTimeout(resolve, 500))")
    still = cpu_ticks(model) - ticks
    print(f"\nStop in a busy notebook: stream ended {took_ms:.0f} ms after the click, model then used {still} ticks")
    assert took_ms < 200
    assert still <= 5, "half a second of generating takes about fifty"
    assert page.locator(".jp-Notebook-ExecutionIndicator").get_attribute("data-status") == "busy"
    assert 0 < len(shown(page)) < 6000


def test_cutting_the_connection_loses_nothing(notebook: Any, lab: Any) -> None:
    page = notebook("cut.ipynb", [SHOW.format(model=SLOW), 'run = w.ask("long")'])
    lab.run(page, 1)
    for characters in (40, 120, 250):
        until_shown(page, characters)
        page.locator(".ssew button", has_text="Cut").click()
    until_state(page, "done")
    until_typed(page, golden(lab, SLOW))


def test_notebook_7_shows_the_same(lab: Any, fresh_page: Page) -> None:
    lab.write("seven.ipynb", [SHOW.format(model=SLOW)])
    fresh_page.goto(f"{lab.url}/notebooks/seven.ipynb?token={lab.token}")
    lab.until_ready(fresh_page)
    lab.run(fresh_page, 0)
    fresh_page.wait_for_selector(".ssew textarea", timeout=LIMIT_MS)
    ask_in_box(fresh_page, "seven")
    until_state(fresh_page, "done")
    until_typed(fresh_page, golden(lab, SLOW))
