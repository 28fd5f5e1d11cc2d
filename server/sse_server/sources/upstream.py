"""A provider's HTTP server, over httpx: pooled connections, timeouts, further attempts, and errors in our words."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import logging
import random
import time
from contextlib import aclosing, contextmanager, suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal, Protocol
from urllib.parse import urlsplit

import httpx
import msgspec

from sse_server.config import ConfigError
from sse_server.errors import ServerError
from sse_server.sources.base import Token, Usage
from sse_server.sources.failure import (
    ConnectionLostError,
    Failure,
    FailureError,
    PassingError,
    error_of,
    read_failure,
)
from sse_widget.errors import LimitExceeded
from sse_widget.protocol.backoff import Backoff
from sse_widget.protocol.sse import Event, Parser

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping

logger = logging.getLogger(__name__)

LONGEST_RETRY_AFTER_S = 20
"""A provider that asks for more patience is not asked again: its Retry-After goes to whoever asked."""

TAIL_S = 2.0
"""How long what may follow the end of an answer is waited for: its usage, and the mark of the end."""

_DRAIN_S = 0.2
_REFUSAL_BYTES = 64 * 1024
_STREAM = "text/event-stream"


class Reading(Protocol):
    """Reads the events of one answer. `finish` is set once the answer has its end, `over` by the very last event."""

    finish: Literal["", "stop", "length"]
    over: bool

    @property
    def usage(self) -> Usage | None:
        """What the answer has cost, None until that is told."""

    def take(self, event: Event) -> str:
        """Return what the event adds to the text. Raises FailureError for one that tells of a failure."""


class Patience(msgspec.Struct, frozen=True):
    """How long an upstream is waited for, in seconds, and how often it is asked again before the first token.

    `idle_s` bounds the wait for the head and between bytes. So many `idle_connections` are kept for the next questions.
    """

    connect_s: float = 10.0
    idle_s: float = 120.0
    retries: int = 0
    idle_connections: int = 32
    backoff: Backoff = Backoff(base_ms=1000.0, cap_ms=8000.0, floor_ms=100.0)


class Upstream:
    """One server for all runs that ask it. `setting` names what holds its `key`, which no error and no log repeats.

    Proxies of the environment are respected, but never for this machine's own loopback, which none can reach.
    Raises ConfigError when the environment's proxies or certificates cannot be used.
    """

    def __init__(
        self, base_url: str, headers: Mapping[str, str], patience: Patience, *, key: str = "", setting: str = ""
    ) -> None:
        self._patience = patience
        self._key = key
        self._setting = setting
        self._answered = False
        try:
            self.http = httpx.AsyncClient(
                base_url=base_url,
                headers={**headers, "Accept": _STREAM},
                timeout=httpx.Timeout(patience.idle_s, connect=patience.connect_s, pool=None),
                # As many as there are runs, which have a limit of their own.
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=patience.idle_connections),
                trust_env=not is_loopback(urlsplit(base_url).hostname or ""),
            )
        except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
            raise ConfigError(f"a proxy or certificate of the environment cannot be used: {error}") from error

    async def tokens(self, path: str, body: bytes, begin: Callable[[], Reading]) -> AsyncGenerator[Token, None]:
        """Yield the tokens of one answer; the last one has `finish`, and the usage where it is told.

        Raises ServerError. A failure that may pass is tried again, up to `retries` times, while nothing was yielded.
        """
        begun = False
        for attempt in itertools.count(1):
            try:
                async with aclosing(self._attempt(path, body, begin())) as tokens:
                    async for token in tokens:
                        begun = True
                        yield token
            except PassingError as error:
                wait_s = None if begun else self._wait_s(error, attempt)
                if wait_s is None:
                    raise
                logger.info("%s failed (%s): again in %.1f s", self.http.base_url.host, error.code, wait_s)
            else:
                return
            await asyncio.sleep(wait_s)

    def _wait_s(self, error: ServerError, attempt: int) -> float | None:
        """Return when to ask again, None for never."""
        asked_s = error.retry_after_s or 0
        if attempt > self._patience.retries or asked_s > LONGEST_RETRY_AFTER_S:
            return None
        if attempt == 1 and self._answered and isinstance(error, ConnectionLostError):
            return 0.0  # most likely a kept connection that the server had closed meanwhile
        jitter = random.random()  # noqa: S311 - spreads attempts, guards nothing
        return max(asked_s, self._patience.backoff.delay_ms(attempt, jitter) / 1000.0)

    async def _attempt(self, path: str, body: bytes, reading: Reading) -> AsyncGenerator[Token, None]:
        headers = {"Content-Type": "application/json"}
        with self._translated():
            async with self.http.stream("POST", path, content=body, headers=headers) as answer:
                self._answered = True
                kind = answer.headers.get("content-type", _STREAM)
                if answer.status_code != httpx.codes.OK or not kind.lower().startswith(_STREAM):
                    raise await self._refusal(answer, kind)
                parser = Parser()
                pieces = answer.aiter_bytes()
                async for piece in pieces:
                    for event in parser.feed(piece):
                        ended, text = reading.finish, reading.take(event)
                        if text and not ended:
                            yield Token(text)
                    if reading.finish:
                        await self._tail(pieces, parser, reading)
        if not reading.finish:
            raise PassingError("upstream_truncated")
        yield Token("", reading.finish, reading.usage)

    async def _tail(self, pieces: AsyncIterator[bytes], parser: Parser, reading: Reading) -> None:
        """Read to the end of the body, where the usage stands; only then can the connection serve another answer."""
        with suppress(TimeoutError, httpx.HTTPError, LimitExceeded, FailureError):
            async with asyncio.timeout(_DRAIN_S if reading.over else TAIL_S) as limit:
                async for piece in pieces:
                    for event in parser.feed(piece):
                        reading.take(event)
                    if reading.over:
                        limit.reschedule(asyncio.get_running_loop().time() + _DRAIN_S)

    async def _refusal(self, answer: httpx.Response, kind: str) -> ServerError:
        said = b""
        with suppress(httpx.HTTPError):
            async for piece in answer.aiter_bytes():
                said += piece
                if len(said) > _REFUSAL_BYTES:
                    break
        failure = read_failure(said, answer.status_code)
        logger.warning("%s refused: HTTP %d", self.http.base_url.host, answer.status_code)
        if answer.status_code == httpx.codes.OK:
            detail = f"it answered with {kind[:60]}, not with a stream; look at its URL: {failure.message}"
            failure = Failure(detail)
        after_s = retry_after_s(answer.headers.get("retry-after", ""), time.time())
        return error_of(failure, self._setting, self._key, after_s)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except FailureError as error:
            raise error_of(error.failure, self._setting, self._key) from None
        except httpx.ConnectTimeout as error:
            raise PassingError("upstream_timeout", seconds=round(self._patience.connect_s)) from error
        except httpx.TimeoutException as error:
            raise ServerError("upstream_timeout", seconds=round(self._patience.idle_s)) from error
        except httpx.NetworkError as error:
            raise ConnectionLostError("upstream_error", detail=str(error) or type(error).__name__) from error
        except httpx.RemoteProtocolError as error:
            raise ConnectionLostError("upstream_truncated") from error
        except (httpx.HTTPError, LimitExceeded) as error:
            raise ServerError("upstream_error", detail=str(error) or type(error).__name__) from error

    async def close(self) -> None:
        """Close the pooled connections."""
        await self.http.aclose()


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def retry_after_s(value: str, unix_s: float) -> int | None:
    """Return the delay that a Retry-After header asks for: seconds, or an HTTP date (RFC 9110, 10.2.3)."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return int(value[:9])
    try:
        return max(0, round(parsedate_to_datetime(value).timestamp() - unix_s))
    except ValueError:
        return None
