"""Colours, line styles and hatches of the plots, and how well they can be told apart. Knows no matplotlib.

The hues are those of Okabe and Ito (2008), "Color Universal Design (CUD): How to make figures and presentations that
are friendly to colorblind people", made darker or lighter where their contrast to the ground would be less than 3 : 1.
Nothing is told by a colour alone: lines have styles, bars have hatches, and marks have shapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

Name = Literal["auto", "light", "dark"]

STAGES: Final = ("source", "chunk", "append", "write", "network", "parse", "show", "paint")
"""The stages of a delta in their order, as the frame's columns `…_ms` name them."""

HATCHES: Final = ("", "", "----", "", "////", "", "\\\\\\\\", "xxxx")
"""What fills the bars of a stage besides its colour."""

LINES: Final = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)))
"""Line styles of series in a row: whole, dashed, dotted, and mixtures."""

MARKERS: Final = ("o", "s", "^", "D", "v", "P")
"""Shapes of series in a row."""


class Theme(msgspec.Struct, frozen=True):
    """Colours as `#rrggbb`: the ground, text (`ink`, `faint`), lines of help (`grid`), and what is drawn with.

    `delivered` and `displayed` are the two curves that stand side by side everywhere, `expected` the reader's own.
    `series` are for runs beside each other, `stages` for those of a delta, in the order of `STAGES`.
    """

    ground: str
    ink: str
    faint: str
    grid: str
    delivered: str
    displayed: str
    expected: str
    warn: str
    series: tuple[str, ...]
    stages: tuple[str, ...]


LIGHT: Final = Theme(
    ground="#ffffff",
    ink="#22252b",
    faint="#5b616b",
    grid="#dfe2e7",
    delivered="#0072b2",
    displayed="#d55e00",
    expected="#43474f",
    warn="#b3261e",
    series=("#0072b2", "#d55e00", "#00805d", "#b5588c", "#4b5058", "#6e4d00"),
    stages=("#a3a9b3", "#005a96", "#4b5058", "#3095d6", "#00805d", "#b5588c", "#d55e00", "#6e4d00"),
)

DARK: Final = Theme(
    ground="#16181d",
    ink="#e6e7ea",
    faint="#a8adb7",
    grid="#343841",
    delivered="#56b4e9",
    displayed="#e66f15",
    expected="#c6cad2",
    warn="#ff8a80",
    series=("#56b4e9", "#e66f15", "#009e73", "#cc79a7", "#d0d4db", "#f0e442"),
    stages=("#6b727d", "#3d8fd1", "#d0d4db", "#8fd0f5", "#009e73", "#cc79a7", "#e66f15", "#f0e442"),
)


def theme_of(name: Name) -> Theme:
    """Return the colours that are drawn with; of `auto` the light ones, which an SVG changes where it is dark."""
    if name not in ("auto", "light", "dark"):
        raise ValueError(f"a theme is 'auto', 'light' or 'dark'; got {name!r}")
    return DARK if name == "dark" else LIGHT


def dark_for_light() -> Mapping[str, str]:
    """Return for each colour of the light theme the dark theme's for the same purpose."""
    pairs: dict[str, str] = {}
    for field in Theme.__struct_fields__:
        light, dark = getattr(LIGHT, field), getattr(DARK, field)
        pairs |= zip((light,), (dark,), strict=True) if isinstance(light, str) else zip(light, dark, strict=True)
    return pairs


def luminance(colour: str) -> float:
    """Return the relative luminance of `#rrggbb`, from 0 (black) to 1 (white), as WCAG 2.2 defines it."""
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21, as WCAG 2.2 defines it."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
