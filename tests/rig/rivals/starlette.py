"""sse-starlette on uvicorn."""

from __future__ import annotations

import asyncio

import uvicorn
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.routing import Route

from rig.rivals.channel import Channel
from rig.rivals.words import STREAM_ID, announce, flat, listening, paced


def form(seq: int, text: str) -> ServerSentEvent:
    return ServerSentEvent(f'{{"text":"{text}"}}', event="delta", id=f"{STREAM_ID}:{seq}", sep="\n")


async def numbered(texts):
    seq = 0
    async for text in texts:
        seq += 1
        yield form(seq, text)


async def nothing():
    yield form(1, "x")
    await asyncio.Event().wait()


async def main() -> None:
    channel = Channel(form)
    made = {
        "/flat": lambda: numbered(flat()),
        "/paced": lambda: numbered(paced()),
        "/shared": channel.follow,
        "/idle": nothing,
    }

    async def answer(request):
        return EventSourceResponse(made[request.url.path](), sep="\n")

    listener = listening()
    config = uvicorn.Config(Starlette(routes=[Route(path, answer) for path in made]), log_level="warning")
    announce(listener)
    await uvicorn.Server(config).serve([listener])


asyncio.run(main())
