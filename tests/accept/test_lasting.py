"""An answer lasts: whatever becomes of page, kernel and file, its text is there, once, and a live stream goes on."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbformat.sign import NotebookNotary
from playwright.sync_api import expect

from rig.shots import keep
from rig.view import LIMIT_MS, golden, until_seen, until_shown, until_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Page, WebSocketRoute

    from rig.browser import Lab

QUICK = "synthetic:tokens=60,rate=0,lang=mixed,seed=2"
SLOW = "synthetic:tokens=200,rate=40,lang=mixed,seed=5"
LONG = "synthetic:tokens=1000,rate=40,lang=mixed,seed=5"
ENDLESS = "synthetic:tokens=20000,rate=40,lang=mixed,seed=5"
QUESTION = "What is a <b>stream</b>? ما هو؟"
SHOW = "import sse_widget as sw\nw = sw.StreamWidget(model={model!r})\nw"
ASK = f"run = w.ask({QUESTION!r})"
MANAGER = "@jupyter-widgets/jupyterlab-manager:plugin"
STATE = "application/vnd.jupyter.widget-state+json"
LOST = re.compile("Error displaying widget|Loading widget|model not found")


@pytest.fixture(scope="module")
def finished(lab: Lab, chromium: Browser) -> dict[str, Any]:
    """Return a notebook as JupyterLab saves it after an answer, with the state of its widgets."""
    lab.set(MANAGER, saveState=True)
    context = chromium.new_context()
    page = context.new_page()
    notebook = _run(lab, page, "finished.ipynb", [SHOW.format(model=QUICK), f"answer = await w.ask({QUESTION!r})"])
    context.close()
    lab.set(MANAGER, saveState=False)
    lab.end_kernels()
    return notebook


def _run(lab: Lab, page: Page, name: str, cells: list[str]) -> dict[str, Any]:
    """Run a notebook that ends with a whole answer, and save it."""
    lab.write(name, cells)
    lab.open(page, name)
    for number in range(len(cells)):
        lab.run(page, number)
    until_state(page, "done")
    page.get_by_text("| Idle").wait_for(timeout=LIMIT_MS)
    page.wait_for_function("() => document.querySelector('.ssew-saved')?.textContent.includes('stream')")
    return lab.save(page)


@pytest.fixture
def live(lab: Lab, fresh_page: Page) -> Callable[..., Page]:
    """Return a function that opens a notebook of these cells, runs the first ones, and waits for the widget."""

    def start(name: str, *cells: str, run: int = 2) -> Page:
        lab.write(name, list(cells))
        lab.open(fresh_page, name)
        for number in range(run):
            lab.run(fresh_page, number)
        fresh_page.wait_for_selector(".ssew textarea", timeout=LIMIT_MS)
        return fresh_page

    return start


def without_state(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return what JupyterLab saves by its default settings."""
    plain = copy.deepcopy(notebook)
    plain["metadata"].pop("widgets", None)
    return plain


def put(lab: Lab, name: str, notebook: dict[str, Any], *, trusted: bool = True) -> Path:
    """Write a notebook into Jupyter's folder, signed as one that this user has run."""
    path = lab.folder / name
    path.write_text(json.dumps(notebook), "utf-8")
    if trusted:
        NotebookNotary().sign(nbformat.from_dict(notebook))
    return path


def open_without_kernel(lab: Lab, page: Page, name: str) -> None:
    page.goto(f"{lab.url}/lab/workspaces/none/tree/{name}?token={lab.token}&reset")
    dialog = page.locator(".jp-Dialog", has_text="Select Kernel")
    dialog.locator("select").select_option(label="No Kernel")
    dialog.locator("button.jp-mod-accept").click()
    expect(page.locator(".jp-KernelName").first).to_contain_text("No Kernel", timeout=LIMIT_MS)


