"""Flags, environment variables and a config file, in that order of precedence, into one frozen Config."""

from __future__ import annotations

import argparse
import os
import tomllib
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENV_PREFIX = "SSE_SERVER_"
MOST_WORKERS = 256
REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
MOST_RETRIES = 10
_BORROWED = {"openai_url": "OPENAI_BASE_URL", "anthropic_url": "ANTHROPIC_BASE_URL"}
"""The providers' own variables, which count where no setting of this server does."""

_SECRETS = frozenset({"tokens"})
LOG_FORMATS = ("text", "json")
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class ConfigError(Exception):
    """The settings contradict each other or cannot be read; the message says which and what to do."""


class Config(msgspec.Struct, frozen=True):
    """Settings of a server. Times in seconds, sizes in the unit of their name."""

    host: str = "127.0.0.1"
    port: int = 8765
    model: str = "local"
    log: str = "memory"
    workers: int = 1
    cassettes: str = ""
    heartbeat_s: float = 20.0
    max_question_length: int = 10_000
    max_runs: int = 64
    max_connections: int = 10_000
    max_streams: int = 1000
    unread_limit_s: float = 300.0
    expire_s: float = 3600.0
    max_log_bytes: int = 64 << 20
    send_timeout_s: float = 30.0
    idle_timeout_s: float = 75.0
    body_timeout_s: float = 60.0
    producer_timeout_s: float = 60.0
    max_pushed_bytes: int = 8 << 20
    token_file: str = ""
    tokens: str = ""
    jwt_key_file: str = ""
    jwt_audience: str = ""
    jwt_issuer: str = ""
    secret_file: str = ""
    ready_file: str = ""
    log_format: str = "text"
    allow_origin: tuple[str, ...] = ()
    rate_limit: str = "5/minute"
    trusted_proxy: tuple[str, ...] = ()
    allow_model: tuple[str, ...] = ()
    openai_url: str = ""
    openai_key_file: str = ""
    anthropic_url: str = ""
    anthropic_key_file: str = ""
    upstream_connect_timeout_s: float = 10.0
    upstream_idle_timeout_s: float = 120.0
    upstream_retries: int = 2
    max_synthetic_tokens: int = 100_000
    max_synthetic_s: float = 86_400.0
    max_conversations: int = 100
    max_conversation_turns: int = 20
    max_conversation_bytes: int = 64 << 10
    conversation_expire_s: float = 3600.0
    allow_faults: bool = False
    insecure: bool = False
    print_link: bool = False
    exit_with_stdin: bool = False

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in LOOPBACK_HOSTS

    @property
    def authenticated(self) -> bool:
        """Whether requests must prove who they come from."""
        return bool(self.token_file or self.tokens or self.jwt_key_file)


