"""How pictures show, save and describe themselves."""

from __future__ import annotations

import subprocess
import sys
from base64 import b64decode
from xml.etree import ElementTree as ET

import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.textpath import TextPath

from sse_widget.plots import distribution
from sse_widget.plots.theme import DARK, LIGHT

SVG = "{http://www.w3.org/2000/svg}"
SAMPLES = {"delivered": [1.0, 2.0, 40.0], "displayed": [3.0, 3.5, 4.0]}


def _drawn(**settings):
    return distribution(SAMPLES, **settings)


def test_a_notebook_shows_it_with_an_alternative_text():
    picture = _drawn(title='Runs "a" & <b>')
    data, _ = DisplayFormatter().format(picture)
    image = ET.fromstring(data["text/html"].replace("<img", "<img xmlns=''").removesuffix(">") + "/>")  # noqa: S314 - ours
    assert image.get("alt") == picture.description
    assert picture.description.startswith('Runs "a" & <b>. delivered: median 2 ms')
    assert b64decode(image.get("src").removeprefix("data:image/svg+xml;base64,")).decode() == picture.svg()
    assert b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert data["text/plain"] == f"<Picture: {picture.description}>"


def test_the_suffix_says_what_is_saved(tmp_path):
    picture = _drawn()
    assert picture.save(tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    assert picture.save(tmp_path / "a.svg").read_text(encoding="utf-8") == picture.svg()
    for name in ("a.pdf", "a"):
        with pytest.raises(ValueError, match=r"\.png or \.svg"):
            picture.save(tmp_path / name)


def test_an_svg_has_its_name_and_description_for_screen_readers():
    picture = _drawn(title="Gaps <of> a run")
    root = ET.fromstring(picture.svg())  # noqa: S314 - ours
    assert root.get("role") == "img"
    title, description = (root.find(f".//*[@id='{name}']") for name in root.get("aria-labelledby").split())
    assert (title.tag, title.text) == (f"{SVG}title", "Gaps <of> a run")
    assert (description.tag, description.text) == (f"{SVG}desc", picture.description)


def test_an_svgs_text_is_text():
    root = ET.fromstring(_drawn(title="كيف يُقرأ النص؟").svg())  # noqa: S314 - ours
    texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert {"كيف يُقرأ النص؟", "delivered", "displayed"} <= set(texts)


def test_arabic_is_joined_and_runs_from_right_to_left():
    # The forms that letters take beside each other, put from left to right as they must stand, and as they must not.
    drawn, joined, reversed_ = (
        sorted(map(tuple, TextPath((0, 0), text, size=20).vertices.round(3)))
        for text in ("سلام", "\u202d\ufee1\ufefc\ufeb3\u202c", "\u202d\ufeb3\ufefc\ufee1\u202c")
    )
    assert drawn == joined
    assert drawn != reversed_


def test_the_same_picture_has_the_same_bytes():
    assert _drawn().svg() == _drawn().svg()
    assert _drawn().png() == _drawn().png()


def test_pictures_in_one_page_share_no_id():
    ids = [
        {element.get("id") for element in ET.fromstring(_drawn(title=title).svg()).iter() if element.get("id")}  # noqa: S314
        for title in ("one", "two")
    ]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_every_reference_in_an_svg_has_its_target():
    svg = _drawn().svg()
    root = ET.fromstring(svg)  # noqa: S314 - ours
    ids = {element.get("id") for element in root.iter()}
    used = {value[1:] for element in root.iter() for name, value in element.attrib.items() if name.endswith("href")}
    clips = {part.split(")")[0] for part in svg.split("url(#")[1:]}
    assert used
    assert used | clips <= ids


def test_only_auto_changes_in_the_dark():
    light, dark, auto = (_drawn(theme=theme).svg() for theme in ("light", "dark", "auto"))
    assert "prefers-color-scheme" not in light + dark
    assert LIGHT.delivered in light
    assert DARK.delivered in dark
    assert LIGHT.delivered not in dark
    for one, other in ((LIGHT.ground, DARK.ground), (LIGHT.delivered, DARK.delivered), (LIGHT.ink, DARK.ink)):
        assert f"var(--c{one[1:]}, {one})" in auto
        assert f"--c{one[1:]}: {other}" in auto
    # All that is drawn in a colour of the theme is drawn by its variable.
    drawn = auto.partition("</style>")[2]
    assert drawn.count(f"fill: {LIGHT.ink}") + drawn.count(f"stroke: {LIGHT.delivered}") == 0


def test_matplotlib_is_loaded_by_the_plots_alone():
    code = """
import sys, sse_widget as sw
sw.Answer
assert "matplotlib" not in sys.modules
sw.plots
assert "matplotlib" in sys.modules
"""

    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib_the_error_says_what_to_install():
    code = "import sys; sys.modules['matplotlib'] = None; import sse_widget as sw; sw.plots"
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert ended.stderr.endswith("ImportError: plots need matplotlib: pip install 'sse-widget[measure]'\n")