@pytest.mark.parametrize("state", [False, True], ids=["without-state", "with-state"])
@pytest.mark.parametrize("kernel", [False, True], ids=["no-kernel", "fresh-kernel"])
def test_a_notebook_is_opened_again(lab: Lab, fresh_page: Page, finished: Any, *, kernel: bool, state: bool) -> None:
    notebook = finished if state else without_state(finished)
    case = f"reopened-{'fresh' if kernel else 'no'}-kernel-{'with' if state else 'without'}-state"
    if not kernel:
        notebook = copy.deepcopy(notebook)
        notebook["metadata"]["kernelspec"] = {"name": "none", "display_name": "None"}
        del notebook["metadata"]["language_info"]
    put(lab, f"{case}.ipynb", notebook)
    if kernel:
        lab.open(fresh_page, f"{case}.ipynb")
    else:
        open_without_kernel(lab, fresh_page, f"{case}.ipynb")
    restored = kernel and state  # JupyterLab restores no widget before a notebook has a kernel
    if restored:
        until_state(fresh_page, "done")
    until_seen(fresh_page, golden(lab, QUICK))
    until_seen(fresh_page, QUESTION)
    keep(fresh_page, f"lasting-{case}")
    assert fresh_page.get_by_text(LOST).filter(visible=True).count() == 0
    assert fresh_page.locator(".ssew").count() == int(restored)
    lab.end_kernels()


def test_a_notebook_of_someone_else_is_opened(lab: Lab, fresh_page: Page, finished: Any) -> None:
    """JupyterLab does not trust it: it strips styles, and shows no widget."""
    notebook = copy.deepcopy(finished)
    notebook["metadata"]["from"] = "elsewhere"
    put(lab, "untrusted.ipynb", notebook, trusted=False)
    lab.open(fresh_page, "untrusted.ipynb")
    until_seen(fresh_page, golden(lab, QUICK))
    until_seen(fresh_page, QUESTION)
    assert fresh_page.locator(".ssew").count() == 0
    keep(fresh_page, "lasting-untrusted")
    lab.end_kernels()


def test_notebook_7_opens_it_again(lab: Lab, fresh_page: Page, finished: Any) -> None:
    put(lab, "seven.ipynb", without_state(finished))
    fresh_page.goto(f"{lab.url}/notebooks/seven.ipynb?token={lab.token}")
    lab.until_ready(fresh_page)
    until_seen(fresh_page, golden(lab, QUICK))
    assert fresh_page.get_by_text(LOST).filter(visible=True).count() == 0
    keep(fresh_page, "lasting-notebook-7")
    lab.end_kernels()


@pytest.mark.parametrize("state", [False, True], ids=["without-state", "with-state"])
def test_nbconvert_makes_a_page(lab: Lab, fresh_page: Page, finished: Any, tmp_path: Path, *, state: bool) -> None:
    """Without a network: the widgets' JavaScript would come from elsewhere."""
    case = f"nbconvert-{'with' if state else 'without'}-state"
    path = put(lab, f"{case}.ipynb", finished if state else without_state(finished))
    page = converted(path, tmp_path, "lab")
    fresh_page.route(re.compile("^(?!file:)"), lambda route: route.abort())
    fresh_page.goto(page.as_uri())
    until_seen(fresh_page, golden(lab, QUICK))
    until_seen(fresh_page, QUESTION)
    keep(fresh_page, f"lasting-{case}")


def converted(notebook: Path, folder: Path, template: str) -> Path:
    page = folder / f"{template}.html"
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--template", template, "--output", str(page)]
    subprocess.run([*command, str(notebook)], check=True, capture_output=True)
    return page


def test_github_shows_it_without_scripts_and_styles(lab: Lab, chromium: Browser, finished: Any, tmp_path: Path) -> None:
    """GitHub renders HTML outputs, and takes scripts, styles, classes and ids away."""
    html = converted(put(lab, "github.ipynb", finished), tmp_path, "basic").read_text("utf-8")
    html = re.sub(r"(?s)<(style|script)\b.*?</\1>", "", html)
    html = re.sub(r'\s(style|class|id|on\w+)="[^"]*"', "", html)
    (tmp_path / "github.html").write_text(f"<!doctype html><meta charset=utf-8><body>{html}", "utf-8")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((tmp_path / "github.html").as_uri())
    keep(page, "lasting-github")
    text = page.locator("body").inner_text()
    context.close()
    for line in filter(None, golden(lab, QUICK).split("\n")):
        assert text.count(line.strip()) == 1
    assert text.count(QUESTION) == 2, "in the cell that asks, and above its answer"


def test_a_reload_after_the_end(live: Any, lab: Lab) -> None:
    page = live("after.ipynb", SHOW.format(model=QUICK), ASK)
    until_state(page, "done")
    lab.save(page)
    page.reload()
    until_state(page, "done")
    until_seen(page, golden(lab, QUICK))
    assert page.locator(".ssew").count() == 1


