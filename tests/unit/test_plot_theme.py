"""The plots' colours: contrast by WCAG's formula, and what people with dichromatic sight tell apart."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest

from sse_widget.plots.theme import DARK, HATCHES, LIGHT, LINES, MARKERS, STAGES, contrast, dark_for_light, theme_of

THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])

# Linear RGB as they see it: Machado, Oliveira and Fernandes (2009), doi:10.1109/TVCG.2009.113, severity 1.0.
SIGHT = {
    "common": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
}
TOLD_APART = 15
"""CIE 1976 distance of two colours that side by side are clearly two; just noticeable is about 2.3."""


def _linear(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def _lab(red, green, blue):
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    x, y, z = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _seen(colour, sight):
    return _lab(
        *(min(1, max(0, sum(m * p for m, p in zip(row, _linear(colour), strict=True)))) for row in SIGHT[sight])
    )


def _distance(one, other, sight):
    return sum((a - b) ** 2 for a, b in zip(_seen(one, sight), _seen(other, sight), strict=True)) ** 0.5


def test_contrast_is_wcags():
    # Examples whose ratios the standard's understanding documents and checkers agree on.
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    assert contrast("#ff0000", "#ffffff") == pytest.approx(4.0, abs=0.005)


@THEMES
def test_text_is_readable(theme):
    for colour in (theme.ink, theme.faint, theme.warn):
        assert contrast(colour, theme.ground) >= 4.5


@THEMES
def test_what_is_drawn_stands_out_from_the_ground(theme):
    drawn = {theme.delivered, theme.displayed, theme.expected, *theme.series, *theme.stages[1:]}
    assert min(contrast(colour, theme.ground) for colour in drawn) >= 3


@THEMES
@pytest.mark.parametrize("sight", SIGHT)
def test_colours_are_told_apart_by_everyone(theme, sight):
    beside = [(theme.delivered, theme.displayed), *combinations(theme.stages[1:], 2), *pairwise(theme.series)]
    near = {pair: _distance(*pair, sight) for pair in beside}
    assert min(near.values()) >= TOLD_APART, near


@THEMES
def test_no_colour_is_the_only_sign(theme):
    assert len(theme.stages) == len(STAGES) == len(HATCHES)
    assert len(theme.series) == len(set(LINES)) == len(set(MARKERS))
    by_hatch = {}
    for stage, hatch, colour in zip(STAGES, HATCHES, theme.stages, strict=True):
        by_hatch.setdefault(hatch, []).append((stage, colour))
    plain = [STAGES.index(stage) for stage, _ in by_hatch[""]]
    assert all(later - earlier > 1 for earlier, later in pairwise(plain) if earlier), (
        "neighbours differ in more than colour"
    )


def test_each_light_colour_has_one_dark_one():
    pairs = dark_for_light()
    for field in LIGHT.__struct_fields__:
        light, dark = getattr(LIGHT, field), getattr(DARK, field)
        one_each = [(light, dark)] if isinstance(light, str) else zip(light, dark, strict=True)
        assert all(pairs[one] == other for one, other in one_each), field


def test_a_theme_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="'auto', 'light' or 'dark'"):
        theme_of("sepia")
