"""What a sweep runs over: recordings, or tokens with their times, each under a name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sse_widget.cassette import Cassette, samples
from sse_widget.errors import CassetteError
from sse_widget.measure.virtual.serving import Tokens
from sse_widget.protocol.cassette import SUFFIX
from sse_widget.protocol.transcript import transcript

if TYPE_CHECKING:
    from collections.abc import Iterable

    Source = Cassette | Tokens | str | os.PathLike[str]
    Sources = Source | Iterable[Source] | Mapping[str, Source]


def streams_of(sources: Sources) -> dict[str, Tokens]:
    """Return the tokens of each source by its name: what a mapping says, the file's, the sample's, or the title.

    Raises CassetteError for a recording that cannot be read or did not end well, and ValueError when two have one name.
    """
    if isinstance(sources, Mapping):
        return {str(name): tokens_of(source) for name, source in sources.items()}
    several = [sources] if isinstance(sources, Cassette | Tokens | str | os.PathLike) else list(sources)
    streams: dict[str, Tokens] = {}
    for source in several:
        name = _name_of(source)
        if name in streams:
            raise ValueError(f"two sources are called {name!r}; give a mapping of names to sources")
        streams[name] = tokens_of(source)
    return streams


def tokens_of(source: Source) -> Tokens:
    """Return what a recording said, piece by piece, as a model that says it again at the same times.

    A token is what one event says. Times count from the request, so the first of them holds the wait for it.
    """
    if isinstance(source, Tokens):
        return source
    cassette = source if isinstance(source, Cassette) else _load(source)
    said = list(transcript(cassette.reads))
    failure = next((one.failure for one in said if one.failure), None)
    plain = bool(said) and said[-1].plain and cassette.end is not None and cassette.end.end == "ended"
    if failure or not (plain or any(one.end for one in said)):
        raise CassetteError(f"the recorded answer {'failed: ' + failure if failure else 'breaks off'}; record it again")
    end_us = next((one.offset_us for one in said if one.end), round(cassette.duration_s * 1e6))
    return Tokens.of([(one.offset_us / 1e6, one.text) for one in said], end_us / 1e6)


def _load(source: str | os.PathLike[str]) -> Cassette:
    is_sample = isinstance(source, str) and source in samples() and not Path(source).exists()
    return Cassette.sample(str(source)) if is_sample else Cassette.load(source)


def _name_of(source: Source) -> str:
    match source:
        case Cassette():
            return source.header.title or source.header.url or "cassette"
        case Tokens():
            return "tokens"
        case _:
            return Path(source).name.removesuffix(SUFFIX)