def test_a_second_tab_joins_a_running_answer(live: Any, lab: Lab) -> None:
    """It has what came before it at once, and the rest as it comes; both have it all at the end."""
    first = live("tabs.ipynb", SHOW.format(model=LONG), ASK)
    until_shown(first, 60)
    lab.save(first)
    second = first.context.new_page()
    lab.open(second, "tabs.ipynb")
    until_shown(second, 60)
    assert second.locator(".ssew-dot").get_attribute("data-state") == "open"
    keep(second, "lasting-second-tab-joining")
    for page in (first, second):
        until_state(page, "done")
        until_seen(page, golden(lab, LONG))


def test_a_new_view_for_output_joins_too(live: Any, lab: Lab) -> None:
    page = live("view.ipynb", SHOW.format(model=SLOW), ASK)
    until_shown(page, 60)
    page.locator(".ssew-answer").click(button="right")
    page.get_by_role("menuitem", name="Create New View for Cell Output").click()
    expect(page.locator(".ssew")).to_have_count(2)
    until_state(page, "done")
    until_seen(page, golden(lab, SLOW), copies=2)
    keep(page, "lasting-new-view")


SPOKEN = """
() => {
  window.spoken = [];
  document.querySelectorAll('.ssew > [aria-live=polite]').forEach((region, view) => new MutationObserver(() => {
    if (region.textContent) window.spoken.push([view, region.textContent]);
  }).observe(region, {childList: true}));
}
"""


def test_two_views_say_an_answer_once(live: Any, lab: Lab) -> None:
    """Whichever has shown it first; a view that is folded away leaves it to the other."""
    page = live("twice.ipynb", SHOW.format(model=SLOW) + "\ndisplay(w)\nw", ASK)
    expect(page.locator(".ssew")).to_have_count(2)
    page.evaluate(SPOKEN)
    until_shown(page, 60)
    for spoken in (1, 2):
        for view in page.locator(".ssew-answer").all():
            expect(view).to_have_attribute("data-state", "done", timeout=LIMIT_MS)
            expect(view).to_have_attribute("aria-busy", "false", timeout=LIMIT_MS)
        assert page.evaluate("spoken.length") == spoken
        if spoken == 1:
            page.locator(".ssew").first.evaluate("view => { view.style.display = 'none'; }")
            box = page.locator(".ssew textarea").last
            box.fill("Again?")
            box.press("Enter")
            expect(page.locator(".ssew-answer").last).to_have_attribute("aria-busy", "true", timeout=LIMIT_MS)
    assert page.evaluate("spoken[1][0]") == 1


def test_a_kernel_restart_leaves_the_answer_and_a_reload_shows_what_was_saved(live: Any, lab: Lab) -> None:
    page = live("restarted.ipynb", SHOW.format(model=QUICK), ASK)
    until_state(page, "done")
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Restart Kernel…")).click()
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    page.get_by_text("| Idle").wait_for(timeout=LIMIT_MS)
    until_seen(page, golden(lab, QUICK))
    lab.save(page)
    page.reload()
    lab.until_ready(page)
    until_seen(page, golden(lab, QUICK))
    assert page.locator(".ssew").count() == 0
    assert page.get_by_text(LOST).filter(visible=True).count() == 0
    keep(page, "lasting-after-restart")


def test_saved_in_the_middle_it_says_so(live: Any, lab: Lab) -> None:
    page = live("middle.ipynb", SHOW.format(model=SLOW), ASK)
    until_shown(page, 60)
    lab.save(page)
    page.goto("about:blank")
    lab.end_kernels()
    lab.open(page, "middle.ipynb")
    until_seen(page, QUESTION)
    expect(page.locator(".ssew-saved")).to_contain_text("still being written")
    keep(page, "lasting-saved-in-the-middle")


@pytest.fixture
def running(live: Any, lab: Lab) -> tuple[Page, str, int]:
    """Return an empty page, a notebook that was saved with state while its answer runs, and how much was shown then.

    Its kernel has ended; the answer goes on until it is stopped, however slow the machine is.
    """
    lab.set(MANAGER, saveState=True)
    page = live("joins.ipynb", SHOW.format(model=ENDLESS), ASK)
    until_shown(page, 60)
    assert lab.save(page)["metadata"]["widgets"][STATE]["state"]
    lab.set(MANAGER, saveState=False)
    shown = len(page.locator(".ssew-text").inner_text())
    page.goto("about:blank")
    lab.end_kernels()
    return page, "joins.ipynb", shown