_HELP = {
    "host": "address to listen on",
    "port": "port to listen on; 0 picks a free one",
    "model": "model of questions that name none: local, FILE.gguf, openai:…, anthropic:…, synthetic:…, or replay:…",
    "allow_model": "pattern of models that may be asked, such as openai:gpt-* (all that are set up, if never given)",
    "openai_url": "address of an OpenAI-compatible server, such as http://127.0.0.1:11434/v1 (or OPENAI_BASE_URL)",
    "openai_key_file": "file with the key of models openai:… (or OPENAI_API_KEY)",
    "anthropic_url": "address of a server with Anthropic's Messages API (or ANTHROPIC_BASE_URL)",
    "anthropic_key_file": "file with the key of models anthropic:… (or ANTHROPIC_API_KEY)",
    "upstream_connect_timeout_s": "seconds until a connection to a provider must stand",
    "upstream_idle_timeout_s": "seconds that a provider may be silent",
    "upstream_retries": "how often a provider that fails is asked again before the first token",
    "max_synthetic_tokens": "most tokens of a model synthetic:…",
    "max_synthetic_s": "longest time that a model synthetic:… takes, in seconds",
    "log": "where events are kept: memory, sqlite:FILE (outlives the process), or redis://HOST:PORT/0 (also rediss://, "
    "unix://) for several processes",
    "workers": "processes that share the port; more than one need a log that they share",
    "max_conversations": "most conversations (conversation_id) that are kept for each principal",
    "max_conversation_turns": "most turns of a conversation that are kept and sent to the model",
    "max_conversation_bytes": "most text of a conversation that is kept, in bytes of UTF-8",
    "conversation_expire_s": "seconds after which a conversation without a new turn is forgotten",
    "cassettes": "folder of .ssecast recordings, or one of them, beside those that come with the package",
    "heartbeat_s": "seconds without a write until a ping is sent",
    "max_question_length": "longest question, in characters",
    "max_runs": "most runs at once; of one principal half of them, where there are several",
    "max_connections": "most streams that are sent at once",
    "max_streams": "most streams that one principal reads at once",
    "unread_limit_s": "seconds after which a run that nobody reads is ended",
    "expire_s": "seconds that a finished stream is kept",
    "max_log_bytes": "most bytes of events that are kept; the oldest finished streams go first",
    "send_timeout_s": "seconds after which a reader that takes no bytes is given up",
    "idle_timeout_s": "seconds that a connection without a request is kept, and that the head of one may take",
    "body_timeout_s": "seconds that the body of a request may take",
    "producer_timeout_s": "seconds after which a run whose text is pushed by a silent process is ended",
    "max_pushed_bytes": "longest text that is pushed to one run, in bytes of UTF-8",
    "token_file": "file with the bearer token that requests must carry, or a line `name token` for each principal",
    "tokens": "the same as text; only as a variable or a key, for other users see the command line",
    "jwt_key_file": "public key (PEM) or HS256 secret of JSON Web Tokens; their `sub` is the principal",
    "jwt_audience": "`aud` that JSON Web Tokens must have",
    "jwt_issuer": "`iss` that JSON Web Tokens must have",
    "secret_file": "file with 32 random bytes or more that tickets and cookies are signed with; nodes share one",
    "ready_file": "file to write the server's URL into once it listens",
    "log_format": "lines of the server's own log on standard error: text or json",
    "allow_origin": "origin of pages that may ask from elsewhere, such as https://lab.example or http://localhost:*",
    "rate_limit": "most new runs in a time, like 5/minute or off, of one principal or, without tokens, of one address",
    "trusted_proxy": "address or network of a reverse proxy whose X-Forwarded-For and X-Forwarded-Proto are believed",
    "allow_faults": "spoil the streams of readers who ask for it by a fault plan, for tests of what they do then",
    "insecure": "allow a host other than loopback without a token",
    "print_link": "print the link that signs a page in also where standard output is no terminal, and may be a log",
    "exit_with_stdin": "end when standard input is closed, so that the server ends with its parent",
}


def read_config(
    arguments: Sequence[str], environment: Mapping[str, str] = os.environ, *, defaults: Mapping[str, Any] | None = None
) -> Config:
    """Return the settings; raises ConfigError, or SystemExit for `--help` and unknown flags.

    `defaults` stand in for those of Config where a server has others.
    """
    chosen = vars(_parser().parse_args(arguments))
    path = chosen.pop("config", None) or environment.get(f"{ENV_PREFIX}CONFIG")
    values = dict(defaults or {})
    values |= {field: environment[name] for field, name in _BORROWED.items() if environment.get(name)}
    values |= _from_file(Path(path)) if path else {}
    for field in msgspec.structs.fields(Config):
        raw = environment.get(ENV_PREFIX + field.name.upper())
        if raw is not None:
            values[field.name] = raw.split(",") if isinstance(field.default, tuple) else raw
    values.update(chosen)
    try:
        config = msgspec.convert(values, Config, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"a setting is not valid: {error}") from error
    _check(config)
    return config


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "sse-server",
        description="Stream LLM answers as server-sent events.",
        epilog=f"Each flag is also an environment variable ({ENV_PREFIX}HEARTBEAT_S=5) and a key of the config file.",
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--config", metavar="FILE", help="TOML file with any of these settings")
    for field in msgspec.structs.fields(Config):
        if field.name in _SECRETS:
            continue
        flag = "--" + field.name.replace("_", "-")
        text = f"{_HELP[field.name]} (default: {field.default!r})" if field.default else _HELP[field.name]
        if isinstance(field.default, bool):
            parser.add_argument(flag, action="store_true", help=text)
        elif isinstance(field.default, tuple):
            parser.add_argument(flag, action="append", metavar=field.name.rpartition("_")[2].upper(), help=text)
        else:
            parser.add_argument(flag, metavar=field.name.rpartition("_")[2].upper(), help=text)
    return parser


