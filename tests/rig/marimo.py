"""A real marimo, as an editor or as an app, on one notebook."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rig.process import Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FLAGS = ("--headless", "--no-token", "--host=127.0.0.1", "--port=0")
_SETTINGS = '[tool.marimo.display]\ntheme = "system"\n[tool.marimo.runtime]\nauto_instantiate = true\n'
_CELL = "@app.cell\ndef _({takes}):\n{body}\n    return ({gives})\n\n"


@contextmanager
def marimo_on(folder: Path, cells: list[tuple[str, str, str]], *, mode: str = "edit") -> Iterator[str]:
    """Run `marimo edit` or `marimo run`, and yield the URL; a cell is (names it takes, its code, names it gives)."""
    notebook = folder / "notebook.py"
    body = [
        _CELL.format(takes=takes, body="\n".join(f"    {line}" for line in code.splitlines()), gives=gives)
        for takes, code, gives in cells
    ]
    notebook.write_text("import marimo\n\napp = marimo.App()\n\n\n" + "".join(body), "utf-8")
    (folder / "pyproject.toml").write_text(_SETTINGS, "utf-8")
    program = Program(
        [sys.executable, "-m", "marimo", mode, notebook.name, *_FLAGS],
        folder / "marimo.log",
        cwd=folder,
        env={**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), "MARIMO_SKIP_UPDATE_CHECK": "1"},
    )
    try:
        yield program.wait_for(r"URL: (http://\S+)")[1]
    finally:
        program.end()
