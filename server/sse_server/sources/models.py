"""The models that a server offers: which there are, who may be asked, and the source of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sse_server.errors import ServerError
from sse_server.sources.local import LocalSource
from sse_server.sources.replay import ReplaySource, parse_replay
from sse_server.sources.synthetic import SyntheticSource, parse_params

if TYPE_CHECKING:
    from sse_server.sources.base import TokenSource
    from sse_server.sources.shelf import Shelf

_MOST_NAMED = 20


class Models:
    """The sources by model name: `local`, the configured GGUF file, `synthetic:…`, and `replay:…`.

    `default` is the model of questions that name none: a file goes by its name, for its path concerns nobody.
    """

    def __init__(self, configured: str, shelf: Shelf) -> None:
        path = Path(configured)
        self._shelf = shelf
        self._sources: dict[str, TokenSource] = {}
        self._files = {path.name: path} if path.suffix == ".gguf" else {}
        self.default = path.name if self._files else configured
        self.source_of(self.default)

    def source_of(self, model: str) -> TokenSource:
        """Return the source of a model; each is made once. Raises ServerError for a model that is not offered."""
        kind, _, params = model.partition(":")
        if kind == "synthetic":
            return SyntheticSource(parse_params(params))
        if kind == "replay":
            name, speed = parse_replay(params)
            return ReplaySource(name, self._shelf.path(name), speed)
        if model not in self._sources:
            if model != "local" and model not in self._files:
                recordings = [f"replay:{name}" for name in sorted(self._shelf.files())[:_MOST_NAMED]]
                known = ", ".join(["local", *self._files, "synthetic:…", *recordings])
                raise ServerError("unknown_model", name=model[:80], known=known)
            self._sources[model] = LocalSource(self._files.get(model))
        return self._sources[model]

    async def close(self) -> None:
        """End what the sources hold."""
        for source in self._sources.values():
            await source.close()
