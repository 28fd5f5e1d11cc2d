"""`python -m rig.rivals.publisher PORT` says to nchan what the other servers say to themselves, over one connection."""

from __future__ import annotations

import asyncio
import sys

from rig.rivals.words import paced

HEAD = "POST /publish HTTP/1.1\r\nHost: 127.0.0.1\r\nX-EventSource-Event: delta\r\nContent-Length: "


async def main() -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    async for text in paced():
        body = f'{{"text":"{text}"}}'
        writer.write(f"{HEAD}{len(body)}\r\n\r\n{body}".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        status, *fields = head.decode().splitlines()
        assert status.split()[1] in {"201", "202"}, head
        lengths = [field.partition(":")[2] for field in fields if field.lower().startswith("content-length:")]
        await reader.readexactly(int(lengths[0]))


asyncio.run(main())
