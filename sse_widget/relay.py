"""Runs by way of the comm, for pages that reach no server: this kernel reads them and sends their events on.

One connection of a page is one connection to the server. All that decides (order, gaps, checksum, when to come back)
is the page's session; nothing here knows what an event means. Messages name the page by `to`; js/transport/relay.js
is the other end.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sse_widget.errors import SSEWidgetError
from sse_widget.loop import submit
from sse_widget.protocol.events import TEXT, parse_event_id
from sse_widget.protocol.sse import Event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sse_widget.client import Status, StreamClient
    from sse_widget.stream import Stream

    Send = Callable[[dict[str, Any]], None]
    Reach = Callable[[], Awaitable[StreamClient]]

FRAME_S = 0.033
"""The least time between two messages of a connection at its start: two frames of a screen."""

SLOW_FRAME_S = 0.1
"""And from the 70th message on: each costs some 600 bytes of envelope, and the typewriter evens out more than this."""

WINDOW_CHARS = 1 << 20
"""How far a connection runs ahead of what the page has confirmed: ample, for a busy kernel hears no confirmation."""

MAX_PAGES = 4
_STREAM_ID = re.compile(r"[0-9a-f]{32}")
_FILE = re.compile(r"part-[a-z]+\.js")
_STATIC = Path(__file__).parent / "static"


class Order(msgspec.Struct, frozen=True):
    """What a page asks for; which fields count depends on `op`. Pages number links from 1 up, pushes from -1 down."""

    op: str
    to: str
    link: int = 0
    ask: int = -1
    stream_id: str = ""
    after: int = 0
    snapshot: bool = False
    heartbeat_s: float | None = None
    size: int = 0
    name: str = ""
    changes: dict[str, Any] = {}


class Relay:
    """The kernel's end. `receive` may be called on any thread; the work is done on the loop of `loop.py`.

    A page that listens gets every new run pushed, so that text arrives while the kernel is busy and can hear no page.
    """

    def __init__(self, reach: Reach, send: Send) -> None:
        self._reach = reach
        self._send = send
        self._pages: dict[str, int] = {}  # and the link of what was last pushed there
        self._pushes = count(1)
        self._links: dict[tuple[str, int], _Link] = {}

    def receive(self, content: dict[str, Any]) -> None:
        """Take a page's message; what is not one of ours is ignored."""
        with suppress(msgspec.ValidationError):
            submit(self._obey(msgspec.convert(content, Order)))

    def push(self, stream_id: str) -> None:
        """Send a run, from its start, to every page that listens. On the loop.

        Each is told so before this returns: a page that hears of the run by a later message has no need to ask for it.
        """
        for to, before in self._pages.items():
            self._end((to, before))
            link = self._pages[to] = -next(self._pushes)
            self._send({"type": "relay", "to": to, "link": link, "stream_id": stream_id, "coming": True})
            self._open(Order("open", to, link, stream_id=stream_id))

    async def _obey(self, order: Order) -> None:
        key = (order.to, order.link)
        match order.op:
            case "listen":
                self._pages[order.to] = self._pages.pop(order.to, 0)
                while len(self._pages) > MAX_PAGES:
                    self._leave(next(iter(self._pages)))
            case "hush":
                self._pages.pop(order.to, None)
            case "leave":
                self._leave(order.to)
            case "open" if _STREAM_ID.fullmatch(order.stream_id):
                self._open(order)
            case "close":
                self._end(key)
            case "ack" if key in self._links:
                self._links[key].confirm(order.size)
            case "stop" | "tune" | "file":
                await self._answer(order)
            case _:
                pass

    def _open(self, order: Order) -> None:
        key = (order.to, order.link)
        self._end(key)
        link = self._links[key] = _Link(order, self._send)
        link.task = asyncio.create_task(self._carry(link, order))
        link.task.add_done_callback(lambda _: self._links.pop(key, None) if self._links.get(key) is link else None)

    def _end(self, key: tuple[str, int]) -> None:
        link = self._links.pop(key, None)
        if link is not None:
            link.end()

    def _leave(self, to: str) -> None:
        self._pages.pop(to, None)
        for key in [key for key in self._links if key[0] == to]:
            self._end(key)

    async def _carry(self, link: _Link, order: Order) -> None:
        try:
            client = await self._reach()
        except SSEWidgetError:
            link.fail("network")
            return
        params = {} if order.heartbeat_s is None else {"heartbeat_s": order.heartbeat_s}
        stream = client.attach(order.stream_id, after=order.after, snapshot=order.snapshot, **params)
        await link.carry(stream)

    async def _answer(self, order: Order) -> None:
        answer: dict[str, Any] = {"type": "relay", "to": order.to, "ask": order.ask}
        try:
            match order.op:
                case "file":
                    answer["text"] = await asyncio.to_thread(_text_of, order.name)
                case "stop" if _STREAM_ID.fullmatch(order.stream_id):
                    await (await self._reach()).stop(order.stream_id)
                    answer["agreed"] = True
                case "tune" if _STREAM_ID.fullmatch(order.stream_id):
                    await (await self._reach()).tune(order.stream_id, **order.changes)
                    answer["agreed"] = True
                case _:
                    pass
        except (SSEWidgetError, TypeError, OSError):  # the page waits for an answer, also to what makes no sense
            answer["agreed"] = False
        self._send(answer)


