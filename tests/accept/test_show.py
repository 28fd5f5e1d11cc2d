"""`sw.show` in a real JupyterLab: every kind of iterator, Stop, errors, and a reload in the middle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from rig.providers import TEXT, Provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

LIMIT_MS = 60_000
SETUP = """
import asyncio, threading, time
import sse_widget as sw

closed = threading.Event()

def words(count, pause_s=0.0):
    try:
        for number in range(count):
            yield f"{number} "
            time.sleep(pause_s)  # the pace of a model
    finally:
        closed.set()

async def async_words(count):
    for number in range(count):
        yield f"{number} "
        await asyncio.sleep(0)

def broken():
    yield "half of it "
    raise ValueError("boom")
"""


def said(count: int) -> str:
    return " ".join(str(number) for number in range(count))


def until_state(page: Page, state: str) -> None:
    expect(page.locator(".ssew-dot").first).to_have_attribute("data-state", state, timeout=LIMIT_MS)


def until_printed(page: Page, text: str) -> None:
    expect(page.locator(".jp-OutputArea-output pre").last).to_contain_text(text, timeout=LIMIT_MS)


@pytest.fixture
def notebook(lab: Any, fresh_page: Page) -> Callable[[str, list[str]], Page]:
    """Return a function that writes a notebook of the set-up and these cells, opens it and runs the first two."""

    def start(name: str, cells: list[str]) -> Page:
        lab.write(name, [SETUP, *cells])
        lab.open(fresh_page, name)
        lab.run(fresh_page, 0)
        lab.run(fresh_page, 1)
        fresh_page.wait_for_selector(".ssew-text", timeout=LIMIT_MS)
        return fresh_page

    return start


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


@pytest.mark.parametrize("make", ["words(300)", "async_words(300)"])
def test_an_iterator_is_shown(notebook: Any, make: str) -> None:
    page = notebook("iterator.ipynb", [f"answer = await sw.show({make}, question='Count.')\nprint(answer.state)"])
    until_state(page, "done")
    expect(page.locator(".ssew-text").first).to_have_text(said(300), timeout=LIMIT_MS, use_inner_text=True)
    expect(page.locator(".ssew-question").first).to_have_text("Count.")
    expect(page.locator(".ssew textarea").first).to_be_hidden()
    until_printed(page, "done")


def test_the_chunks_of_a_client_are_shown(notebook: Any, provider: Provider) -> None:
    ask = (
        "import openai\n"
        f"client = openai.OpenAI(base_url='{provider.url}/v1', api_key='none')\n"
        "stream = client.chat.completions.create(model='m', messages=[{'role': 'user', 'content': '?'}], stream=True)\n"
        "answer = await sw.show(stream)\nprint(len(answer))"
    )
    page = notebook("client.ipynb", [ask])
    until_state(page, "done")
    expect(page.locator(".ssew-text").first).to_have_text(TEXT.strip(), timeout=LIMIT_MS, use_inner_text=True)
    until_printed(page, str(len(TEXT)))


def test_stop_closes_the_generator_while_the_kernel_is_busy(notebook: Any, lab: Any) -> None:
    cells = [
        "shown = sw.show(words(100_000, pause_s=0.01), chunk_tokens=1)",
        "print('closed', closed.wait(50))",
        "print((await shown).state)",
    ]
    page = notebook("stop.ipynb", cells)
    page.wait_for_function("() => document.querySelector('.ssew-text').textContent.length > 10", timeout=LIMIT_MS)
    lab.run(page, 2)
    page.locator(".ssew button", has_text="Stop").first.click()
    until_state(page, "stopped")
    until_printed(page, "closed True")
    lab.run(page, 3)
    until_printed(page, "stopped")


def test_an_error_of_the_iterator_is_shown_with_the_text_before_it(notebook: Any) -> None:
    page = notebook("error.ipynb", ["await sw.show(broken())"])
    until_state(page, "error")
    expect(page.locator(".ssew-text").first).to_have_text("half of it", timeout=LIMIT_MS, use_inner_text=True)
    expect(page.locator(".ssew-status").first).to_contain_text("ValueError: boom", timeout=LIMIT_MS)
    expect(page.locator(".jp-OutputArea-output").last).to_contain_text("ValueError", timeout=LIMIT_MS)


def test_a_reload_in_the_middle_keeps_the_text(notebook: Any) -> None:
    page = notebook("reload.ipynb", ["shown = sw.show(words(400, pause_s=0.02))"])
    page.wait_for_function("() => document.querySelector('.ssew-text').textContent.length > 40", timeout=LIMIT_MS)
    page.keyboard.press("Control+s")
    page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
    page.reload()
    page.wait_for_selector(".ssew-text", timeout=LIMIT_MS)
    until_state(page, "done")
    expect(page.locator(".ssew-text").first).to_have_text(said(400), timeout=LIMIT_MS, use_inner_text=True)


def test_a_long_show_sends_the_page_few_messages_of_the_kernel(notebook: Any, lab: Any) -> None:
    page = notebook(
        "quiet.ipynb", ["warm = await sw.show('warm')", "answer = await sw.show(words(3000), chunk_tokens=1)"]
    )
    until_state(page, "done")
    frames: list[int] = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.webSocketFrameReceived", lambda event: frames.append(len(event["response"]["payloadData"])))
    lab.run(page, 2)
    expect(page.locator(".ssew-dot").nth(1)).to_have_attribute("data-state", "done", timeout=LIMIT_MS)
    print(f"\n3000 tokens: {len(frames)} frames over the kernel's websocket, {sum(frames)} bytes")
    assert len(frames) <= 60
