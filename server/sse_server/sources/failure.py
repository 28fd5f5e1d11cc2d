"""What a provider says when it refuses or fails, in the shapes of OpenAI, Anthropic and those who follow them."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from sse_server.errors import ServerError, Words

SHOWN_CHARS = 300
_STATUS_OF_KIND = {
    "authentication_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "overloaded_error": 529,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
}
_NO_ROOM = re.compile(r"context.{0,9}(length|size|window)|prompt is too long|exceed_context_size", re.IGNORECASE)
# Providers repeat a refused key, some with a part of it hidden.
_KEY = re.compile(r"\b(sk|key|gsk|xai|pk)-[\w*.…-]{3,}")
_decode = msgspec.json.Decoder().decode


class PassingError(ServerError):
    """A failure that may pass by itself: before the first token another attempt is worth it."""


class ConnectionLostError(PassingError):
    """The upstream took no connection, or dropped it: it may have died."""


class ContextExceededError(ServerError):
    """The question is longer than the model can read; without some older turns it may fit."""


class Failure(msgspec.Struct, frozen=True):
    """The provider's words, and its kind of failure as an HTTP status; 0 where neither kind nor status is known."""

    message: str
    status: int = 0


class FailureError(Exception):
    """An event of a stream tells of a failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def read_failure(body: bytes, status: int) -> Failure:
    """Return what the body of a refused request says: its error object, else its beginning."""
    try:
        value = _decode(body)
    except (msgspec.DecodeError, RecursionError):
        value = None
    said = _words(value) if isinstance(value, dict) else ""
    return Failure(said or body.decode("utf-8", "replace"), status)


def failure_in(value: object) -> Failure:
    """Return what an error inside a stream says: `value` is what its `error` field holds."""
    kind = 0
    if isinstance(value, dict):
        code = value.get("code")
        kind = code if isinstance(code, int) else _STATUS_OF_KIND.get(str(value.get("type") or code), 0)
    return Failure(_words({"error": value}) or "the model failed, and did not say why", kind)


def _words(value: dict[str, Any]) -> str:
    error = value.get("error", value)
    for said in (error, error.get("message") if isinstance(error, dict) else None, value.get("detail")):
        if isinstance(said, str) and said:
            return said
    return ""


def error_of(failure: Failure, setting: str, secret: str = "", retry_after_s: int | None = None) -> ServerError:
    """Return the error that a run ends with. `setting` names what holds the key, `secret` is never repeated."""
    status, said = failure.status, _clean(failure.message, secret)
    if status == 401:
        # What it says of the key is for nobody's eyes, and helps no reader.
        return ServerError("upstream_unauthorized", status=status, setting=setting)
    if status == 403:
        return ServerError("upstream_forbidden", setting=setting, detail=said)
    if status == 429:
        return rate_limited(retry_after_s)
    if _NO_ROOM.search(said):
        return ContextExceededError("upstream_error", detail=said)
    detail = f"HTTP {status} {said}".strip() if status else said
    if status >= 500 or status == 408:
        return PassingError("upstream_error", detail=detail, retry_after_s=retry_after_s)
    return ServerError("upstream_error", detail=detail)


def rate_limited(retry_after_s: int | None) -> PassingError:
    """Return the error for a provider that takes no more questions now."""
    after = Words("later", "لاحقًا")
    if retry_after_s is not None:
        after = Words(f"in {retry_after_s} seconds", f"بعد {retry_after_s} ثانية")
    return PassingError("upstream_rate_limited", after=after, retry_after_s=retry_after_s)


def _clean(text: str, secret: str) -> str:
    """Return the beginning of a provider's words, on one line, without the key."""
    if secret:
        text = text.replace(secret, "…")
    return " ".join(_KEY.sub(r"\1-…", text[: 4 * SHOWN_CHARS]).split())[:SHOWN_CHARS]
