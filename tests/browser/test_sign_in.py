"""The page of a server that asks for a token: a link opens it once, a cookie keeps it open, and no script sees that."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from rig.shots import keep
from rig.view import LIMIT_MS, ask_in_box, until_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from rig.process import ServerProcess

FLAGS = ("--model", "synthetic:tokens=20,rate=0,lang=en")


@pytest.fixture
def server(server_process, tmp_path: Path) -> ServerProcess:
    """A server with a token, as it is started by hand."""
    (tmp_path / "token").write_text("correct-horse\n", "utf-8")
    return server_process(*FLAGS, "--token-file", str(tmp_path / "token"), "--print-link")


@pytest.fixture
def link(server: ServerProcess) -> str:
    """The link that it printed."""
    said = server.process.stdout.readline()
    found = re.search(r"page: (\S+/#link=\S+) \(works once", said)
    assert found, said
    assert "correct-horse" not in said
    return found[1]


@pytest.fixture
def arabic_page(chromium: Browser) -> Iterator[Page]:
    """Another browser, dark and narrow, whose reader speaks Arabic."""
    context = chromium.new_context(locale="ar", color_scheme="dark", viewport={"width": 390, "height": 700})
    yield context.new_page()
    context.close()


def until_shown_whole(page: Page) -> None:
    """Return once the answer is typed to its end."""
    page.wait_for_selector(".ssew-answer[aria-busy=false]", timeout=LIMIT_MS)


def test_the_printed_link_opens_the_page_once(
    server: ServerProcess, link: str, fresh_page: Page, arabic_page: Page
) -> None:
    fresh_page.goto(link)
    fresh_page.wait_for_function("() => !location.hash.includes('link')")
    fresh_page.wait_for_load_state("networkidle")
    ask_in_box(fresh_page, "who may?")
    until_state(fresh_page, "done")
    until_shown_whole(fresh_page)
    (cookie,) = fresh_page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert fresh_page.evaluate("document.cookie") == ""
    answer = fresh_page.locator(".ssew-text").text_content()
    fresh_page.reload()
    until_state(fresh_page, "done")
    until_shown_whole(fresh_page)
    assert fresh_page.locator(".ssew-text").text_content() == answer, "the run's address works after a reload"
    expect(fresh_page.locator("#sign-in")).to_be_hidden()

    arabic_page.goto(link)
    said = arabic_page.locator("#sign-in [data-lang=ar]")
    expect(said).to_be_visible(timeout=LIMIT_MS)
    expect(arabic_page.locator("#sign-in [data-lang=en]")).to_be_hidden()
    keep(arabic_page, "sign-in-used-link")
    assert arabic_page.context.cookies() == []
    ask_in_box(arabic_page, "من؟")
    until_state(arabic_page, "error")
    expect(arabic_page.locator(".ssew")).to_contain_text("رمز دخول")
    keep(arabic_page, "sign-in-refused")
    assert link.rpartition("=")[2] not in server.log_file.read_text("utf-8")