def until_joined_and_stopped(lab: Lab, page: Page, shown: int) -> None:
    """Wait until an endless answer goes on beyond what was shown, stop it, and see that nothing of it is missing."""
    until_state(page, "open")
    until_shown(page, shown + 60)
    page.locator(".ssew").get_by_role("button", name="Stop").click()
    until_state(page, "stopped")
    text = "".join((page.locator(".ssew-text").text_content() or "").split())
    assert len(text) > 60
    assert "".join(golden(lab, ENDLESS).split()).startswith(text)


def test_the_saved_state_of_a_running_answer_joins_it_without_its_kernel(running: Any, lab: Lab) -> None:
    page, name, shown = running
    lab.open(page, name)
    until_joined_and_stopped(lab, page, shown)
    keep(page, "lasting-state-joins")


def test_a_reload_joins_it_when_jupyterlab_has_not_restored_it(running: Any, lab: Lab) -> None:
    """JupyterLab asks a kernel for its widgets before it takes those of the file, once: an answer that is lost with its
    socket is waited for without end, and the saved form stands there until the page is loaded again."""
    page, name, shown = running
    lost: list[str] = []
    page.route_web_socket(re.compile("/channels"), lambda socket: lose_widgets(socket, lost))
    with page.expect_websocket(lambda socket: "/channels" in socket.url and bool(lost), timeout=LIMIT_MS):
        page.goto(f"{lab.url}/lab/workspaces/lost/tree/{name}?token={lab.token}")
    until_seen(page, QUESTION)
    assert page.get_by_text(LOST).filter(visible=True).count() == 0
    keep(page, "lasting-state-not-restored")
    page.reload()
    until_joined_and_stopped(lab, page, shown)


def lose_widgets(page_side: WebSocketRoute, lost: list[str]) -> None:
    """Forward a kernel's messages, but break the socket at the first question for its widgets."""
    kernel_side = page_side.connect_to_server()

    def forward(message: str | bytes) -> None:
        kernel_side.send(message)
        if not lost and b"comm_info_request" in (message if isinstance(message, bytes) else message.encode()):
            lost.append(page_side.url)
            page_side.close(code=4000)

    page_side.on_message(forward)


def test_outputs_are_cleared_and_the_cell_runs_again(live: Any, lab: Lab) -> None:
    page = live("again.ipynb", SHOW.format(model=QUICK), ASK)
    until_state(page, "done")
    page.get_by_role("menuitem", name="Edit", exact=True).click()
    page.get_by_role("menuitem", name="Clear Outputs of All Cells", exact=True).click()
    expect(page.locator(".jp-OutputArea-child")).to_have_count(0)
    lab.run(page, 0)
    lab.run(page, 1)
    until_state(page, "done")
    until_seen(page, golden(lab, QUICK))
    assert page.locator(".ssew, .ssew-saved").count() == 2


def test_a_widget_that_is_shown_twice_is_kept_twice(live: Any, lab: Lab) -> None:
    page = live("twice.ipynb", f"{SHOW.format(model=QUICK)}.__class__\ndisplay(w)\nw", "w", ASK, run=3)
    expect(page.locator(".ssew")).to_have_count(3)
    until_state(page, "done")
    until_seen(page, golden(lab, QUICK), copies=3)
    lab.save(page)
    page.goto("about:blank")
    lab.end_kernels()
    lab.open(page, "twice.ipynb")
    until_seen(page, golden(lab, QUICK), copies=3)


def test_it_stands_inside_other_widgets(live: Any, lab: Lab) -> None:
    nested = "import ipywidgets\nout = ipywidgets.Output()\nwith out: display(w)\ndisplay(ipywidgets.VBox([w]), out)"
    page = live("nested.ipynb", SHOW.format(model=SLOW), nested, ASK, run=3)
    expect(page.locator(".ssew")).to_have_count(3)
    until_state(page, "done")
    keep(page, "lasting-nested")
    until_seen(page, golden(lab, SLOW), copies=3)


def test_a_closed_widget_leaves_its_answer(live: Any, lab: Lab) -> None:
    page = live("closed.ipynb", SHOW.format(model=QUICK), f"answer = await w.ask({QUESTION!r})", "w.close()")
    until_state(page, "done")
    lab.run(page, 2)
    expect(page.locator(".ssew")).to_have_count(0)
    until_seen(page, golden(lab, QUICK))
