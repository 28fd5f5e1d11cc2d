"""The HTTP client of the server's routes (design.md section 5), and a reader for any other SSE server.

    client = StreamClient("http://127.0.0.1:8765")
    async for message in client.chat("What is a stream?"):
        ...

A client holds no connection of its own, so there is nothing to close: every call opens what it needs and drops it.
Clients that share a pool share its sockets for as long as any of their calls goes on.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import msgspec

from sse_widget.connection import EXCHANGE_TIMEOUT_S, MAX_REFUSAL_BYTES, Broken, Connection
from sse_widget.endpoint import (
    Endpoint,
    Request,
    checked_base,
    checked_origin,
    checked_token,
    has_key,
    is_own_chat,
    joined,
    with_parameter,
)
from sse_widget.errors import ConnectError, WrongContentType
from sse_widget.pool import Pool
from sse_widget.protocol.actions import SessionConfig
from sse_widget.protocol.backoff import Backoff
from sse_widget.protocol.faults import FaultPlan
from sse_widget.protocol.sse import MAX_EVENT_BYTES
from sse_widget.protocol.trace import RunSpans
from sse_widget.push import Push
from sse_widget.stream import Status, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    import httpx

    from sse_widget.measure.clock import Clock

    T = TypeVar("T")
    Fault = FaultPlan | Mapping[str, Any] | str | None

__all__ = ["Created", "Status", "Stream", "StreamClient"]

_MAX_SPANS_BYTES = 128 << 20
_OF_CONNECTION = frozenset({"heartbeat_s", "trace", "fault"})


class Created(msgspec.Struct, frozen=True):
    """A run that was started. The ticket lets a browser read, stop and tune this one stream; `node` is the server.

    A run whose text is pushed ends as `producer_lost` when nothing is pushed for `producer_timeout_s`.
    """

    stream_id: str
    url: str
    ticket: str = ""
    node: str = ""
    producer_timeout_s: float = 0.0


class _Times(msgspec.Struct):
    received: int
    sent: int


class StreamClient:
    """Starts runs, reads them, stops and tunes them.

    `url` is the server's base, such as `http://127.0.0.1:8765` or, in JupyterLab, the extension's
    `…/sse-widget/`; `token` goes along as a bearer token. The server's messages come in
    `lang`, English or Arabic. Attempts to reconnect are counted from the last progress.
    `transport` replaces the network, and is not closed; `pool` shares its sockets with other clients of the same
    event loop. Times are seconds here, as everywhere in Python's APIs.
    `fault` is a FaultPlan, or one as JSON, for every stream from this server, which has to allow it (--allow-faults);
    `chat`, `attach` and `stream` take another one each. It spoils their connections by number: 1 is a stream's first.
    Raises ConnectError when `url` or `token` can be none, InvalidPlan for a plan that can be none.

        client = StreamClient(url, fault=FaultPlan.random(7))
    """

    def __init__(  # noqa: PLR0913 - settings, each by its name
        self,
        url: str,
        *,
        token: str | None = None,
        reconnect: bool = True,
        max_attempts: int = 10,
        heartbeat_timeout_s: float = 45.0,
        backoff: Backoff | None = None,
        max_event_bytes: int = MAX_EVENT_BYTES,
        lang: str = "",
        fault: Fault = None,
        unit_random: Callable[[], float] = random.random,
        transport: httpx.AsyncBaseTransport | None = None,
        pool: Pool | None = None,
    ) -> None:
        self.url = checked_base(url)
        self._own = {"Authorization": f"Bearer {checked_token(token)}"} if token else {}
        if lang:
            self._own["Accept-Language"] = lang
        self._config = SessionConfig(
            reconnect=reconnect,
            max_attempts=max_attempts,
            backoff=backoff or Backoff(),
            heartbeat_timeout_ms=heartbeat_timeout_s * 1000.0,
        )
        self._max_event_bytes = max_event_bytes
        self._fault = fault_text(fault)
        self._random = unit_random
        self._transport = transport
        self._pool = pool

    def __repr__(self) -> str:
        return f"StreamClient({self.url!r})"

    def chat(self, question: str, *, key: str = "", **params: Any) -> Stream:
        """Ask, and return the stream of the answer; nothing is sent before it is iterated.

        `params` are those of design.md section 5: model, max_tokens, temperature, seed, chunk_tokens, heartbeat_s
        fault and so on. The same `key` is the same run, however often it is sent; without one, each call is a run.
        """
        of_run, query = self._divided(params)
        request = Request("POST", self._route("chat", query), _starting(key), _body(question, of_run))
        config = msgspec.structs.replace(self._config, logged=True)
        return self._stream(request, self._own, config)

    def attach(self, stream_id: str, *, after: int = 0, snapshot: bool = False, **params: Any) -> Stream:
        """Return the stream of a run that exists, from the event after seq `after`.

        With `snapshot`, its text so far comes as one delta. `params` are those of the connection, as heartbeat_s.
        """
        config = msgspec.structs.replace(self._config, stream_id=stream_id, after=after, snapshot=snapshot)
        _, query = self._divided(params)
        return self._stream(Request("GET", self._run(stream_id, query), {}), self._own, config)

    def stream(  # noqa: PLR0913 - settings, each by its name
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        last_event_id: str = "",
        fault: Fault = None,
    ) -> Stream:
        """Return a stream of any SSE server; `url` may be relative to the client's base.

        A GET that ends is asked again with Last-Event-ID, as the HTML standard says; any other method is sent once,
        except to our own route for questions. The token goes along to the client's own origin only, and so does a
        key, which makes a question that is sent again the same run; one of the URL or the headers comes first.
        `fault` is asked for by a parameter of the URL, the client's own plan at its own origin only.
        Raises ConnectError when the URL can be none, InvalidPlan when the plan can be none.
        """
        address = joined(f"{self.url}/", url)
        at_home = checked_origin(address) == checked_origin(self.url)
        if plan := fault_text(fault) or (self._fault if at_home else ""):
            address = with_parameter(address, "fault", plan)
        request = Request(method.upper(), address, dict(headers or {}), content)
        logged = at_home and is_own_chat(request.url)
        repeatable = request.method == "GET"
        own = self._own if at_home else {}
        if at_home and (repeatable or logged) and not has_key(request):
            request = msgspec.structs.replace(request, headers={**request.headers, "Idempotency-Key": _new_key()})
        config = msgspec.structs.replace(
            self._config, last_event_id=last_event_id, repeatable=repeatable, logged=logged
        )
        return self._stream(request, own, config)

    async def create(self, question: str, *, key: str = "", **params: Any) -> Created:
        """Start a run without reading it. Parameters as in `chat`; those of a connection are `attach`'s.

        A request whose answer was lost is repeated once, with the same key. Raises RemoteError when the server
        refuses, ConnectError when there is no answer, WrongContentType when something else answers.
        """
        headers = {**self._own, **_starting(key), "Accept": "application/json"}
        of_run, _ = self._divided(params)
        request = Request("POST", self._route("chat"), headers, _body(question, of_run))
        return await self._ask(request, Created, attempts=2)

    async def create_pushed(self, question: str = "", *, key: str = "", **params: Any) -> Created:
        """Start a run whose text this process makes, to be sent by `push`. Errors and `key` as in `create`.

        `params` are model (a label), max_tokens, chunk_tokens, chunk_ms, delay_ms and flush_on_punctuation.
        """
        content = msgspec.json.encode({"question": question, **params})
        request = Request("POST", self._route("runs"), {**self._own, **_starting(key)}, content)
        return await self._ask(request, Created, attempts=2)

    def push(self, stream_id: str) -> Push:
        """Return the writing end of a run that `create_pushed` began. Nothing is sent before its first batch."""
        headers = {**self._own, "Content-Type": "application/json"}
        request = Request("POST", f"{self._run(stream_id)}/tokens", headers)
        return Push(request, self._connection(), self._config, self._random)

    async def stop(self, stream_id: str) -> None:
        """Stop a run: the model ends, and its stream with `done {reason: "stopped"}`."""
        await self._exchange(Request("DELETE", self._run(stream_id), self._own))

    async def tune(self, stream_id: str, **knobs: float) -> None:
        """Turn the live knobs of a run: chunk_tokens, chunk_ms, delay_ms."""
        headers = {**self._own, "Content-Type": "application/json"}
        await self._exchange(Request("PATCH", self._run(stream_id), headers, msgspec.json.encode(knobs)))

    async def health(self) -> dict[str, Any]:
        """Return what the server says of itself: status, version, model, runs."""
        return await self._ask(Request("GET", self._route("health"), self._own), dict[str, Any])

    async def read_clock(self, clock: Clock) -> None:
        """Ask the server for its time, and take the exchange into the clock."""
        t0_ns = time.monotonic_ns()
        said = await self._ask(Request("GET", f"{self.url}/api/v1/clock", self._own), _Times)
        clock.add(t0_ns, said.received, said.sent, time.monotonic_ns())

    async def spans(self, stream_id: str, *, wait_s: float = 0.0) -> RunSpans:
        """Return what pages said that they saw of a run: with `wait_s`, once all have said the last, or after it."""
        request = Request("GET", f"{self._run(stream_id)}/spans?{urlencode({'wait_s': wait_s})}", self._own)
        return await self._ask(request, RunSpans, max_bytes=_MAX_SPANS_BYTES)

    async def _ask(
        self, request: Request, kind: type[T], *, attempts: int = 1, max_bytes: int = MAX_REFUSAL_BYTES
    ) -> T:
        media_type, body = await self._exchange(request, attempts, max_bytes)
        if media_type and not media_type.endswith("json"):
            raise WrongContentType(
                f"{self.url} does not answer as this server does: expected JSON, got {media_type}; "
                "another server, a proxy or a login page may be there"
            )
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConnectError(f"{self.url} does not answer as this server does: {error}") from error

    async def _exchange(
        self, request: Request, attempts: int = 1, max_bytes: int = MAX_REFUSAL_BYTES
    ) -> tuple[str, bytes]:
        connection = self._connection()
        try:
            async with asyncio.timeout(EXCHANGE_TIMEOUT_S):
                while True:
                    attempts -= 1
                    try:
                        return await connection.exchange(request, max_bytes)
                    except Broken as error:
                        if attempts <= 0:
                            raise ConnectError(error.message) from error
        except TimeoutError as error:
            raise ConnectError(f"{self.url} did not answer for {EXCHANGE_TIMEOUT_S:.0f} s") from error
        finally:
            await connection.aclose()

    def _connection(self) -> Connection:
        return Connection(self._pool or Pool(self._transport))

    def _stream(self, start: Request, own_headers: Mapping[str, str], config: SessionConfig) -> Stream:
        return Stream(
            Endpoint(start, own_headers).request,
            self._connection(),
            config,
            self._random,
            max_event_bytes=self._max_event_bytes,
        )

    def _divided(self, params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the parameters of the run and those of the connection, which every later connection repeats."""
        of_run = {name: value for name, value in params.items() if name not in _OF_CONNECTION}
        query = {name: value for name, value in params.items() if name in _OF_CONNECTION and name != "fault"}
        plan = fault_text(params["fault"]) if "fault" in params else self._fault
        return of_run, {**query, "fault": plan} if plan else query

    def _route(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        tail = f"?{urlencode(query)}" if query else ""
        return f"{self.url}/api/v1/stream/{path}{tail}"

    def _run(self, stream_id: str, query: Mapping[str, Any] | None = None) -> str:
        return self._route(f"runs/{quote(stream_id, safe='')}", query)


def _starting(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key or _new_key(), "Content-Type": "application/json"}


def _new_key() -> str:
    return secrets.token_hex(16)


def _body(question: str, params: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode({"q": question, **params})


def fault_text(fault: Fault) -> str:
    """Return a fault plan as JSON, empty for none; raises InvalidPlan."""
    return FaultPlan.read(fault).dump() if fault else ""
