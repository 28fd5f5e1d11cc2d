"""A bare Tornado handler."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import tornado.web
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError

from rig.rivals.channel import Channel
from rig.rivals.words import STREAM_ID, announce, flat, listening, paced


def form(seq: int, text: str) -> str:
    return f'event: delta\ndata: {{"text":"{text}"}}\nid: {STREAM_ID}:{seq}\n\n'


class Handler(tornado.web.RequestHandler):
    def initialize(self, channel):
        self.channel = channel

    async def get(self, kind):
        self.gone = asyncio.Event()
        self.set_header("Content-Type", "text/event-stream")
        with suppress(StreamClosedError):
            if kind == "idle":
                self.write(form(1, "x"))
                await self.flush()
                await self.gone.wait()
            elif kind == "shared":
                async for frame in self.channel.follow():
                    self.write(frame)
                    await self.flush()
            else:
                seq = 0
                async for text in flat() if kind == "flat" else paced():
                    seq += 1
                    self.write(form(seq, text))
                    await self.flush()

    def on_connection_close(self):
        self.gone.set()


async def main() -> None:
    settings = {"log_function": lambda _: None}
    listener = listening()
    app = tornado.web.Application([("/(.*)", Handler, {"channel": Channel(form)})], **settings)
    HTTPServer(app).add_sockets([listener])
    announce(listener)
    await asyncio.Event().wait()


asyncio.run(main())
