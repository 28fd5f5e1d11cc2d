"""A bare asyncio writer: no HTTP library at all, frames formatted in place."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from rig.rivals.channel import Channel
from rig.rivals.words import STREAM_ID, announce, flat, listening, paced

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(seq: int, text: str) -> bytes:
    frame = f'event: delta\ndata: {{"text":"{text}"}}\nid: {STREAM_ID}:{seq}\n\n'.encode()
    return b"%x\r\n%b\r\n" % (len(frame), frame)


async def main() -> None:
    channel = Channel(chunk)

    async def answer(reader, writer):
        with suppress(OSError, asyncio.IncompleteReadError):
            asked = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
            writer.write(HEAD)
            if asked == b"/shared":
                async for data in channel.follow():
                    writer.write(data)
                    await writer.drain()
            elif asked == b"/idle":
                writer.write(chunk(1, "x"))
                await reader.read()
            else:
                seq = 0
                async for text in flat() if asked == b"/flat" else paced():
                    seq += 1
                    writer.write(chunk(seq, text))
                    await writer.drain()
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        writer.close()

    listener = listening()
    server = await asyncio.start_server(answer, sock=listener)
    announce(listener)
    async with server:
        await server.serve_forever()


asyncio.run(main())