class _Link:
    """One connection: events in, at most one message a frame out, and never further ahead than the window."""

    task: asyncio.Task[None]

    def __init__(self, order: Order, send: Send) -> None:
        self._address = {"type": "relay", "to": order.to, "link": order.link, "stream_id": order.stream_id}
        self._send = send
        self._message: dict[str, Any] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._seq = 0  # of the last item of the message that is being made
        self._sent_s = 0.0
        self._messages = 0
        self._size = 0
        self._confirmed = 0
        self._room = asyncio.Event()

    async def carry(self, stream: Stream) -> None:
        """Send on a stream until its connection is over."""
        opened = False

        def told(status: Status) -> None:
            nonlocal opened
            if status.state == "open":
                opened = True
                self._message["head"] = {"status": 200, "streamId": stream.stream_id}

        stream.on_status(told)
        async with aclosing(stream.events()) as events:
            async for event in events:
                if isinstance(event, Event):
                    await self._put(event)
        if opened:
            self.fail("ended" if stream.state in {"done", "stopped"} else "cut")
        elif stream.head is not None:
            self._refuse(stream)
        else:
            self.fail("network")

    def confirm(self, size: int) -> None:
        """Note what the page has."""
        self._confirmed = max(self._confirmed, min(size, self._size))
        self._room.set()

    def fail(self, why: str) -> None:
        """Send what is left, and that nothing follows."""
        self._message["end"] = why
        self._flush()

    def end(self) -> None:
        """Send nothing more."""
        self.task.cancel()
        if self._timer is not None:
            self._timer.cancel()

    def _refuse(self, stream: Stream) -> None:
        head = stream.head
        if head is not None:
            wait = {} if head.retry_after_ms is None else {"retryAfterMs": head.retry_after_ms}
            said = {"status": head.status, "contentType": head.content_type, "code": head.code, "message": head.message}
            self._message["head"] = {**said, **wait}
            self._flush()

    async def _put(self, event: Event) -> None:
        while self._size - self._confirmed >= WINDOW_CHARS:
            self._room.clear()
            await self._room.wait()
        items = self._message.setdefault("items", [])
        place = parse_event_id(event.id)
        seq = place[1] if place else 0
        text = _plain_text(event)
        if text is not None and not items:
            self._message["first"] = seq
        # The page counts on from the item before; the text so far of a snapshot is no such next one.
        plain = text is not None and (not items or seq == self._seq + 1)
        items.append(text if plain else {"event": event.event, "data": event.data, "id": event.id})
        self._seq = seq
        self._size += len(event.data)
        self._schedule()

    def _schedule(self) -> None:
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        frame_s = min(SLOW_FRAME_S, FRAME_S + self._messages * 0.001)
        self._timer = loop.call_at(max(loop.time(), self._sent_s + frame_s), self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        message, self._message = self._message, {}
        if message:
            self._sent_s = asyncio.get_running_loop().time()
            self._messages += 1
            self._send({**self._address, **message, "size": self._size})


class _Delta(msgspec.Struct, forbid_unknown_fields=True):
    text: str


def _plain_text(event: Event) -> str | None:
    """Return the text of a delta that holds nothing else, None for every other event."""
    if event.event == TEXT:
        with suppress(msgspec.DecodeError):
            return msgspec.json.decode(event.data, type=_Delta).text
    return None


def _text_of(name: str) -> str | None:
    with suppress(OSError):
        return (_STATIC / name).read_text("utf-8") if _FILE.fullmatch(name) else None
    return None
