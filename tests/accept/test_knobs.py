"""Knobs in a real JupyterLab and on the page: they reach the running answer, also while the kernel is busy."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page, Request

LIMIT_MS = 60_000
REACHED_MS = 150
LONG = "synthetic:tokens=6000,rate=60,lang=en,seed=4"
SHOW = f"import sse_widget as sw\nw = sw.StreamWidget(model={LONG!r}, preset='raw')\nw"
ALL = "print('traits', w.delay_ms, w.chunk_tokens, w.preset, w.timeline, w.reconnect)"

TURN = """
async ([label, value, quiet]) => {
  // Painted at once as it comes: the pace of the screen is that of the deltas.
  const text = document.querySelector('.ssew-text');
  const slider = document.querySelector(`.ssew-slider[aria-label="${label}"]`);
  const next = (ms) => new Promise((resolve) => {
    const finish = (atMs) => { observer.disconnect(); clearTimeout(timer); resolve(atMs); };
    const observer = new MutationObserver(() => finish(performance.now()));
    const timer = ms && setTimeout(() => finish(null), ms);
    observer.observe(text, {childList: true, subtree: true, characterData: true});
  });
  if (quiet) await next();
  const turnedMs = performance.now();
  slider.value = value;
  slider.dispatchEvent(new Event('input', {bubbles: true}));
  if (!quiet) return await next() - turnedMs;
  let lastMs = turnedMs;
  for (let atMs = await next(quiet); atMs !== null; atMs = await next(quiet)) lastMs = atMs;
  return lastMs - turnedMs;
}
"""
"""Moves a slider; resolves with after how many ms text last appeared before a silence, or first where none is asked."""


def turn(page: Page, label: str, value: float, *, quiet_ms: int = 0) -> float:
    return page.evaluate(TURN, [label, value, quiet_ms])


def fields(page: Page) -> dict[str, str]:
    """Return the numbers that stand in the fields, by their labels."""
    return page.locator(".ssew-knob").evaluate_all(
        "rows => Object.fromEntries(rows.map((row) => [row.querySelector('label').textContent,"
        " row.querySelector('.ssew-field').value]))"
    )


def patches(page: Page) -> list[dict[str, Any]]:
    """Return a list that fills with the bodies of the page's own requests to change knobs."""
    bodies: list[dict[str, Any]] = []

    def note(request: Request) -> None:
        if request.method == "PATCH" and "/stream/runs/" in request.url:
            bodies.append(json.loads(request.post_data or "{}"))

    page.on("request", note)
    return bodies


def comm(page: Page) -> dict[str, list[str]]:
    """Return lists that fill with the comm messages about knobs: those that the page sends and those that it gets."""
    seen: dict[str, list[str]] = {"sent": [], "got": []}

    def keep(way: str, payload: str | bytes) -> None:
        raw = payload if isinstance(payload, bytes) else payload.encode()
        if b"comm_msg" in raw and (b'"delay_ms"' in raw or b'"chunk_tokens"' in raw):
            seen[way].append("echo" if b"echo_update" in raw else "update")

    def watch(socket: Any) -> None:
        socket.on("framesent", lambda payload: keep("sent", payload))
        socket.on("framereceived", lambda payload: keep("got", payload))

    page.on("websocket", watch)
    return seen


def interrupt(lab: Any, notebook: str) -> None:
    headers = {"Authorization": f"token {lab.token}"}
    sessions = httpx.get(f"{lab.url}/api/sessions", headers=headers).json()
    kernel = next(s["kernel"]["id"] for s in sessions if s["path"].endswith(notebook))
    httpx.post(f"{lab.url}/api/kernels/{kernel}/interrupt", headers=headers, timeout=30).raise_for_status()


def until_idle(page: Page) -> None:
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=LIMIT_MS)


def until_busy(page: Page) -> None:
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=busy]", timeout=LIMIT_MS)


def printed(page: Page) -> Any:
    return page.locator(".jp-OutputArea-output pre").last


