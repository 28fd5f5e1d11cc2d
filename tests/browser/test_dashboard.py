"""The dashboard: behind a token, it asks a question and shows the server's metrics live, in English and Arabic."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from rig import shots
from rig.axe import violations
from rig.process import Program
from rig.view import LIMIT_MS, ask_in_box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Route

TOKEN = "correct-horse"
DASHBOARD = "/admin/dashboard"
INK = """
(card) => {
  const canvas = card.querySelector('canvas');
  const colour = getComputedStyle(card.querySelector('.dash-swatch')).color.match(/\\d+/g).map(Number);
  const {width, height} = canvas;
  const {data} = canvas.getContext('2d').getImageData(0, 0, width, height);
  const drawn = (at) => data[at + 3] === 255 && colour.every((part, place) => data[at + place] === part);
  const pixels = Array.from({length: width * height}, (_, at) => at);
  const columns = pixels.filter((at) => drawn(4 * at)).map((at) => at % width);
  return columns.length ? [Math.min(...columns) / width, Math.max(...columns) / width] : null;
}
"""
"""Where a chart's first line is drawn: its first and last column, as parts of the width; null when it is not."""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a server that wants a token."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "token").write_text(TOKEN)
    flags = ["--port=0", "--model=synthetic:rate=40", f"--token-file={folder / 'token'}", "--rate-limit=off"]
    program = Program([sys.executable, "-m", "sse_server", *flags], folder / "server.log")
    yield program.wait_for(r"listens on (\S+)")[1]
    program.end()


def sign_in(page: Page, token: str = TOKEN) -> None:
    page.locator("#token").fill(token)
    page.keyboard.press("Enter")


def shown(page: Page, chart: str) -> str:
    return page.locator(f"[data-chart={chart}] .dash-chart").get_attribute("aria-label") or ""


def drawn(page: Page, chart: str) -> list[float] | None:
    return page.locator(f"[data-chart={chart}]").evaluate(INK)


def until_drawn(page: Page, chart: str) -> list[float]:
    card = page.locator(f"[data-chart={chart}]").element_handle()
    return page.wait_for_function(INK, arg=card, timeout=LIMIT_MS).json_value()


def test_without_the_token_there_is_a_form_and_no_figure(guarded: str, fresh_page: Page) -> None:
    answer = fresh_page.goto(guarded + DASHBOARD)
    assert answer is not None
    assert answer.status == 401
    expect(fresh_page.get_by_label("Token of the server")).to_be_focused()
    expect(fresh_page.locator(".dash-body")).to_be_hidden()
    sign_in(fresh_page, "wrong")
    expect(fresh_page.get_by_role("alert")).to_have_text("The server does not accept this token.")
    assert violations(fresh_page) == []
    sign_in(fresh_page)
    expect(fresh_page.locator(".dash-body")).to_be_visible(timeout=LIMIT_MS)
    stored = fresh_page.evaluate("[document.cookie, {...localStorage}, {...sessionStorage}]")
    assert TOKEN not in str(stored)
    assert TOKEN not in fresh_page.url
    fresh_page.reload()
    expect(fresh_page.locator("#token")).to_be_visible()


def test_a_cookie_that_may_only_read_is_asked_for_the_token(guarded: str, fresh_page: Page) -> None:
    """Over plain http browsers send no Fetch Metadata, and the server answers 403 to the cookie by itself."""
    api = fresh_page.context.request
    link = api.post(f"{guarded}/api/v1/session/link", headers={"Authorization": f"Bearer {TOKEN}"}).json()["url"]
    session = {"link": link.partition("#link=")[2]}
    assert api.post(f"{guarded}/api/v1/session", data=session, headers={"Origin": guarded}).status == 204
    statuses: list[int] = []

    def without_metadata(route: Route) -> None:
        headers = {name: value for name, value in route.request.headers.items() if not name.startswith("sec-fetch")}
        answer = route.fetch(headers=headers)
        statuses.append(answer.status)
        route.fulfill(response=answer)

    fresh_page.route("**/metrics", without_metadata)
    fresh_page.goto(guarded + DASHBOARD)
    expect(fresh_page.get_by_label("Token of the server")).to_be_focused()
    assert statuses == [403]
    sign_in(fresh_page)
    expect(fresh_page.locator(".dash-body")).to_be_visible(timeout=LIMIT_MS)
    fresh_page.unroute_all(behavior="wait")


