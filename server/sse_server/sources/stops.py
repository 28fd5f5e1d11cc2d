"""Stop sequences: an answer ends before the first of these texts, whichever source makes it."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from sse_server.sources.base import Token

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence


class Stops:
    """Looks for the texts in what is pushed, and holds back an end that may be the beginning of one."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._held = ""

    def push(self, text: str) -> tuple[str, bool]:
        """Return what may be said, and whether it ends there."""
        text = self._held + text
        places = [place for stop in self._texts if (place := text.find(stop)) >= 0]
        if places:
            self._held = ""
            return text[: min(places)], True
        keep = max((_overlap(text, stop) for stop in self._texts), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], False

    def rest(self) -> str:
        """Return what was held back, for no more comes."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Return how long the end of `text` is that `stop` begins with."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if stop.startswith(text[-size:])), 0)


async def until_stop(tokens: AsyncGenerator[Token, None], texts: Sequence[str]) -> AsyncGenerator[Token, None]:
    """Yield the tokens up to the first of these texts, which is left out; leaving the rest stops the model.

    What is held back comes with the token that decides it, so a few tokens may come as one.
    """
    stops = Stops(texts)
    async with aclosing(tokens):
        async for token in tokens:
            text, over = stops.push(token.text)
            if over:
                yield Token(text, "stop")
                return
            if token.finish:
                text += stops.rest()
            if text or token.finish:
                yield msgspec.structs.replace(token, text=text)