def test_a_knob_reaches_the_run_while_the_kernel_sleeps(lab: Any, fresh_page: Page) -> None:
    page = fresh_page
    bodies = patches(page)
    lab.write("sleep.ipynb", [SHOW, 'run = w.ask("long")', "import time\ntime.sleep(60)", ALL, "w.stop()"])
    lab.open(page, "sleep.ipynb")
    lab.run(page, 0)
    page.get_by_role("button", name="Knobs").click()
    lab.run(page, 1)
    page.wait_for_function("() => document.querySelector('.ssew-text').textContent.length > 100", timeout=LIMIT_MS)
    until_idle(page)
    lab.run(page, 2)
    until_busy(page)
    slower_ms = turn(page, "Least gap between deltas", 1500, quiet_ms=700)
    faster_ms = turn(page, "Least gap between deltas", 0)
    print(
        f"\nIn time.sleep(60): deltas stopped {slower_ms:.0f} ms after a slider moved, went on after {faster_ms:.0f} ms"
    )
    assert bodies == [{"delay_ms": 1500}, {"delay_ms": 0}]
    assert max(slower_ms, faster_ms) < REACHED_MS
    for value in range(1, 40):
        page.locator('.ssew-slider[aria-label="Tokens in a delta"]').evaluate(
            "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})); }",
            value,
        )
    assert fields(page)["Tokens in a delta"] == "39"
    # The notebook would take the arrow as a move to another cell.
    page.locator('.ssew-slider[aria-label="Tokens in a delta"]').focus()
    page.keyboard.press("ArrowRight")
    assert fields(page)["Tokens in a delta"] == "40"
    assert page.locator(".jp-Notebook-ExecutionIndicator").get_attribute("data-status") == "busy"
    interrupt(lab, "sleep.ipynb")
    until_idle(page)
    lab.run(page, 3)
    expect(printed(page)).to_have_text("traits 0.0 40 custom False True", timeout=LIMIT_MS)
    assert bodies[-1] == {"chunk_tokens": 40}
    assert fields(page)["Tokens in a delta"] == "40"
    lab.run(page, 4)


def test_python_and_page_stay_in_step_without_ping_pong(lab: Any, fresh_page: Page) -> None:
    page = fresh_page
    messages, bodies = comm(page), patches(page)
    lab.write(
        "step.ipynb",
        [
            SHOW,
            "w",
            'run = w.ask("long")',
            "w.delay_ms = 1200",
            ALL,
            'w.preset = "slow_network"',
            "w.timeline, w.ask_box = True, False\nw.stop()",
        ],
    )
    lab.open(page, "step.ipynb")
    lab.run(page, 0)
    lab.run(page, 1)
    expect(page.locator(".ssew")).to_have_count(2)
    page.get_by_role("button", name="Knobs").first.click()
    page.get_by_role("button", name="Knobs").last.click()
    lab.run(page, 2)
    page.wait_for_function("() => document.querySelector('.ssew-text').textContent.length > 50", timeout=LIMIT_MS)
    for way in messages.values():
        way.clear()
    lab.run(page, 3)
    expect(page.locator(".ssew-group-run .ssew-field").nth(2)).to_have_value("1200", timeout=LIMIT_MS)
    until_idle(page)
    assert messages == {"sent": [], "got": ["update"]}
    assert bodies == [], "the kernel has told the server itself"
    # Two sentences or one delta more at most: a gap of 1.2 s can be seen.
    page.wait_for_function(SILENCE, arg=900, timeout=LIMIT_MS)

    messages["got"].clear()
    page.locator(".ssew-group-run .ssew-field").nth(2).fill("0")
    expect(page.locator(".ssew-group-run .ssew-field").nth(5)).to_have_value("0")
    lab.run(page, 4)
    expect(printed(page)).to_have_text("traits 0.0 1 raw False True", timeout=LIMIT_MS)
    assert messages == {"sent": ["update"], "got": ["echo"]}
    assert bodies == [{"delay_ms": 0}]

    for way in messages.values():
        way.clear()
    lab.run(page, 5)
    expect(page.get_by_role("radio", name="Slow network").first).to_be_checked(timeout=LIMIT_MS)
    until_idle(page)
    assert messages == {"sent": [], "got": ["update"]}, "a preset is one message"
    assert bodies == [{"delay_ms": 0}]
    lab.run(page, 6)
    expect(page.locator(".ssew-chart canvas")).to_have_count(2, timeout=LIMIT_MS)
    expect(page.locator(".ssew textarea").first).to_be_hidden()


