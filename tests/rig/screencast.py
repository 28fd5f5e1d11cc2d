"""What the screen showed, and when: the frames of a screencast (CDP Page.startScreencast) on the page's clock."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.image import imread

if TYPE_CHECKING:
    from playwright.sync_api import Page

    Box = tuple[int, int, int, int]

FRAME_MS = 1000 / 60


class Screencast:
    """The frames of a page since it was made, which must not scroll meanwhile. Times are ms of its performance.now().

    A frame comes when something has changed. Its time is the one at which the screen was to show it.
    """

    def __init__(self, page: Page) -> None:
        self._origin_ms = page.evaluate("performance.timeOrigin")
        self._found: list[tuple[float, str]] = []
        self._cdp = page.context.new_cdp_session(page)
        self._cdp.on("Page.screencastFrame", self._take)
        self._cdp.send("Page.startScreencast", {"format": "png", "everyNthFrame": 1})

    def frames(self) -> tuple[list[float], list[Any]]:
        """End it, and return the times and the pictures, from 0 (black) to 1 (white), as rows of pixels."""
        self._cdp.send("Page.stopScreencast")
        self._cdp.detach()
        times = [1000 * at - self._origin_ms for at, _ in self._found]
        return times, [_grey(data) for _, data in self._found]

    def _take(self, frame: dict[str, Any]) -> None:
        self._found.append((frame["metadata"]["timestamp"], frame["data"]))
        self._cdp.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})


def first_shown(times: list[float], pictures: list[Any], box: Box) -> float:
    """Return when a box (left, top, right, bottom) first looked as it does in the last frame, and stayed so."""
    left, top, right, bottom = box
    parts = [picture[top:bottom, left:right] for picture in pictures]
    other = [at for at, part in enumerate(parts) if not np.allclose(part, parts[-1], atol=0.05)]
    return times[other[-1] + 1 if other else 0]


def _grey(data: str) -> Any:
    return imread(io.BytesIO(base64.b64decode(data)), format="png")[:, :, :3].mean(axis=2)
