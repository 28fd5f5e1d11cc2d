"""A package that brings sources by entry points, laid down as an installer would."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MODULE = """
from sse_server.sources.base import Token

class Echo:
    closed = False

    async def tokens(self, request):
        words = f"{request.model} heard: {request.messages[-1].content}".split()
        limit = request.max_tokens or len(words)
        for word in words[:limit]:
            yield Token(word + " ")
        yield Token("", "length" if limit < len(words) else "stop")

    async def close(self):
        Echo.closed = True

def failing():
    raise RuntimeError("no licence")

def wrong():
    return 5

class Sticky(Echo):
    async def close(self):
        raise RuntimeError("will not close")
"""
POINTS = """[sse_server.sources]
echo = plugged_for_tests:Echo
failing = plugged_for_tests:failing
wrong = plugged_for_tests:wrong
absent = plugged_for_tests_absent:Source
local = plugged_for_tests:Echo
sticky = plugged_for_tests:Sticky
"""


def plug(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the package importable, and its entry points known."""
    (folder / "plugged_for_tests.py").write_text(MODULE, "utf-8")
    info = folder / "plugged_for_tests-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged-for-tests\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(POINTS, "utf-8")
    monkeypatch.syspath_prepend(folder)
