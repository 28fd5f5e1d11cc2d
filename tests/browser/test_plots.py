"""Pictures in a real JupyterLab: they show, and screen readers are told what is on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from rig.view import LIMIT_MS

if TYPE_CHECKING:
    from playwright.sync_api import Page

CELL = "import sse_widget as sw\nsw.plots.distribution({'delivered': [90, 110, 400]}, title='فجوات', theme=%r)"
GROUND = """image => {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return [...context.getImageData(2, 2, 1, 1).data];
}"""


@pytest.mark.parametrize(
    ("theme", "ground"),
    [("auto", [255, 255, 255, 255]), ("light", [255, 255, 255, 255]), ("dark", [22, 24, 29, 255])],
)
def test_a_picture_shows_itself_in_a_notebook(lab: Any, fresh_page: Page, theme: str, ground: list[int]) -> None:
    name = f"plot-{theme}.ipynb"
    lab.write(name, [CELL % theme])
    lab.open(fresh_page, name)
    lab.run(fresh_page, 0)
    image = fresh_page.get_by_role("img", name="فجوات. delivered: median 110 ms, 95th percentile 371 ms.")
    expect(image).to_be_visible(timeout=LIMIT_MS)
    fresh_page.wait_for_function("image => image.complete && image.naturalWidth > 400", arg=image.element_handle())
    assert image.evaluate(GROUND) == ground
