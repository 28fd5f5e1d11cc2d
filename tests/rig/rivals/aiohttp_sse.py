"""aiohttp-sse."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import aiohttp_sse
from aiohttp import web

from rig.rivals.channel import Channel
from rig.rivals.words import STREAM_ID, announce, flat, listening, paced


async def main() -> None:
    channel = Channel(lambda seq, text: (f'{{"text":"{text}"}}', f"{STREAM_ID}:{seq}"))

    async def answer(request):
        kind = request.path
        with suppress(OSError):
            async with aiohttp_sse.sse_response(request, sep="\n") as response:
                if kind == "/shared":
                    async for data, event_id in channel.follow():
                        await response.send(data, id=event_id, event="delta")
                elif kind == "/idle":
                    await response.send('{"text":"x"}', id=f"{STREAM_ID}:1", event="delta")
                    await asyncio.Event().wait()
                else:
                    seq = 0
                    async for text in flat() if kind == "/flat" else paced():
                        seq += 1
                        await response.send(f'{{"text":"{text}"}}', id=f"{STREAM_ID}:{seq}", event="delta")
            return response

    app = web.Application()
    for path in ("/flat", "/paced", "/shared", "/idle"):
        app.router.add_get(path, answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listener = listening()
    await web.SockSite(runner, listener).start()
    announce(listener)
    await asyncio.Event().wait()


asyncio.run(main())
