"""The choice of a fault plan: on the page, in JupyterLab, for every reader; and what the reader then sees."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from rig.axe import violations
from rig.shots import keep
from rig.view import LIMIT_MS, ask_in_box, golden_at, until_state, until_typed

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

    from rig.browser import Lab
    from rig.process import ServerProcess

MODEL = "synthetic:tokens=60,rate=60,lang=mixed,seed=3"
WIDGET = f"""
import sse_widget as sw
server = sw.serve(model={MODEL!r})
w = sw.StreamWidget(url=server.url, token=server.token)
w
"""
IN_JUPYTER = """
import asyncio
w2 = sw.StreamWidget()
while not w2.node:
    await asyncio.sleep(0.01)
print("allowed", w2.faults_allowed)
w2
"""


@pytest.fixture
def faulty(server_process: Callable[..., ServerProcess]) -> str:
    """Yield the URL of a server that allows faults."""
    return server_process(f"--model={MODEL}", "--allow-faults").url


def unfold(page: Page) -> None:
    page.locator(".ssew-toggle").first.click()
    page.wait_for_selector(".ssew-choice", timeout=LIMIT_MS)


def plans(page: Page) -> list[dict[str, Any] | None]:
    """Return a list that fills with the plan of every request for a stream."""
    found: list[dict[str, Any] | None] = []

    def note(request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.path.endswith("/stream/chat") or "/stream/runs/" in parts.path:
            text = parse_qs(parts.query).get("fault")
            found.append(json.loads(text[0]) if text else None)

    page.on("request", note)
    return found


def test_it_is_offered_only_where_the_server_allows_faults(standalone: str, fresh_page: Page) -> None:
    fresh_page.goto(standalone)
    with fresh_page.expect_response("**/health") as said:
        fresh_page.locator(".ssew-toggle").first.click()
    assert said.value.json()["faults"] is False
    expect(fresh_page.locator(".ssew-knobs")).to_be_visible()
    ask_in_box(fresh_page, "What is a stream?")
    until_state(fresh_page, "open")
    expect(fresh_page.locator(".ssew-faults")).to_be_hidden()
    assert fresh_page.locator(".ssew-choice").count() == 0


def test_a_situation_strikes_the_next_answer_which_is_whole_all_the_same(faulty: str, fresh_page: Page) -> None:
    page = fresh_page
    asked = plans(page)
    page.goto(faulty)
    unfold(page)
    note = page.locator(".ssew-fault-note")
    expect(note).to_be_hidden()
    page.get_by_label("What goes wrong").select_option("Cut inside a letter")
    expect(note).to_have_text("The plan holds from the next question on.")
    expect(page.locator(".ssew-toggle").first).to_have_attribute("aria-description", "A fault plan is set")
    ask_in_box(page, "Break it")
    expect(note).to_have_text("This answer is read under a plan. Breaks: cut.", timeout=LIMIT_MS)
    until_state(page, "done")
    until_typed(page, golden_at(faulty, MODEL))
    kinds = [[step["kind"] for step in plan["steps"]] if plan else [] for plan in asked]
    assert kinds == [["cut", "cut"]] * 2
    page.get_by_label("What goes wrong").select_option("Nothing")
    ask_in_box(page, "And now whole")
    expect(note).to_be_hidden()
    until_state(page, "done")
    assert asked[2:] == [None]


def test_a_server_that_is_busy_once_is_asked_again(faulty: str, fresh_page: Page) -> None:
    page = fresh_page
    page.goto(faulty)
    unfold(page)
    page.get_by_label("What goes wrong").select_option("Server busy once")
    ask_in_box(page, "Are you there?")
    expect(page.locator(".ssew-status")).to_contain_text("Attempt 1", timeout=LIMIT_MS)
    until_state(page, "done")
    until_typed(page, golden_at(faulty, MODEL))
    expect(page.locator(".ssew-fault-note")).to_contain_text("Breaks: refused with 503.")


def test_a_proxy_that_buffers_drives_the_stream_to_the_websocket(faulty: str, fresh_page: Page) -> None:
    page = fresh_page
    page.goto(faulty)
    unfold(page)
    page.get_by_label("What goes wrong").select_option("Proxy that buffers")
    page.route(
        "**/api/v1/stream/chat?*",
        lambda route: route.continue_(
            post_data=json.dumps(
                {**route.request.post_data_json, "model": "synthetic:tokens=200,rate=25,lang=en,seed=3"}
            )
        ),
    )
    ask_in_box(page, "Is anything coming?")
    expect(page.locator(".ssew-why")).to_have_text(
        "A proxy on the way holds server-sent events back.", timeout=LIMIT_MS
    )
    expect(page.locator(".ssew-via")).to_have_text("WebSocket")
    until_state(page, "done")


def test_kinds_seed_and_json_are_one_plan(faulty: str, fresh_page: Page) -> None:
    page = fresh_page
    page.goto(faulty)
    unfold(page)
    choice, json_field = page.get_by_label("What goes wrong"), page.get_by_label("Plan as JSON")
    page.get_by_text("Kinds, seed and plan").click()
    for kind in ("Stall", "Duplicate"):
        page.get_by_role("checkbox", name=kind).check(force=True)
    expect(choice).to_have_value("custom")
    page.get_by_label("Seed").fill("12")
    plan = json.loads(json_field.input_value())
    assert (plan["seed"], [step["kind"] for step in plan["steps"]]) == (12, ["stall", "duplicate"])
    page.get_by_role("checkbox", name="Stall").uncheck(force=True)
    json_field.fill('{"seed": 1, "steps": [{"attempt": 1, "kind": "stall"}]}')
    complaint = page.locator(".ssew-complaint")
    expect(complaint).to_contain_text("steps[0].ms must be a whole number from 1 to 600000")
    expect(json_field).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Seed").focus()
    expect(complaint).to_be_hidden()
    assert [step["kind"] for step in json.loads(json_field.input_value())["steps"]] == ["duplicate"]
    choice.select_option("Drawn by the seed")
    page.get_by_label("Seed").fill("13")
    expect(choice).to_have_value("drawn")
    json_field.fill("")
    expect(choice).to_have_value("none")


def test_the_keyboard_is_enough(faulty: str, fresh_page: Page) -> None:
    page = fresh_page
    page.goto(faulty)
    unfold(page)
    page.get_by_label("What goes wrong").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("What goes wrong")).to_have_value("letter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("checkbox", name="Cut")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_label("What goes wrong")).to_have_value("none")


@pytest.mark.parametrize(
    ("scheme", "locale", "width"),
    [("light", "en-GB", 900), ("dark", "en-GB", 900), ("light", "ar-EG", 900), ("dark", "ar-EG", 360)],
)
def test_axe_finds_nothing(faulty: str, chromium: Browser, scheme: Any, locale: str, width: int) -> None:
    context = chromium.new_context(color_scheme=scheme, locale=locale, viewport={"width": width, "height": 1700})
    page = context.new_page()
    page.goto(faulty)
    unfold(page)
    page.locator(".ssew-own > summary").click()
    assert violations(page) == []
    page.locator(".ssew-choice").select_option("letter")
    ask_in_box(page, "Break it")
    until_state(page, "done")
    page.locator(".ssew-plan").fill('{"seed": 1, "steps": [{"attempt": 1, "kind": "stall"}]}')
    expect(page.locator(".ssew-complaint")).to_be_visible()
    keep(page, f"faults-{scheme}-{locale}-{width}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []
    context.close()


def test_in_jupyterlab_page_and_kernel_read_under_the_plan(lab: Lab, fresh_page: Page) -> None:
    """The kernel's own server allows faults, from another origin than the page's; Jupyter's does not unless told so."""
    page = fresh_page
    asked = plans(page)
    lab.write("faults.ipynb", [WIDGET, "print('plan', w.fault)", "w.fault = ''", IN_JUPYTER])
    lab.open(page, "faults.ipynb")
    lab.run(page, 0)
    page.wait_for_selector(".ssew", timeout=LIMIT_MS)
    unfold(page)
    page.get_by_label("What goes wrong").focus()
    page.keyboard.press("d")  # JupyterLab deletes a cell at two of them
    page.keyboard.press("d")
    expect(page.locator(".jp-Cell")).to_have_count(4)
    page.get_by_label("What goes wrong").select_option("Cut inside a letter")
    ask_in_box(page, "Break it")
    until_state(page, "done")
    expect(page.locator(".ssew-fault-note")).to_contain_text("Breaks: cut.")
    assert {json.dumps(plan) for plan in asked if plan} == {json.dumps(asked[-1])}
    lab.run(page, 1)
    expect(page.locator(".jp-OutputArea-output pre").last).to_contain_text('plan {"seed":1,', timeout=LIMIT_MS)
    lab.run(page, 2)
    expect(page.get_by_label("What goes wrong")).to_have_value("none", timeout=LIMIT_MS)
    keep(page.locator(".ssew"), "faults-lab")
    lab.run(page, 3)
    expect(page.locator(".ssew")).to_have_count(2, timeout=LIMIT_MS)
    expect(page.locator(".jp-OutputArea-output pre").last).to_have_text("allowed False", timeout=LIMIT_MS)
    second = page.locator(".ssew").nth(1)
    second.get_by_role("button", name="Knobs").click()
    expect(second.locator(".ssew-knobs")).to_be_visible()
    expect(second.locator(".ssew-faults")).to_be_hidden()