SILENCE = """
(ms) => new Promise((resolve) => {
  const text = document.querySelector('.ssew-text');
  const timer = setTimeout(() => finish(true), ms);
  const observer = new MutationObserver(() => finish(false));
  const finish = (silent) => { observer.disconnect(); clearTimeout(timer); resolve(silent); };
  observer.observe(text, {childList: true, subtree: true, characterData: true});
})
"""
"""Whether no text appears for so long."""


@pytest.fixture
def page_with(standalone: str, fresh_page: Page) -> Callable[..., Page]:
    """Return a function that opens the page, unfolds what is named, and asks a model."""

    def start(*unfolded: str, model: str) -> Page:
        fresh_page.route(
            "**/api/v1/stream/chat*",
            lambda route: route.continue_(post_data=json.dumps({**route.request.post_data_json, "model": model})),
        )
        fresh_page.goto(standalone)
        for name in unfolded:
            fresh_page.get_by_role("button", name=name).click()
        fresh_page.locator("textarea").fill("Knobs")
        fresh_page.locator("textarea").press("Enter")
        return fresh_page

    return start


def test_a_preset_sets_the_knobs_and_a_change_makes_it_custom(page_with: Any) -> None:
    page = page_with("Knobs", model=LONG)
    bodies = patches(page)
    page.wait_for_function("() => document.querySelector('.ssew-text').textContent.length > 20")
    expect(page.get_by_role("radio", name="Defaults")).to_be_checked()
    expect(page.get_by_role("radio", name="Custom")).to_be_hidden()
    page.get_by_text("Slow network").click()
    assert fields(page)["Least gap between deltas"] == "900"
    page.locator('.ssew-slider[aria-label="Longest lag"]').focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Custom")).to_be_checked()
    assert fields(page)["Longest lag"] == "1210"
    page.get_by_label("Tokens in a delta").first.fill("0")
    expect(page.get_by_label("Tokens in a delta").first).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".ssew-note")).to_be_hidden()
    page.reload()
    page.get_by_role("button", name="Knobs").click()
    assert fields(page)["Longest lag"] == "1210"
    assert bodies[0] == {"chunk_tokens": 20, "chunk_ms": 1500, "delay_ms": 900, "flush_on_punctuation": False}
    assert len(bodies) == 1, "the typewriter's knobs are the page's own"
    page.get_by_role("button", name="Stop").click()


def test_without_reconnection_a_cut_interrupts_and_resume_goes_on(page_with: Any) -> None:
    page = page_with("Knobs", model="synthetic:tokens=200,rate=60,seed=4")
    page.wait_for_function("() => document.querySelector('.ssew-text').textContent.length > 20")
    page.get_by_label("Reconnect after a break").uncheck()
    page.get_by_role("button", name="Cut connection").click()
    expect(page.locator(".ssew-dot")).to_have_attribute("data-state", "interrupted")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".ssew-dot")).to_have_attribute("data-state", "done", timeout=LIMIT_MS)


def test_a_heartbeat_of_a_second_shows_in_the_timeline(page_with: Any) -> None:
    page = page_with("Knobs", "Timeline", model="synthetic:tokens=20,rate=0,ttft_ms=2600")
    page.get_by_label("Heartbeat after silence of").first.fill("1")
    expect(page.locator(".ssew-legend li", has_text="Heartbeat")).to_have_text("Heartbeat2", timeout=LIMIT_MS)
    expect(page.locator(".ssew-dot")).to_have_attribute("data-state", "done", timeout=LIMIT_MS)
    expect(page.locator(".ssew-chart")).to_have_attribute("aria-label", re.compile(r"Cuts: 0\. Heartbeats: 2\."))


def test_a_server_that_is_gone_is_said(server_process: Any, fresh_page: Page) -> None:
    server = server_process("--model=synthetic:tokens=6000,rate=60")
    fresh_page.goto(server.url)
    fresh_page.get_by_role("button", name="Knobs").click()
    fresh_page.locator("textarea").fill("Knobs")
    fresh_page.locator("textarea").press("Enter")
    fresh_page.wait_for_function("() => document.querySelector('.ssew-text').textContent.length > 20")
    server.end(signal.SIGKILL)
    fresh_page.get_by_label("Least gap between deltas").first.fill("40")
    expect(fresh_page.locator(".ssew-note")).to_contain_text("cannot be reached", timeout=LIMIT_MS)
    assert fields(fresh_page)["Least gap between deltas"] == "40"
