"""What makes a drawn SVG readable: for screen readers, in the dark, and beside others in one page."""

from __future__ import annotations

import re
from hashlib import sha256
from html import escape
from typing import TYPE_CHECKING

from sse_widget.plots.theme import dark_for_light

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEAD = re.compile(r"^.*?(<svg\b[^>]*>)", re.DOTALL)
_ID = re.compile(r'(\bid="|\bxlink:href="#|\bhref="#|url\(#)')
_PLACES = re.compile(r'\b(?:d|x|y|points|transform)="[^"]*"')
_FINE = re.compile(r"(\.\d{2})\d+")
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")


def finished(svg: str, title: str, description: str, *, adapts: bool) -> str:
    """Return the picture with its title and description, ids of its own, and without what a page does not need.

    With `adapts` the light theme's colours turn into the dark one's where the reader's system prefers that
    (`prefers-color-scheme`), or where an element around it says `data-theme="dark"`.
    """
    mark = f"sw{sha256(f'{title}{description}{svg}'.encode()).hexdigest()[:10]}"
    # A hundredth of a point is finer than any screen, and all digits would be half of the file.
    svg = _PLACES.sub(lambda found: _FINE.sub(r"\1", found[0]), svg)
    svg = _ID.sub(rf"\g<1>{mark}-", svg)
    colours = {light: dark for light, dark in dark_for_light().items() if light in svg} if adapts else {}
    if colours:
        svg = _COLOUR.sub(lambda found: _variable(found[0], colours), svg)
    head = _HEAD.match(svg)
    if head is None:
        raise ValueError("this is no SVG")
    label = (
        f'<title id="{mark}-title">{escape(title)}</title>\n<desc id="{mark}-desc">{escape(description)}</desc>\n'
        f"<style>{_style(mark, colours)}</style>"
    )
    opened = f'{head[1][:-1]} class="{mark}" role="img" aria-labelledby="{mark}-title {mark}-desc">'
    return f"{opened}\n{label}{svg[head.end() :]}"


def _variable(colour: str, colours: Mapping[str, str]) -> str:
    return f"var(--c{colour[1:]}, {colour})" if colour in colours else colour


def _style(mark: str, colours: Mapping[str, str]) -> str:
    # Without it a browser puts a mixed Arabic and Latin text in the order of a Latin one.
    text = f".{mark} text {{ unicode-bidi: plaintext }}"
    if not colours:
        return text
    dark = "; ".join(f"--c{light[1:]}: {dark}" for light, dark in colours.items())
    light = "; ".join(f"--c{light[1:]}: {light}" for light in colours)
    return (
        f"{text}\n@media (prefers-color-scheme: dark) {{ .{mark} {{ {dark} }} }}\n"
        f'[data-theme="dark"] .{mark} {{ {dark} }}\n[data-theme="light"] .{mark} {{ {light} }}'
    )
