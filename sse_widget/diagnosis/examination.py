"""One examination of one address: which probes run, in which order, side by side where they can."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec

from sse_widget.diagnosis.observations import Failure, Observed
from sse_widget.diagnosis.probes import page, streams, wire
from sse_widget.diagnosis.probes.exchange import Exchange, Failed, proxy_of
from sse_widget.diagnosis.target import Run, as_object, base_of, is_own, kind_of, run_of
from sse_widget.endpoint import checked_origin, origin_of, plain

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from sse_widget.diagnosis.target import Order

BEYOND_IDLE_S = 75.0
"""What all probes but the silent one may take together."""

FOREIGN_S = 10.0
"""How long a stream of another server is watched."""

LEAVE_S = 3.0
"""How long the end may take, in which the runs that were started are stopped."""

_CHAT, _RUNS, _HEALTH, _SOCKET = (f"/api/v1/stream/{name}" for name in ("chat", "runs/", "health", "ws"))
_OPENAI_QUESTION = "Count from 1 to 20."


class Examination:
    """Looks at one address. `seen` is what is known at any time, also when `run` is cancelled halfway.

    `tell` is called when a probe begins or ends; `doing` names those that run.
    """

    def __init__(self, order: Order, tls: ssl.SSLContext, tell: Callable[[], None]) -> None:
        self.order = order
        self.seen = Observed(plain(order.url), in_notebook=order.in_notebook, has_token=bool(order.token))
        self.doing: dict[str, None] = {}
        self._tls = tls
        self._tell = tell
        self._base = base_of(order.url)
        self._exchange = Exchange(order.url, order.token, tls)
        self._runs: list[str] = []

    async def run(self) -> None:
        """Probe everything that can be. Stops the runs that it started, however it ends."""
        try:
            async with asyncio.timeout(self.order.idle_s + BEYOND_IDLE_S):
                if await self._reaches() and await self._identifies():
                    await (self._own() if self.seen.kind == "own" else self._foreign())
        except (asyncio.CancelledError, TimeoutError) as error:
            self._note(interrupted=True)
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self.doing.clear()
            await self._leave()

    async def _reaches(self) -> bool:
        with self._probing("connection"):
            self._note(network=await self._network(self.order.url))
        return self.seen.network is not None and self.seen.network.reached

    async def _network(self, url: str) -> Any:
        scheme, host, port = checked_origin(url)
        tls = wire.tls_context(self._tls) if scheme == "https" else None
        return await wire.network(host, port, tls, proxy_of(url))

    async def _identifies(self) -> bool:
        """Find out whose server answers, through redirects; False when there is nothing to go on with."""
        with self._probing("upstream"):
            try:
                return await self._asks_health() or await self._asks_chat() or await self._asks_plainly()
            except Failed as error:
                self._note(answer_failure=error.failure)
                return False

    async def _asks_health(self) -> bool:
        hops, looping, head, body = await self._exchange.follow(self._base + _HEALTH)
        self._note(redirects=hops, looping=looping, answer=head)
        if not is_own(head, body):
            return False
        if hops and head.url.endswith(_HEALTH):
            self._base = head.url.removesuffix(_HEALTH)
            if origin_of(self._base) != origin_of(self.order.url):
                self._note(network=await self._network(self._base))
        self._note(kind="own")
        return True

    async def _asks_chat(self) -> bool:
        """Our chat route refuses an empty question in words of its own, also where health is not passed on."""
        if self.seen.looping:
            return False
        head, body = await self._exchange.ask("POST", self._base + _CHAT, body={})
        if not is_own(head, body):
            return False
        self._note(kind="own", answer=head)
        return True

    async def _asks_plainly(self) -> bool:
        answer = self.seen.answer
        if self.seen.looping or (answer is not None and answer.status >= 500):
            return False
        self._note(kind=kind_of(self.order.url))
        return True

    async def _own(self) -> None:
        drip = await self._create(streams.DRIP)
        if drip is None:
            return
        silent = await self._create(streams.quiet(self.order.idle_s))
        tasks = [self._drips(drip), self._resume(drip), self._socket()]
        if silent is not None:
            tasks += [self._beats(silent), self._silence(silent)]
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(task)

    async def _create(self, question: dict[str, Any]) -> Run | None:
        headers = {"Accept": "application/json"}
        try:
            head, body = await self._exchange.ask("POST", self._base + _CHAT, headers=headers, body=question)
        except Failed as error:
            self._note(start_failure=error.failure)
            return None
        run = run_of(body) if head.status == 201 else None
        if self.seen.started is None or run is None:
            self._note(started=head)
        if run is not None:
            self._runs.append(run.stream_id)
        return run

    async def _drips(self, run: Run) -> None:
        """The same stream by GET, packed and plain, and another by POST; then CORS, on the stream that has ended."""
        heard: dict[str, float] = {}
        url = self._run_url(run)
        with self._probing("buffering"):
            drips = await asyncio.gather(
                streams.drip(self._exchange, "POST", self._base + _CHAT, streams.DRIP),
                streams.drip(self._exchange, "GET", url, heard=heard),
                streams.drip(self._exchange, "GET", url, compressible=False, heard=heard),
            )
        self._runs += [drip.head.get("x-stream-id") for drip in drips[:1] if drip.head is not None]
        self._note(drips=drips, heartbeat_s=heard.get("heartbeat_s", 0.0))
        if self.order.origin:
            with self._probing("cors"):
                read_url = f"{url}?ticket={run.ticket}" if run.ticket else url
                self._note(cors=await page.cors(self._exchange, self.order.origin, self._base + _CHAT, read_url))

    async def _resume(self, run: Run) -> None:
        with self._probing("resume"):
            self._note(resume=await streams.resume(self._exchange, self._run_url(run)))

    async def _beats(self, run: Run) -> None:
        with self._probing("heartbeat"):
            self._note(beats=await streams.beats(self._exchange, self._run_url(run), self.order.idle_s))

    async def _silence(self, run: Run) -> None:
        if self.order.idle_s <= 0:
            self._note(idle_off=True)
            return
        with self._probing("idle"):
            self._note(silence=await streams.silence(self._exchange, self._run_url(run), self.order.idle_s))

    async def _socket(self) -> None:
        if self.seen.network is not None and self.seen.network.through:
            return
        url = self._base + _SOCKET
        with self._probing("websocket"):
            origin = {"Origin": self.order.origin} if self.order.origin else {}
            headers = {**self._exchange.authorization(url), **origin}
            self._note(socket=await page.socket(url, headers, self._tls))

    async def _foreign(self) -> None:
        method, url, body = "GET", self.order.url, None
        if self.seen.kind == "openai":
            method, url, body = await self._openai()
        else:
            with suppress(Failed):
                hops, looping, head, _ = await self._exchange.follow(url)
                self._note(redirects=hops, looping=looping, answer=head)
                url = head.url if hops else url
        with self._probing("buffering"):
            drip = await streams.drip(self._exchange, method, url, body, limit_s=FOREIGN_S)
        if drip.head is None:
            self._note(answer_failure=drip.failure or Failure("other"))
            return
        self._note(drips=(drip,), answer=drip.head)
        if self.order.origin:
            with self._probing("cors"):
                ask, read = (url, "") if body is not None else ("", url)
                self._note(cors=await page.cors(self._exchange, self.order.origin, ask, read, own=False))

    async def _openai(self) -> tuple[str, str, dict[str, Any]]:
        base = self.order.url.rstrip("/").removesuffix("/chat/completions")
        model = self.order.model
        if not model:
            with suppress(Failed):
                _, body = await self._exchange.ask("GET", f"{base}/models", headers={"Accept": "application/json"})
                listed = as_object(body).get("data") or [{}]
                model = str(listed[0].get("id", ""))
        question = {"role": "user", "content": _OPENAI_QUESTION}
        return (
            "POST",
            f"{base}/chat/completions",
            {
                "model": model,
                "messages": [question],
                "stream": True,
                "max_tokens": 48,
            },
        )

    def _run_url(self, run: Run) -> str:
        return f"{self._base}{_RUNS}{run.stream_id}"

    @contextmanager
    def _probing(self, probe: str) -> Iterator[None]:
        self.doing[probe] = None
        self._tell()
        try:
            yield
        finally:
            self.doing.pop(probe, None)
            self._tell()

    def _note(self, **found: Any) -> None:
        self.seen = msgspec.structs.replace(self.seen, **found)

    async def _leave(self) -> None:
        """Stop what was started. A run that cannot be stopped from here ends by itself, for it is short."""
        with suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(LEAVE_S):
                await asyncio.gather(*(self._stop(stream_id) for stream_id in self._runs if stream_id))
        await self._exchange.aclose()

    async def _stop(self, stream_id: str) -> None:
        with suppress(Failed):
            await self._exchange.ask("DELETE", f"{self._base}{_RUNS}{stream_id}")
