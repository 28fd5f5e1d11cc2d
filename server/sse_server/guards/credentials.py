"""The tokens and the secret of a server, read from files and the environment, never from the command line."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from sse_server.config import ConfigError

if TYPE_CHECKING:
    from sse_server.config import Config

OWNER = "owner"
"""The principal of a bare token, and of everyone where no token is asked for."""

MIN_SECRET_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,64}")


def read_tokens(config: Config) -> list[tuple[str, str]]:
    """Return (principal, token) of the token file and of SSE_SERVER_TOKENS; a principal may have several tokens.

    Either holds one bare token, or lines of `name token`. Raises ConfigError, which repeats no token.
    """
    tokens: list[tuple[str, str]] = []
    if config.token_file:
        tokens += _parse(_text("token file", config.token_file), "the token file")
    if config.tokens:
        tokens += _parse(config.tokens, "SSE_SERVER_TOKENS")
    owners: dict[str, str] = {}
    for name, token in tokens:
        if owners.setdefault(token, name) != name:
            raise ConfigError(f"{owners[token]} and {name} have the same token; give each principal one of its own")
    return tokens


def read_secret(config: Config) -> bytes:
    """Return what tickets and cookies are signed with: of the secret file, else new with each start."""
    if not config.secret_file:
        return secrets.token_bytes(MIN_SECRET_BYTES)
    secret = _read("secret file", config.secret_file).strip()
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigError(
            f"the secret file holds {len(secret)} bytes; put {MIN_SECRET_BYTES} random ones or more into it, as from "
            "openssl rand -hex 32"
        )
    return secret


def _parse(text: str, where: str) -> list[tuple[str, str]]:
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise ConfigError(f"{where} is empty; put one random token into it, or lines of `name token`")
    if len(lines) == 1 and len(lines[0]) == 1:
        return [(OWNER, lines[0][0])]
    for number, words in enumerate(lines, 1):
        if len(words) != 2 or not _NAME.fullmatch(words[0]):
            raise ConfigError(
                f"{where}: entry {number} is not `name token`. A name has 1 to 64 letters, digits, '_', '.', '@' or '-'"
            )
    return [(name, token) for name, token in lines]


def _text(what: str, path: str) -> str:
    try:
        return _read(what, path).decode()
    except ValueError as error:
        raise ConfigError(f"cannot read the {what}: it is not UTF-8") from error


def _read(what: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the {what}: {error}") from error
