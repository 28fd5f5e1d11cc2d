"""Pictures in a real JupyterLab, light and dark: they show, and screen readers are told what is on them."""

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
    ("theme", "host", "ground"),
    [
        ("auto", "light", [255, 255, 255, 255]),
        ("auto", "dark", [22, 24, 29, 255]),
        ("dark", "light", [22, 24, 29, 255]),
        ("light", "dark", [255, 255, 255, 255]),
    ],
)
def test_a_picture_shows_itself_in_a_notebook(
    lab: Any, fresh_page: Page, theme: str, host: str, ground: list[int]
) -> None:
    name = f"plot-{theme}-{host}.ipynb"
    lab.write(name, [CELL % theme])
    lab.open(fresh_page, name)
    # What a host says that it is; JupyterLab says nothing, and counts as light.
    fresh_page.evaluate("scheme => document.documentElement.style.colorScheme = scheme", host)
    lab.run(fresh_page, 0)
    image = fresh_page.get_by_role("img", name="فجوات. delivered: median 110 ms, 95th percentile 371 ms.")
    expect(image).to_be_visible(timeout=LIMIT_MS)
    fresh_page.wait_for_function("image => image.complete && image.naturalWidth > 400", arg=image.element_handle())
    assert image.evaluate(GROUND) == ground
