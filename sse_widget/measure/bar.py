"""The progress bar of sweeps and loads; the only module that knows tqdm."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, TextIO


def bar_on(stream: TextIO, **settings: Any) -> Any:
    """Return a bar of tqdm on a stream, whose reader may go away; in a notebook it stands in the cell.

    Raises ImportError when tqdm, which the extra `measure` brings, is not installed.
    """
    return _kind()(file=_Lasting(stream), **settings)


def in_notebook() -> bool:
    """Whether a bar would stand in a cell. Raises ImportError as `bar_on` does."""
    return any(kind.__module__ == "tqdm.notebook" for kind in _kind().__mro__)


def _kind() -> Any:
    from tqdm.auto import tqdm  # noqa: PLC0415 - an optional extra

    return tqdm


class _Lasting:
    """A stream that may be written to when nobody reads it any more.

    A bar that cannot be written keeps tqdm's lock (4.67: `refresh` has no `finally`), for which every bar of another
    thread then waits for ever.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> None:
        """Write what can be written."""
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with suppress(OSError, ValueError):
            self._stream.flush()