def _from_file(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the config file {path.name}: {error}") from error
    known = {field.name for field in msgspec.structs.fields(Config)}
    for name in values:
        if name not in known:
            raise ConfigError(f"the config file has an unknown key {name!r}; known are {', '.join(sorted(known))}")
    return values


_TIMES = [name for name in Config.__struct_fields__ if name.endswith("_s")]
_COUNTS = [name for name in Config.__struct_fields__ if name.startswith("max_") and name not in _TIMES]


def _check(config: Config) -> None:
    _check_log(config.log)
    if config.log_format not in LOG_FORMATS:
        raise ConfigError(f"the log format must be one of {', '.join(LOG_FORMATS)}; got {config.log_format!r}")
    _check_workers(config)
    if not 0 <= config.port <= 65535:
        raise ConfigError(f"the port must be from 0 to 65535; got {config.port}")
    if not all(0 < getattr(config, name) < inf for name in _TIMES):
        raise ConfigError("times must be finite numbers of seconds greater than zero")
    if not 0 <= config.upstream_retries <= MOST_RETRIES:
        raise ConfigError(f"upstream_retries must be from 0 to {MOST_RETRIES}; got {config.upstream_retries}")
    for name in ("openai_url", "anthropic_url"):
        _check_url(name, getattr(config, name))
    for name in _COUNTS:
        if getattr(config, name) < 1:
            raise ConfigError(f"{name} must be at least 1")
    if not config.on_loopback and not config.authenticated and not config.insecure:
        raise ConfigError(
            f"host {config.host} can be reached from other machines and no token is set. Give --token-file FILE "
            "or --jwt-key-file FILE, "
            "or --insecure if everyone who reaches it may ask."
        )


def _check_url(name: str, url: str) -> None:
    """Refuse what is no plain address of a server; a key in it would get into logs, so it is not repeated."""
    if not url:
        return
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    else:
        fits = fits and not (parts.query or parts.fragment or "@" in parts.netloc) and url.isprintable()
    if not fits:
        raise ConfigError(
            f"{name} must be an address such as https://host/v1, without a user, a password or a query; "
            "a key has its own file or variable"
        )


def _check_log(log: str) -> None:
    kind, _, place = log.partition(":")
    if log == "memory" or (kind == "sqlite" and place) or log.startswith(REDIS_SCHEMES):
        return
    raise ConfigError(f"the log {kind!r} is not known. Give memory, sqlite:FILE, or redis://HOST:PORT/0")


def _check_workers(config: Config) -> None:
    if not 1 <= config.workers <= MOST_WORKERS:
        raise ConfigError(f"workers must be from 1 to {MOST_WORKERS}; got {config.workers}")
    if config.workers > 1 and config.log == "memory":
        raise ConfigError(
            f"{config.workers} workers cannot share a log that each keeps in its own memory: readers that come back "
            "would meet another worker. Give --log redis://HOST:PORT/0 or --log sqlite:FILE, or --workers 1."
        )
