"""Runs that a page asks and records, and what the flight recorder says of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
from playwright.sync_api import expect

from rig.view import LIMIT_MS, ask_in_box
from sse_widget.client import StreamClient
from sse_widget.loop import submit
from sse_widget.run import Run

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from sse_widget.measure.frame import Frame

INSTANT = {
    "chunk_tokens": 1,
    "chunk_ms": 0,
    "base_delay_ms": 0,
    "punctuation_delay_multiplier": 0,
    "comma_delay_multiplier": 0,
    "max_lag_ms": 0,
    "markdown": False,
}
"""Each token is a delta, and stands in the page with the next frame."""


def open_page(page: Page, url: str, **knobs: object) -> None:
    """Open the server's page, with knobs as somebody has left them, and have it record."""
    page.add_init_script(f"sessionStorage.setItem('sse-widget:knobs', {json.dumps(json.dumps(knobs))})")
    page.goto(f"{url}/?record=1")


def asked_run(page: Page, question: str = "?") -> str:
    """Ask in the page, wait until all is on show, and return the id of the run."""
    ask_in_box(page, question)
    expect(page.locator(".ssew-dot")).to_have_attribute("data-state", "done", timeout=LIMIT_MS)
    page.wait_for_selector(".ssew-answer[aria-busy=false]", timeout=LIMIT_MS)
    return page.evaluate("location.hash.slice(1)")


def frame_of_run(url: str, stream_id: str) -> Frame:
    """Return the table of a run, which this process reads as a kernel does."""
    run = Run("", stream_id)
    submit(run.carry(run.read(StreamClient(url), lambda _: None)))
    run.wait(60)
    return run.frame()


def rows_of(url: str, stream_id: str) -> tuple[float | None, list[list[Any]]]:
    """Return when the one page that recorded a run asked, and its rows, as they came."""
    answer = httpx.get(f"{url}/api/v1/stream/runs/{stream_id}/spans", params={"wait_s": 5})
    (reader,) = answer.raise_for_status().json()["readers"]
    assert reader["over"]
    return reader["asked"], reader["rows"]
