"""Sources that other packages bring, by the Python entry points of the group `sse_server.sources`.

The contract: an entry point's name is that of the model, and its object a factory without arguments that returns a
TokenSource. It is called once, by the first question to `NAME` or `NAME:…`, in the server's event loop; `request.model`
has the whole name that was asked for. The source is closed with the server.
"""

from __future__ import annotations

import logging
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from sse_server.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint

    from sse_server.sources.base import TokenSource

GROUP = "sse_server.sources"
logger = logging.getLogger(__name__)


class Plugins:
    """The entry points that are installed. Their packages are imported by the first question to them, and not before.

    Names in `taken` are the server's own; an entry point of such a name is passed over.
    """

    def __init__(self, taken: frozenset[str]) -> None:
        self._found: dict[str, EntryPoint] = {}
        for point in entry_points(group=GROUP):
            if point.name in taken or point.name in self._found or ":" in point.name:
                logger.warning(
                    "the source %r of %r is passed over: its name is taken, or none", point.name, point.value
                )
            else:
                self._found[point.name] = point
        self._sources: dict[str, TokenSource] = {}

    @property
    def names(self) -> list[str]:
        """The models that they offer."""
        return sorted(self._found)

    def source_of(self, name: str) -> TokenSource | None:
        """Return the source of this name, None without one. Raises ServerError for one that cannot be used."""
        if name not in self._found:
            return None
        if name not in self._sources:
            self._sources[name] = _made(self._found[name])
        return self._sources[name]

    async def close(self) -> None:
        """Close every source, whatever one of them does then."""
        for name, source in self._sources.items():
            try:
                await source.close()
            except Exception:
                logger.exception("the source %r could not be closed", name)


def _made(point: EntryPoint) -> TokenSource:
    try:
        factory: Callable[[], TokenSource] = point.load()
        source = factory()
    except Exception as error:
        # Whatever a foreign package raises concerns no other model, and its words may hold a path or a key.
        logger.warning("the source %r (%s) is broken", point.name, point.value, exc_info=True)
        raise ServerError("broken_source", name=point.name) from error
    if not (callable(getattr(source, "tokens", None)) and callable(getattr(source, "close", None))):
        kind = type(source).__name__
        logger.warning(
            "the source %r is broken: %s returned %s, which has no tokens() and close()", point.name, point.value, kind
        )
        raise ServerError("broken_source", name=point.name)
    return source
