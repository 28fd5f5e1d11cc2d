"""Several server processes on one log, killed and started again, and readers that go on at any of them."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from rig.process import ServerProcess
from rig.serving import CHAT, PATIENCE_S, RUNS, data_of, text_of
from sse_server.sources.synthetic import parse_params, words
from sse_widget.protocol.sse import Parser

if TYPE_CHECKING:
    import random

    from sse_widget.protocol.sse import Event

PAUSE_S = 0.1
"""Between two attempts of a reader, as a client's backoff is, only shorter."""


class Fleet:
    """Nodes with the same flags. A restarted node is another process on another port."""

    def __init__(self, folder: Path, count: int, *flags: str) -> None:
        self._folder = folder
        self._flags = flags
        self._made = 0
        self.nodes: list[ServerProcess] = [self._started() for _ in range(count)]
        self.killed: dict[str, float] = {}

    def _started(self) -> ServerProcess:
        self._made += 1
        own = self._folder / f"node-{self._made}"
        own.mkdir()
        return ServerProcess(own, self._flags)

    async def replace(self, index: int) -> None:
        """Kill a node with -9 and start another in its place."""
        self.kill(index)
        self.nodes[index] = await asyncio.to_thread(self._started)

    def kill(self, index: int) -> None:
        """Kill a node with -9."""
        node = self.nodes[index]
        node.end(signal.SIGKILL)
        self.killed[node.url] = time.monotonic()

    def killed_after(self, began_s: float, urls: list[str]) -> float:
        """Return when the first of these nodes was killed, of the kills since `began_s`."""
        return min(self.killed[url] for url in urls if self.killed.get(url, 0.0) >= began_s)

    @property
    def logs(self) -> str:
        """What the nodes have logged."""
        return "\n".join(path.read_text("utf-8") for path in sorted(self._folder.glob("node-*/server.log")))

    def end(self) -> list[int]:
        """End all nodes, also where one of them does not; return their exit statuses."""
        statuses, failures = [], []
        for node in self.nodes:
            try:
                statuses.append(node.end())
            except Exception as error:  # noqa: BLE001 - raised once all were ended
                node.end(signal.SIGKILL)
                failures.append(error)
        if failures:
            raise ExceptionGroup(f"nodes that do not end; they logged:\n{self.logs[-4000:]}", failures)
        return statuses


class Ending(msgspec.Struct, frozen=True):
    """How a stream ended for its reader: `done`, the code of an error event, or of a refusal."""

    code: str
    refused: bool = False


class Reader:
    """Asks one question and reads its answer at whatever node it finds, resuming by the id of the last event.

    `events` are those of the stream, in the order of arrival, from all connections; nothing is taken out of them.
    """

    def __init__(self, client: httpx.AsyncClient, fleet: Fleet, number: int, model: str, pick: random.Random) -> None:
        self.number = number
        self.model = f"{model},seed={number}"
        self.events: list[Event] = []
        self.asked: list[str] = []
        self.refusals: dict[str, int] = {}
        self.connections = 0
        self.stream_id = ""
        self.ending: Ending | None = None
        self.began_s = time.monotonic()
        self.ended_s = 0.0
        self._client = client
        self._fleet = fleet
        self._pick = pick

    @property
    def text(self) -> str:
        """What was read."""
        return text_of(self.events)

    @property
    def expected(self) -> str:
        """What the model says."""
        return "".join(words(parse_params(self.model.partition(":")[2])))

    async def read(self, told: Any = None) -> Ending:
        """Read until there is an end; `told` is called with each event."""
        async with asyncio.timeout(3 * PATIENCE_S):
            while True:
                try:
                    ending = await self._connection(told)
                except (httpx.TransportError, OSError):
                    ending = None
                if ending is not None:
                    self.ended_s = time.monotonic()
                    return ending
                await asyncio.sleep(PAUSE_S * (0.5 + self._pick.random()))

    async def _connection(self, told: Any) -> Ending | None:
        """Make one connection; return the end if it had one."""
        self.connections += 1
        async with self._request() as response:
            if response.status_code != 200:
                code = _code_of(response.headers["content-type"], await response.aread())
                self.refusals[code] = self.refusals.get(code, 0) + 1
                if response.status_code == 503:
                    assert int(response.headers["retry-after"]) > 0
                    return None
                return Ending(code, refused=True)
            parser = Parser()
            async for chunk in response.aiter_raw():
                for event in parser.feed(chunk):
                    ending = self._take(event)
                    if told is not None:
                        told(event)
                    if ending is not None:
                        return ending
        return None

    def _request(self) -> Any:
        url = self._pick.choice(self._fleet.nodes).url
        if self.stream_id:
            at = {"Last-Event-ID": f"{self.stream_id}:{len(self.events)}"}
            return self._client.stream("GET", url + RUNS + self.stream_id, headers=at)
        self.asked.append(url)
        body = {"q": "hi", "model": self.model, "chunk_tokens": 3}
        return self._client.stream("POST", url + CHAT, json=body, headers={"Idempotency-Key": f"reader-{self.number}"})

    def _take(self, event: Event) -> Ending | None:
        if event.event == "hello":
            self.stream_id = data_of(event)["stream_id"]
            assert not data_of(event)["gap"]
        if event.event in {"hello", "ping"}:
            return None
        self.events.append(event)
        assert event.id == f"{self.stream_id}:{len(self.events)}", "an event was lost, or came twice"
        if event.event == "done":
            return Ending("done")
        return Ending(data_of(event)["code"]) if event.event == "error" else None


def _code_of(kind: str, body: bytes) -> str:
    """Return the code of a refusal, as problem details or as one error event."""
    if kind.startswith("application/problem+json"):
        return str(json.loads(body)["code"])
    (event,) = Parser().feed(body)
    return str(data_of(event)["code"])


def workers_of(pid: int) -> set[int]:
    """Return the children of a process."""
    return {
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text("utf-8").split()
    }
