"""A drawn plot: shows itself in notebooks, saves itself as PNG or SVG, and says in words what is on it."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

try:
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.font_manager import fontManager
except ImportError as error:
    raise ImportError("plots need matplotlib: pip install 'sse-widget[measure]'") from error

from sse_widget.plots.svg import finished
from sse_widget.plots.theme import Theme, theme_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from sse_widget.plots.theme import Name

_DPI: Final = 144
_FONTS: Final = (
    "DejaVu Sans",  # comes with matplotlib; has Arabic, but neither Chinese, Japanese nor Korean
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Malgun Gothic",
    "WenQuanYi Zen Hei",
)
_NO_METADATA: Final = {"Creator": None, "Date": None, "Format": None, "Type": None}


class Picture:
    """A matplotlib Figure, as `figure`, with a `title` and a `description` of it in words.

    As the last expression of a cell it shows itself, with the description as the alternative text. It belongs to no
    global state of pyplot, so nothing has to be closed.
    """

    __slots__ = ("_theme", "description", "figure", "title")

    def __init__(self, figure: Figure, theme: Name, title: str, description: str) -> None:
        self.figure = figure
        self.title = title
        self.description = description
        self._theme: Name = theme

    @property
    def colours(self) -> Theme:
        """What it is drawn with; of the theme `auto` the light ones."""
        return theme_of(self._theme)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a `.png` (144 dots an inch) or an `.svg`; returns its path. ValueError for any other suffix."""
        path = Path(path)
        match path.suffix.lower():
            case ".png":
                path.write_bytes(self.png())
            case ".svg":
                path.write_text(self.svg(), encoding="utf-8")
            case suffix:
                raise ValueError(f"a picture is saved as .png or .svg; got {suffix or 'no suffix'!r}")
        return path

    def png(self, dpi: float = _DPI) -> bytes:
        """Return it as PNG, of so many dots an inch; of the theme `auto` the light one."""
        file = BytesIO()
        with rc_context(_rc(self.colours)):
            FigureCanvasAgg(self.figure).print_figure(
                file, format="png", dpi=dpi, metadata={"Description": self.description}
            )
        return file.getvalue()

    def svg(self) -> str:
        """Return it as an `<svg>` element with text as text, to be saved or put into a page, beside others if need be.

        Of the theme `auto` its colours follow the reader's: `sse_widget.plots.svg` says how.
        """
        file = StringIO()
        with rc_context(_rc(self.colours)):
            self.figure.savefig(file, format="svg", metadata=_NO_METADATA)
        return finished(file.getvalue(), self.title, self.description, adapts=self._theme == "auto")

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        # Notebooks give bare images no alternative text, so it is an image in HTML; the PNG is for all others.
        source = f"data:image/svg+xml;base64,{b64encode(self.svg().encode()).decode()}"
        width = round(self.figure.get_figwidth() * 96)
        return {
            "text/html": f'<img alt="{escape(self.description)}" width="{width}" src="{source}">',
            "image/png": b64encode(self.png()).decode(),
            "text/plain": repr(self),
        }

    def __repr__(self) -> str:
        return f"<Picture: {self.description}>"


def picture(
    paint: Callable[[Figure, Theme], str], theme: Name, title: str, *, width: float = 7.5, height: float = 3.6
) -> Picture:
    """Draw on a new figure of so many inches; `paint` returns what is on it in words."""
    colours = theme_of(theme)
    with rc_context(_rc(colours)):
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.suptitle(title, fontsize=11, fontweight="bold", x=0.012, ha="left")
        description = f"{title}. {paint(figure, colours)}"
        # A layout moves a little with every drawing. From here on it stays: the same picture has the same bytes.
        figure.draw_without_rendering()
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return Picture(figure, theme, title, description)


def _rc(theme: Theme) -> Any:  # of matplotlib's own type, in which each key is a literal
    installed = set(fontManager.get_font_names())
    return {
        "axes.axisbelow": True,
        "axes.edgecolor": theme.faint,
        "axes.facecolor": theme.ground,
        "axes.grid": True,
        "axes.labelcolor": theme.ink,
        "axes.labelsize": 9,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": theme.ink,
        "axes.titlelocation": "left",
        "axes.titlesize": 9.5,
        "axes.unicode_minus": True,
        "figure.facecolor": theme.ground,
        "font.family": [name for name in _FONTS if name in installed],
        "grid.color": theme.grid,
        "grid.linewidth": 0.6,
        "hatch.linewidth": 0.7,
        "legend.edgecolor": theme.grid,
        "legend.facecolor": theme.ground,
        "legend.fontsize": 8.5,
        "legend.frameon": False,
        "legend.labelcolor": theme.ink,
        "savefig.facecolor": theme.ground,
        "svg.fonttype": "none",
        "svg.hashsalt": "sse-widget",
        "text.color": theme.ink,
        "text.parse_math": False,
        "text.usetex": False,
        "xtick.color": theme.faint,
        "xtick.labelcolor": theme.ink,
        "xtick.labelsize": 8.5,
        "ytick.color": theme.faint,
        "ytick.labelcolor": theme.ink,
        "ytick.labelsize": 8.5,
    }