def test_a_question_moves_the_charts(guarded: str, fresh_page: Page) -> None:
    complaints: list[str] = []
    fresh_page.on("pageerror", lambda error: complaints.append(str(error)))
    fresh_page.goto(guarded + DASHBOARD)
    sign_in(fresh_page)
    expect(fresh_page.locator(".dash-state")).to_have_text("Ready", timeout=LIMIT_MS)
    box = fresh_page.locator("[data-chart=connections] .dash-chart")
    expect(box).to_have_attribute("aria-label", "Connections by transport: SSE 0, WebSocket 0, Poll 0")
    expect(fresh_page.locator("[data-chart=ttft] .dash-none")).to_be_visible()
    assert drawn(fresh_page, "ttft") is None
    ask_in_box(fresh_page, "What is a stream?")
    expect(box).to_have_attribute("aria-label", "Connections by transport: SSE 1, WebSocket 0, Poll 0")
    expect(fresh_page.locator(".ssew-dot")).to_have_attribute("data-state", "done", timeout=LIMIT_MS)
    expect(box).to_have_attribute("aria-label", "Connections by transport: SSE 0, WebSocket 0, Poll 0")
    assert re.search(r"median \u2066[\d.]+ ms\u2069, p95", shown(fresh_page, "ttft"))
    expect(fresh_page.locator("[data-chart=ttft] .dash-none")).to_be_hidden()
    first, last = until_drawn(fresh_page, "ttft")
    assert 0.5 < first <= last  # now is at the right
    assert fresh_page.locator("[data-chart]").count() == 12
    assert violations(fresh_page) == []
    assert complaints == []
    shots.keep(fresh_page, "dashboard")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_arabic_the_page_and_its_time_run_from_right_to_left(guarded: str, chromium: Browser, scheme: str) -> None:
    context = chromium.new_context(locale="ar-EG", color_scheme=scheme, viewport={"width": 400, "height": 800})
    page = context.new_page()
    page.goto(guarded + DASHBOARD)
    sign_in(page)
    expect(page.locator(".dash-state")).to_have_text("جاهز", timeout=LIMIT_MS)
    assert page.title() == "لوحة الخادم"
    assert page.locator("main").evaluate("el => getComputedStyle(el).direction") == "rtl"
    ask_in_box(page, "ما هو البث؟")
    box = page.locator("[data-chart=connections] .dash-chart")
    expect(box).to_have_attribute("aria-label", re.compile("^الاتصالات حسب طريقة النقل: SSE 1,"), timeout=LIMIT_MS)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    first, last = until_drawn(page, "connections")
    assert first <= last < 0.5  # now is at the left
    assert violations(page) == []
    shots.keep(page, f"dashboard-ar-{scheme}")
    context.close()


def test_a_server_that_is_gone_is_said_to_be(tmp_path, chromium: Browser) -> None:
    flags = ["--port=0", "--model=synthetic:"]
    program = Program([sys.executable, "-m", "sse_server", *flags], tmp_path / "server.log")
    try:
        url = program.wait_for(r"listens on (\S+)")[1]
        page = chromium.new_page()
        page.goto(url + DASHBOARD)
        expect(page.locator(".dash-state")).to_have_text("Ready", timeout=LIMIT_MS)
        expect(page.locator("#token")).to_be_hidden()
    finally:
        program.end()
    expect(page.locator(".dash-state")).to_have_text("The server cannot be reached; trying again", timeout=LIMIT_MS)
    expect(page.locator("[data-chart=connections] .dash-legend b").first).to_have_text("–")
    page.close()
