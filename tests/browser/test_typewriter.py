"""The typewriter in a real Chromium: what a reader sees, frame by frame."""

from __future__ import annotations

import subprocess
import threading
from collections import deque
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from rig.browser import CHROMIUM_FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Playwright

PAGES = Path(__file__).parent / "pages"
SOURCES = Path(__file__).parents[2] / "sse_widget" / "js"
CHROMIUM = ["chromium", "--headless", *CHROMIUM_FLAGS, "--remote-debugging-port=0"]
# Every kind of cluster that a delta may end in, and punctuation of three scripts.
TEXT = (
    "The e\u0301tude 👨‍👩‍👧‍👦 began, softly; 🇫🇷🇩🇪🇯🇵 clapped! مَرْحَبًا بِكُمْ، كَيْفَ الحال؟ "
    "你好，世界。 👩🏽‍🚀 went up: 한국어 ❤️‍🔥 … and नमस्ते back. "
)


class SourceHandler(SimpleHTTPRequestHandler):
    """Serves the pages of this folder, and the sources as they are under /js/."""

    extensions_map = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}  # noqa: RUF012

    def translate_path(self, path: str) -> str:
        if path.startswith("/js/"):
            return str(SOURCES / path.removeprefix("/js/"))
        return super().translate_path(path)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SourceHandler, directory=str(PAGES))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Yield a browser whose background tabs are really hidden.

    One that Playwright starts makes all its pages believe that they are in front (focus emulation); one that
    it joins with `no_defaults` is left as it is.
    """
    profile = tmp_path_factory.mktemp("profile")
    command = [*CHROMIUM, f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        listening = "DevTools listening on "
        url = next(line.removeprefix(listening).strip() for line in process.stderr if line.startswith(listening))
        drain = threading.Thread(target=deque, args=(process.stderr, 0))
        drain.start()
        joined = playwright.chromium.connect_over_cdp(url, no_defaults=True)
        yield joined
        joined.close()
        process.terminate()
        process.wait()
        drain.join()


@pytest.fixture
def page(browser: Browser, origin: str) -> Iterator[Page]:
    context = browser.contexts[0]
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{origin}/typewriter.html")
    page.wait_for_function("window.ready")
    yield page
    page.close()
    assert not errors


@pytest.mark.parametrize("rate", [20, 100, 500, 2000])
def test_clusters_are_whole_and_lag_is_capped_at_every_paint(page: Page, rate: int) -> None:
    seconds = 2.5
    text = (TEXT * 40)[: int(rate * seconds)]
    report = page.evaluate(
        """async ({text, rate}) => {
            const trial = new Trial();
            await trial.feed(text, rate);
            await trial.finish();
            return trial.report(400);
        }""",
        {"text": text, "rate": rate},
    )
    print(
        f"{rate}/s: lag {report['lagMs']:.0f} ms, {report['afterEnd']['lagMs']:.0f} ms after the end, "
        f"{len(report['paints'])} paints, longest frame {report['longestFrameMs']:.0f} ms"
    )
    assert report["whole"]
    assert report["split"] == []
    assert report["frames"] <= 2
    assert report["afterEnd"]["frames"] <= 2
    assert report["hooks"] == report["paints"]
    assert report["hookLagMs"] <= report["lagMs"] + 1


def test_a_long_text_that_has_ended_is_typed_and_drains_within_the_cap(page: Page) -> None:
    report = page.evaluate(
        """async (text) => {
            const trial = new Trial();
            trial.append(text);
            await trial.finish();
            return trial.report(400);
        }""",
        TEXT * 30,
    )
    assert report["whole"]
    assert report["split"] == []
    assert report["behind"] >= 3
    assert report["afterEnd"]["frames"] <= 2


def test_a_cluster_that_had_to_be_shown_is_whole_again_at_the_next_paint(page: Page) -> None:
    trial = page.evaluate(
        """async () => {
            const trial = new Trial({maxLagMs: 20});
            for (const part of ["👨", "\u200d👩", "\u200d👧", "a", "\u0301", "🇫", "🇷"]) {
                trial.append(part);
                while (trial.shown !== trial.received) await new Promise(requestAnimationFrame);
            }
            await trial.finish();
            return trial.report(20);
        }"""
    )
    assert trial["split"] == []
    assert trial["whole"]
    assert trial["frames"] <= 2
    assert len(trial["paints"]) == 7


def test_the_first_step_shows_in_the_next_frame(page: Page) -> None:
    late = page.evaluate(
        """async () => {
            const trial = new Trial();
            await new Promise(requestAnimationFrame);
            trial.append("Hello, reader");
            await trial.finish();
            return {first: trial.paints[0].shown, ...trial.late(trial.deltas[0].at, trial.paints[0].at, 0)};
        }"""
    )
    assert late["first"] < len("Hello, reader")
    assert late["frames"] <= 1


def test_punctuation_is_slower_than_letters_when_there_is_slack(page: Page) -> None:
    text = "abcdef, abcdef. مرحبا، مرحبا؟ 你好你好，你好你好。再见"
    paints: list[dict[str, Any]] = page.evaluate(
        """async (text) => {
            const trial = new Trial({baseDelayMs: 25, charsPerStep: 1, maxLagMs: 60_000});
            trial.append(text);
            await trial.finish();
            return trial.paints;
        }""",
        text,
    )
    pauses: dict[str, list[float]] = {"letter": [], "clause": [], "sentence": []}
    for before, after in pairwise(paints):
        last = text[before["shown"] - 1]
        kind = "sentence" if last in ".؟。" else "clause" if last in ",،，" else "letter"
        pauses[kind].append(after["at"] - before["at"])
    middle = {kind: median(gaps) for kind, gaps in pauses.items()}
    print({kind: round(gap) for kind, gap in middle.items()})
    assert len(pauses["clause"]) == len(pauses["sentence"]) == 3
    assert middle["letter"] < middle["clause"] < middle["sentence"]


SLOW = "{baseDelayMs: 1000, charsPerStep: 1, maxLagMs: 60_000}"


def test_a_hidden_tab_shows_everything_at_once(browser: Browser, page: Page) -> None:
    page.bring_to_front()
    page.evaluate(f"visibility(false).then(() => window.trial = new Trial({SLOW})).then(() => true)")
    page.evaluate("trial.append('typed slowly. ')")
    assert page.evaluate("new Promise(requestAnimationFrame).then(() => trial.shown)") == "t"
    cover = browser.contexts[0].new_page()
    cover.bring_to_front()
    assert page.evaluate("visibility(true)")
    assert page.evaluate("document.hidden")
    assert page.evaluate("trial.shown") == "typed slowly. "
    assert page.evaluate("trial.append('e'), trial.shown") == "typed slowly. e"
    assert page.evaluate("trial.append('\u0301, all'), trial.shown") == "typed slowly. e\u0301, all"
    cover.close()
    page.bring_to_front()
    page.evaluate("visibility(false)")
    assert page.evaluate("trial.append('!?'), trial.shown") == "typed slowly. e\u0301, all"
    cover = browser.contexts[0].new_page()
    cover.bring_to_front()
    page.evaluate("visibility(true)")
    page.evaluate("trial.append(' end'), trial.typewriter.finish(), trial.typewriter.finished")
    assert page.evaluate("trial.shown") == "typed slowly. e\u0301, all!? end"
    cover.close()


def test_reduced_motion_shows_everything_at_once_and_is_followed_live(page: Page) -> None:
    page.evaluate(f"window.trial = new Trial({SLOW}), trial.append('typed slowly'), true")
    assert page.evaluate("new Promise(requestAnimationFrame).then(() => trial.shown)") == "t"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate("new Promise(requestAnimationFrame).then(() => trial.shown)") == "typed slowly"
    assert page.evaluate("trial.append(', then at once'), trial.shown") == "typed slowly, then at once"
    page.evaluate("trial.typewriter.finish(), trial.typewriter.finished")
    assert page.evaluate(f"trial = new Trial({SLOW}), trial.append('at once'), trial.shown") == "at once"
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate("trial.append(' not this'), trial.shown") == "at once"


OPTIONS = ["baseDelayMs", "punctuationDelayMultiplier", "commaDelayMultiplier", "charsPerStep", "maxLagMs"]


def test_options_change_live_and_are_checked(page: Page) -> None:
    result = page.evaluate(
        f"""async () => {{
            const trial = new Trial({SLOW});
            trial.append("a text that would take seconds");
            const failureOf = (bad) => {{
                try {{ bad(); }} catch (error) {{ return `${{error.name}}: ${{error.message}}`; }}
            }};
            const failures = [failureOf(() => trial.typewriter.update({{maxLagMs: -1}})),
                              failureOf(() => new Trial({{speed: 2}}))];
            const kept = trial.typewriter.options.maxLagMs;
            trial.typewriter.update({{maxLagMs: 50, charsPerStep: 2}});
            await trial.finish();
            return {{failures, kept, options: trial.typewriter.options, lateness: trial.lateness(50)}};
        }}"""
    )
    assert result["failures"] == [
        "RangeError: maxLagMs must be a finite number, 0 or more; got -1",
        "TypeError: unknown option speed; there are " + ", ".join(OPTIONS),
    ]
    assert result["kept"] == 60_000
    assert result["options"]["charsPerStep"] == 2
    assert result["options"]["baseDelayMs"] == 1000
    assert result["lateness"]["frames"] <= 2


def test_flush_clear_and_text_after_the_end(page: Page) -> None:
    steps = page.evaluate(
        f"""async () => {{
            const {{typewriter, element}} = new Trial({SLOW});
            const steps = [];
            typewriter.append("one");
            typewriter.flush();
            steps.push(element.textContent);
            typewriter.finish();
            await typewriter.finished;
            typewriter.append(" two");
            const second = typewriter.finished;
            typewriter.clear();
            await second;
            steps.push(element.textContent, typewriter.text);
            typewriter.append("three");
            typewriter.finish();
            typewriter.flush();
            await typewriter.finished;
            steps.push(element.textContent);
            return steps;
        }}"""
    )
    assert steps == ["one", "", "", "three"]


def listeners(page: Page, expression: str) -> int:
    """Count the listeners of an object, as the browser knows them."""
    session = page.context.new_cdp_session(page)
    found = session.send("Runtime.evaluate", {"expression": expression})
    known = session.send("DOMDebugger.getEventListeners", {"objectId": found["result"]["objectId"]})
    session.detach()
    return len(known["listeners"])


@pytest.mark.parametrize("end", ["trial.typewriter.destroy()", "controller.abort()"])
def test_nothing_is_lost_or_left_behind_at_the_end(page: Page, end: str) -> None:
    page.evaluate(
        """() => {
            window.controller = new AbortController();
            window.trial = new Trial({baseDelayMs: 1000, maxLagMs: 60_000, signal: controller.signal});
            trial.append("all of this");
        }"""
    )
    assert listeners(page, "document") == 1
    page.evaluate(f"{end}; trial.typewriter.finished")
    assert page.evaluate("trial.shown") == "all of this"
    assert page.evaluate("trial.append(' and this'), trial.shown") == "all of this and this"
    assert listeners(page, "document") == 0
    assert listeners(page, "controller.signal") == 0


LINES = "Left to right\n\nمن اليمين إلى اليسار\r\n  two blanks\n"


@pytest.mark.parametrize("size", [1, 3, len(LINES)])
def test_lines_have_their_own_direction_and_grow_in_place(page: Page, size: int) -> None:
    page.evaluate("window.view = new TextView(newElement()); view.append(''), true")
    page.evaluate(
        """([text, size]) => {
            for (let at = 0; at < text.length; at += size) view.append(text.slice(at, at + size));
        }""",
        [LINES, size],
    )
    blocks = page.evaluate(
        """() => Array.from(document.querySelectorAll(".ssew-block"), (block) => ({
            text: block.textContent, nodes: block.childNodes.length, height: block.offsetHeight,
            direction: getComputedStyle(block).direction, blanks: getComputedStyle(block).whiteSpace}))"""
    )
    assert page.evaluate("view.text") == LINES
    assert [block["text"] for block in blocks] == [
        "Left to right",
        "",
        "من اليمين إلى اليسار\r",
        "  two blanks",
    ]
    assert [block["direction"] for block in blocks] == ["ltr", "ltr", "rtl", "ltr"]
    assert {block["height"] for block in blocks} == {blocks[0]["height"]}
    assert all(block["nodes"] == 1 and block["blanks"] == "pre-wrap" for block in blocks)


def test_an_append_touches_nothing_but_the_last_line(page: Page) -> None:
    touched = page.evaluate(
        """() => {
            const element = newElement();
            const view = new TextView(element);
            view.append("first\\nsecond");
            const [first, second] = Array.from(element.children, (block) => block.firstChild);
            const observer = new MutationObserver(() => {});
            observer.observe(element, {subtree: true, childList: true, characterData: true});
            view.append(" grows\\nthird");
            const records = observer.takeRecords();
            return {first: records.some(({target}) => target === first || target === first.parentNode),
                    second: second.data, blocks: element.children.length,
                    added: records.flatMap(({addedNodes}) => [...addedNodes]).length};
        }"""
    )
    assert touched == {"first": False, "second": "second grows", "blocks": 3, "added": 1}
