"""A long answer into a JupyterLab cell: every character of it, and next to nothing over the kernel's own socket.

What it costs the page is measured by tests/benchmarks/bench_lab.py.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rig.renderer import Renderer
from rig.view import LIMIT_MS, until_state, until_typed
from sse_server.sources.synthetic import SyntheticParams, words

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from rig.browser import Lab

PARAMS = SyntheticParams(tokens=3000, lang="markdown")
TEXT = "".join(words(PARAMS))
KERNEL_BYTES = 300_000
SHOW = """
import sse_widget as sw
from sse_server.sources.synthetic import SyntheticParams, words

shown = sw.show(words(SyntheticParams(tokens=3000, lang="markdown")), markdown={markdown}, delay_ms=5)
"""


def run(page: Page, lab: Lab, name: str, cell: str) -> int:
    """Run a cell to the end of its answer, and return the bytes that crossed the kernel's socket for it."""
    renderer = Renderer(page)
    lab.write(name, [cell])
    lab.open(page, name)
    before = renderer.kernel_bytes
    lab.run(page, 0)
    page.wait_for_selector(".ssew-answer", timeout=LIMIT_MS)
    until_state(page, "done")
    page.wait_for_selector(".ssew-answer[aria-busy=false]", timeout=LIMIT_MS)
    return renderer.kernel_bytes - before


def test_its_tokens_stay_off_the_kernels_socket(lab: Lab, fresh_page: Page) -> None:
    crossed = run(fresh_page, lab, "long.ipynb", SHOW.format(markdown=True))
    print(f"\n3,000 tokens by sw.show: {crossed:,} B over the kernel's socket, the widget's own code included")
    assert crossed < KERNEL_BYTES
    code = fresh_page.locator(".ssew-code code").evaluate_all("found => found.map((code) => code.textContent)")
    fenced = re.findall(r"^```\w*\n(.*?)(?:\n```$|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert [block.rstrip("\n") for block in code] == fenced
    headings = fresh_page.locator(".ssew-text h2").all_inner_texts()
    assert headings == re.findall(r"^## (.*)", TEXT, re.MULTILINE)
    rows = fresh_page.locator(".ssew-text tr").count()
    assert rows == len(re.findall(r"^\|(?! ---)", TEXT, re.MULTILINE))


def test_its_text_is_the_one_that_was_yielded(lab: Lab, fresh_page: Page) -> None:
    cell = f'{SHOW.format(markdown=False)}\nassert await shown == "".join(words({PARAMS!r}))'
    run(fresh_page, lab, "exact.ipynb", cell)
    until_typed(fresh_page, TEXT)
    assert fresh_page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0


def test_the_bundle_decodes_character_references(lab: Lab, fresh_page: Page) -> None:
    """The browser's own tables stand in for those of the package, which tests without a browser use."""
    run(
        fresh_page,
        lab,
        "references.ipynb",
        'import sse_widget as sw\nshown = sw.show(["&copy;&notit;&semi;&#x41;&lt;b>"])',
    )
    until_typed(fresh_page, "©&notit;;A<b>")
