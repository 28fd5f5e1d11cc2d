"""The models that a server offers: which there are, which may be asked, and the source of each."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from sse_server.config import ConfigError
from sse_server.errors import ServerError
from sse_server.sources.local import LocalSource
from sse_server.sources.plugins import Plugins
from sse_server.sources.providers import KNOWN, Providers
from sse_server.sources.replay import ReplaySource, parse_replay
from sse_server.sources.synthetic import SyntheticSource, check_caps, parse_params

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sse_server.config import Config
    from sse_server.sources.base import TokenSource
    from sse_server.sources.shelf import Shelf

EXAMPLE = "synthetic:tokens=250,rate=50"
_MOST_NAMED = 20
_OWN = frozenset({"local", "synthetic", "replay", *KNOWN})


class Models:
    """The sources by model name: `local`, the GGUF file, `openai:…`, `anthropic:…`, plugins, `synthetic:…`, `replay:…`.

    `default` is the model of questions that name none: a file goes by its name, for its path concerns nobody. It may
    always be asked, any other one only if a pattern of `allow_model` fits, should there be any. Raises ConfigError or
    ServerError for a default that cannot be asked.
    """

    def __init__(self, config: Config, shelf: Shelf, environment: Mapping[str, str] = os.environ) -> None:
        path = Path(config.model)
        self._config = config
        self._shelf = shelf
        self._providers = Providers(config, environment)
        self._plugins = Plugins(_OWN)
        self._sources: dict[str, TokenSource] = {}
        self._files = {path.name: path} if path.suffix == ".gguf" else {}
        self.default = path.name if self._files else config.model
        self._check_default()

    def _check_default(self) -> None:
        kind = self.default.partition(":")[0]
        if kind in KNOWN and kind not in self._providers.kinds:
            raise ConfigError(
                f"the model {self.default!r} needs a key ({KNOWN[kind].key_variable} in the environment, or "
                f"--{kind}-key-file) or an address (--{kind}-url)"
            )
        self.source_of(self.default)

    def names(self) -> list[str]:
        """Return the models that have one name, the default first; those that are made up of parameters are endless."""
        recordings = [f"replay:{name}" for name in sorted(self._shelf.files())]
        names = [self.default, "local", *self._files, *self._plugins.names, *recordings]
        return [name for name in dict.fromkeys(names) if self._allows(name)]

    def source_of(self, model: str) -> TokenSource:
        """Return the source of a model. Raises ServerError for one that is not offered, or not so."""
        source = self._find(model) if self._allows(model) else None
        if source is None:
            raise ServerError("unknown_model", name=model[:80], known=", ".join(self._offers()))
        return source

    def _find(self, model: str) -> TokenSource | None:
        kind, _, rest = model.partition(":")
        if model in self._sources:
            return self._sources[model]
        match kind:
            case "synthetic":
                params = parse_params(rest)
                check_caps(params, self._config.max_synthetic_tokens, self._config.max_synthetic_s)
                return SyntheticSource(params)
            case "replay":
                name, speed = parse_replay(rest)
                return ReplaySource(name, self._shelf.path(name), speed)
            case _ if kind in KNOWN:
                return self._providers.source_of(kind, rest)
            case _ if model == "local" or model in self._files:
                return self._sources.setdefault(model, LocalSource(self._files.get(model)))
            case _:
                return self._plugins.source_of(kind)

    def _allows(self, model: str) -> bool:
        patterns = self._config.allow_model
        # A bracket would begin a character class, and stands in no pattern that anyone means so.
        return (
            not patterns
            or model == self.default
            or any(fnmatchcase(model, pattern.replace("[", "[[]")) for pattern in patterns)
        )

    def _offers(self) -> list[str]:
        if self._config.allow_model:
            return list(dict.fromkeys([self.default, *self._config.allow_model]))
        recordings = [f"replay:{name}" for name in sorted(self._shelf.files())[:_MOST_NAMED]]
        kinds = [f"{kind}:…" for kind in [*self._providers.kinds, "synthetic"]]
        return ["local", *self._files, *self._plugins.names, *kinds, *recordings]

    async def close(self) -> None:
        """End what the sources hold."""
        for source in self._sources.values():
            await source.close()
        await self._plugins.close()
        await self._providers.close()
