"""A real marimo: the widget asks, streams, survives a reload, and goes by the kernel where it must."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from rig.marimo import marimo_on
from rig.shots import keep
from rig.view import LIMIT_MS, ask_in_box, golden_at, until_shown, until_state, until_typed

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

SLOW = "synthetic:tokens=160,rate=40,lang=mixed,seed=5"
SHOW = f"import sse_widget as sw\nw = sw.StreamWidget(model={SLOW!r}, route={{route!r}})\nw"


def shown(route: str) -> tuple[str, str, str]:
    """Return the cell that shows a widget which takes one way."""
    return "", SHOW.format(route=route), "w,"


def until_there(page: Page) -> None:
    page.wait_for_selector(".ssew textarea", timeout=LIMIT_MS)


@pytest.mark.parametrize("route", ["auto", "relay"])
def test_the_editor(fresh_page: Page, tmp_path: Path, standalone: str, route: str) -> None:
    """A question of the page, a reload in its middle, and Stop. The kernel's own server is reached at its address."""
    asked: list[str] = []
    fresh_page.on("request", lambda request: asked.append(request.url) if "/stream/runs/" in request.url else None)
    with marimo_on(tmp_path, [shown(route)]) as url:
        fresh_page.goto(url)
        until_there(fresh_page)
        ask_in_box(fresh_page, "ما هو البث؟")
        until_shown(fresh_page, 80)
        fresh_page.reload()
        until_there(fresh_page)
        until_state(fresh_page, "done")
        until_typed(fresh_page, golden_at(standalone, SLOW))
        keep(fresh_page, f"marimo-{route}-light")
        assert bool(asked) == (route == "auto")
        ask_in_box(fresh_page, "another")
        until_shown(fresh_page, 40)
        fresh_page.locator(".ssew button", has_text="Stop").click()
        until_state(fresh_page, "stopped")


@pytest.mark.parametrize("route", ["auto", "relay"])
def test_a_question_of_a_cell_streams_while_the_kernel_waits_for_it(
    chromium: Browser, tmp_path: Path, standalone: str, route: str
) -> None:
    """By the relay that is so only where the page was there first: a busy kernel hears no page that comes later."""
    asking = ("w", "answer = w.ask('from Python').wait()", "answer,")
    telling = ("answer", "f'{len(answer)} characters'", "")
    text = golden_at(standalone, SLOW)
    with (
        marimo_on(tmp_path, [shown(route), asking, telling]) as url,
        chromium.new_context(viewport={"width": 1200, "height": 900}, color_scheme="dark") as context,
    ):
        page = context.new_page()
        page.goto(url)
        until_there(page)
        told = page.get_by_text(f"{len(text)} characters")
        until_shown(page, 40)
        if route == "auto":
            assert told.count() == 0, "the text came before the cell had it"
        until_state(page, "done")
        until_typed(page, text)
        expect(told).to_be_visible(timeout=LIMIT_MS)
        keep(page, f"marimo-{route}-dark")


def test_an_app(fresh_page: Page, tmp_path: Path, standalone: str) -> None:
    with marimo_on(tmp_path, [shown("auto")], mode="run") as url:
        fresh_page.goto(url)
        until_there(fresh_page)
        ask_in_box(fresh_page, "in an app")
        until_state(fresh_page, "done")
        until_typed(fresh_page, golden_at(standalone, SLOW))
