"""The providers that the settings name: their addresses, their keys, and the sources of their models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from sse_server.config import ConfigError
from sse_server.sources.anthropic import VERSION, AnthropicSource
from sse_server.sources.base import TokenSource
from sse_server.sources.openai import OpenAISource
from sse_server.sources.upstream import Patience, Upstream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sse_server.config import Config

_LONGEST_NAME = 200
_MOST_KEPT = 64


class Provider(msgspec.Struct, frozen=True):
    """One provider's place and manners; `headers_of` makes the headers that carry a key."""

    url: str
    key_variable: str
    headers_of: Callable[[str], dict[str, str]]
    source_of: Callable[[Upstream, str], TokenSource]


KNOWN = {
    "openai": Provider(
        "https://api.openai.com/v1", "OPENAI_API_KEY", lambda key: {"Authorization": f"Bearer {key}"}, OpenAISource
    ),
    "anthropic": Provider(
        "https://api.anthropic.com", "ANTHROPIC_API_KEY", lambda key: {"x-api-key": key}, AnthropicSource
    ),
}
_ALWAYS = {"anthropic": {"anthropic-version": VERSION}}


class Providers:
    """The upstreams by the kind of a model, such as `openai` of `openai:NAME`: those with a URL or a key.

    Each is made at its first question, and shared by all runs. Raises ConfigError for a URL or a key that cannot be.
    """

    def __init__(self, config: Config, environment: Mapping[str, str]) -> None:
        self._patience = Patience(
            config.upstream_connect_timeout_s, config.upstream_idle_timeout_s, config.upstream_retries
        )
        self._settings: dict[str, tuple[str, str]] = {}
        self._upstreams: dict[str, Upstream] = {}
        self._sources: dict[str, TokenSource] = {}
        for kind, provider in KNOWN.items():
            url = getattr(config, f"{kind}_url")
            key = read_key(getattr(config, f"{kind}_key_file"), provider.key_variable, environment)
            if url or key:
                self._settings[kind] = base_url(kind, url or provider.url), key

    @property
    def kinds(self) -> list[str]:
        """The kinds of models that can be asked."""
        return list(self._settings)

    def source_of(self, kind: str, name: str) -> TokenSource | None:
        """Return the source of a model, None for a kind that is not set up or a name that is none."""
        if kind not in self._settings or not 0 < len(name) <= _LONGEST_NAME:
            return None
        model = f"{kind}:{name}"
        if model not in self._sources:
            # A source has learned what its server understands; names come from requests, so not all are kept.
            if len(self._sources) >= _MOST_KEPT:
                self._sources.pop(next(iter(self._sources)))
            self._sources[model] = KNOWN[kind].source_of(self.upstream(kind), name)
        return self._sources[model]

    def upstream(self, kind: str) -> Upstream:
        """Return the connections to a provider."""
        if kind not in self._upstreams:
            url, key = self._settings[kind]
            provider = KNOWN[kind]
            headers = _ALWAYS.get(kind, {}) | (provider.headers_of(key) if key else {})
            setting = f"{provider.key_variable} or --{kind}-key-file"
            self._upstreams[kind] = Upstream(url, headers, self._patience, key=key, setting=setting)
        return self._upstreams[kind]

    async def close(self) -> None:
        """Close all connections."""
        for upstream in self._upstreams.values():
            await upstream.close()


def base_url(kind: str, url: str) -> str:
    """Return the address that a provider's paths are joined to; an OpenAI server's are under `/v1` or another."""
    path = urlsplit(url).path.rstrip("/")
    url = url.rstrip("/")
    if kind == "openai":
        return url if path else f"{url}/v1"
    return url.removesuffix("/v1")


def read_key(file: str, variable: str, environment: Mapping[str, str]) -> str:
    """Return the key of a file, else of an environment variable, empty without one.

    Raises ConfigError for one that no header can carry, and does not repeat it.
    """
    if file:
        try:
            key = Path(file).read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ConfigError(f"cannot read the key file {file}: {reason}") from error
        if not key:
            raise ConfigError(f"the key file {file} is empty; put the provider's key into it")
    else:
        key = environment.get(variable, "").strip()
    if not all("!" <= letter <= "~" for letter in key):
        raise ConfigError(f"the key of {file or variable} is none: it has blanks, lines, or letters beyond ASCII")
    return key
