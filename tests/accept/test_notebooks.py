"""Every notebook in a real JupyterLab, as its reader runs it: Run All, no error, and the text stands in the page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from rig.shots import keep

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from rig.browser import Lab

FOLDER = Path(__file__).parents[2] / "notebooks"
LIMIT_MS = 90_000
ALL_CELLS = {"width": 1200, "height": 9000}
"""So high that JupyterLab, which takes cells out of the page that cannot be seen, shows all of them."""

VISIBLE = {
    "01_quickstart.ipynb": ["Quickstart", "Done"],
    "01_quickstart.ar.ipynb": ["البداية السريعة", "اكتمل"],
    "02_heartbeats_and_reconnection.ipynb": ["the model was asked 1 time", "characters before the break"],
    "03_typewriter_tuning.ipynb": ["delivered_gap_p95_ms", "custom", "pause after it, ms"],
    "04_any_iterator.ipynb": ["Progress", "OSError: the disk is full", "ولا ينتظر"],
    "05_flight_recorder.ipynb": ["the clocks agree within"],
    "06_record_break_replay.ipynb": ["and not a letter lost"],
    "07_chunking_and_typewriter_sweep.ipynb": ["Recommendation: chunk_tokens="],
    "08_load.ipynb": ["24 answers, 24 of them good"],
}


def test_every_notebook_is_tried() -> None:
    assert {path.name for path in FOLDER.glob("*.ipynb")} == set(VISIBLE)


@pytest.mark.parametrize("name", VISIBLE)
def test_it_runs_from_top_to_bottom(name: str, lab: Lab, fresh_page: Page) -> None:
    page = fresh_page
    page.set_viewport_size(ALL_CELLS)
    shutil.copy(FOLDER / name, lab.folder / name)
    lab.open(page, name)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    prompts = page.locator(".jp-CodeCell .jp-InputPrompt")
    cells = [cell for cell in json.loads((FOLDER / name).read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    expect(prompts).to_have_text([f"[{place}]:" for place in range(1, len(cells) + 1)], timeout=LIMIT_MS)
    for kind in ("stderr", "error"):
        assert page.locator(f".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.{kind}']").count() == 0
    for text in VISIBLE[name]:
        expect(page.locator(".jp-Notebook").get_by_text(text).filter(visible=True)).not_to_have_count(0)
    for answer in page.locator(".ssew-answer").all():
        expect(answer).to_have_attribute("aria-busy", "false")
        assert len(answer.inner_text()) > 10
    keep(page, f"notebook-{Path(name).stem}")
