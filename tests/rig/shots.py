"""Screenshots that are kept as artefacts of the tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

FOLDER_VARIABLE = "SSE_WIDGET_SCREENSHOTS"
_FOLDER = Path(__file__).parents[2] / "build" / "screenshots"


def keep(seen: Page | Locator, name: str) -> Path:
    """Write what is seen to `name`.png, in the folder of SSE_WIDGET_SCREENSHOTS, or in build/screenshots."""
    folder = Path(os.environ.get(FOLDER_VARIABLE) or _FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    seen.screenshot(path=path, animations="disabled")
    return path
