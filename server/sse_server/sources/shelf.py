"""The recordings that a server may replay, each by its name."""

from __future__ import annotations

from pathlib import Path

from sse_server.config import ConfigError
from sse_server.errors import ServerError
from sse_widget.protocol.cassette import SUFFIX

_SHOWN = 80


class Shelf:
    """`place` is a folder of recordings, or one of them, empty for none; `shipped` is the folder of the samples.

    A name is that of a file without its suffix. It is only ever compared with those that are there, and never made into
    a path. Raises ConfigError for a place that is neither.
    """

    def __init__(self, place: str, shipped: Path) -> None:
        own = Path(place)
        if place and not own.exists():
            raise ConfigError(
                f"there is no file or folder {place!r}; --cassettes names a folder of {SUFFIX} recordings"
            )
        if place and own.is_file() and own.suffix != SUFFIX:
            raise ConfigError(f"{own.name!r} is no {SUFFIX} recording; --cassettes names one, or a folder of them")
        self._places = [shipped, *([own] if place else [])]

    def files(self) -> dict[str, Path]:
        """Return the recordings that are there now, by name; the server's own stand before samples of their name."""
        found: dict[str, Path] = {}
        for place in self._places:
            files = [place] if place.is_file() else sorted(place.glob(f"*{SUFFIX}"))
            found |= {path.stem: path for path in files}
        return found

    def path(self, name: str) -> Path:
        """Return the file of a recording. Raises ServerError `not_found`, with the names that there are."""
        files = self.files()
        if name not in files:
            raise ServerError("unknown_cassette", name=name[:_SHOWN], known=", ".join(sorted(files)))
        return files[name]
