"""What Kubernetes runs before it ends a pod, run as it stands in the manifest: it waits for the answers, no longer."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import yaml

from rig.serving import CHAT, PATIENCE_S, GatedSource

MANIFEST = Path(__file__).parents[2] / "infra" / "kubernetes" / "server.yaml"


def hook(port):
    """Return the command of preStop, asking at this port."""
    deployment = next(iter(yaml.safe_load_all(MANIFEST.read_text("utf-8"))))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    program, *rest, script = container["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "python"
    assert ":8765/" in script
    return [sys.executable, *rest, script.replace(":8765/", f":{port}/")]


async def test_it_waits_for_the_answers_and_then_lets_the_pod_go(serve):
    source = GatedSource()
    served = await serve(sources={"gated": source})
    looks: asyncio.Queue[None] = asyncio.Queue()

    async def passing_on(reader, writer):
        """Stand before the server, and say when it is asked."""
        await reader.readuntil(b"\r\n\r\n")
        health = await served.client.get("/api/v1/stream/health")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + health.content)
        await writer.drain()
        writer.close()
        looks.put_nowait(None)

    async with await asyncio.start_server(passing_on, "127.0.0.1", 0) as front, asyncio.timeout(2 * PATIENCE_S):
        await served.client.post(CHAT, json={"q": "?", "model": "gated"}, headers={"Accept": "application/json"})
        waiting = await asyncio.create_subprocess_exec(*hook(front.sockets[0].getsockname()[1]))
        try:
            for _ in range(2):  # a second look, because the first one found an answer under way
                await looks.get()
            assert waiting.returncode is None
            source.finish()
            assert await waiting.wait() == 0
        finally:
            if waiting.returncode is None:
                waiting.kill()
                await waiting.wait()
    assert (await served.client.get("/api/v1/stream/health")).json()["runs"] == 0
