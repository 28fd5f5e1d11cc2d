"""A recorded answer as a model: its text, piece by piece, at the times at which it came.

Written as `replay:NAME`, or `replay:NAME,speed=2`; speed 0 is flat out. Any stream that was recorded can be replayed,
ours, OpenAI's, Anthropic's or plain text: what it says becomes tokens, whatever was asked.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sse_server.errors import ServerError, number_words
from sse_server.sources.base import ChatRequest, Token
from sse_widget.errors import CassetteError, LimitExceeded
from sse_widget.protocol.cassette import Decoder
from sse_widget.protocol.transcript import transcript

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from pathlib import Path

FASTEST = 1000.0
_BREATHE_EVERY = 64
_TICK_S = 0.001
_AHEAD_S = 0.003
_WORTH_A_TICK = 0.3
_MOST_TURNS = 200
_SHOWN = 60


def parse_replay(text: str) -> tuple[str, float]:
    """Read `NAME` or `NAME,speed=2`; raises ServerError that names what is wrong."""
    name, _, rest = text.partition(",")
    speed = 1.0
    for part in filter(None, rest.split(",")):
        key, _, raw = part.partition("=")
        if key != "speed":
            raise ServerError("unknown_parameter", name=key[:_SHOWN], known="speed")
        speed = _speed(raw)
    return name, speed


def _speed(raw: str) -> float:
    try:
        value = float(raw)
    except ValueError:
        value = float("nan")
    # float() reads 1_000 as well.
    if "_" in raw or not 0 <= value <= FASTEST:
        want = number_words(0, FASTEST)
        raise ServerError("bad_parameter", name="replay:speed", want=want, got=f'"{raw[:_SHOWN]}"')
    return value


class Pace:
    """The times of a recording on the running loop's clock, `speed` times as fast; 0 waits for nothing.

    Each moment is reckoned from `began_s`, so that what one wait is late adds nothing to the next. Loops round their
    timers up to whole milliseconds, epoll's in CPython twice, up to 2 ms late. So a wait aims ahead, then at the
    nearest millisecond, and passes what is left, mostly under 0.7 ms, in turns of the loop, which others use as well.
    """

    def __init__(self, speed: float, began_s: float | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time() if began_s is None else began_s
        self._speed = speed
        self._passed = 0

    async def until(self, offset_us: int) -> None:
        """Return when this moment of the recording has come."""
        due_s = self._began_s + offset_us / 1e6 / self._speed if self._speed else 0.0
        self._passed += 1
        if due_s > self._loop.time():
            await self._sleep_until(due_s)
        elif self._passed % _BREATHE_EVERY == 0:
            await asyncio.sleep(0)

    async def _sleep_until(self, due_s: float) -> None:
        turns = 0
        while (rest_s := due_s - self._loop.time()) > 0:
            if rest_s > _AHEAD_S + _TICK_S:
                await asyncio.sleep(rest_s - _AHEAD_S)
            elif (ticks := int(rest_s / _TICK_S + _WORTH_A_TICK)) > 0:
                await asyncio.sleep((ticks - 0.5) * _TICK_S)
            elif turns < _MOST_TURNS:
                turns += 1
                await asyncio.sleep(0)
            else:  # a loop of so many turns has other work, or a clock of its own
                await asyncio.sleep(rest_s)


class ReplaySource:
    """See the module. No more of the file than one read is held."""

    def __init__(self, name: str, path: Path, speed: float) -> None:
        self._name = name
        self._path = path
        self._speed = speed

    async def tokens(self, request: ChatRequest) -> AsyncGenerator[Token, None]:
        """Yield the recorded pieces on time; raises ServerError where the recorded answer failed or broke off."""
        pace = Pace(self._speed)
        steps = self._steps()
        try:
            for index, (offset_us, step) in enumerate(steps):
                await pace.until(offset_us)
                if isinstance(step, ServerError):
                    raise step
                if index == request.max_tokens and step.text:
                    yield Token("", "length")
                    return
                yield step
        except (CassetteError, LimitExceeded, OSError) as error:
            detail = error.strerror or "" if isinstance(error, OSError) else str(error)
            raise ServerError("bad_cassette", name=self._name, detail=detail) from error
        finally:
            steps.close()

    def _steps(self) -> Generator[tuple[int, Token | ServerError]]:
        """Yield each token, or the failure at the end, with its time."""
        with self._path.open("rb") as file:
            tape = Decoder(file)
            plain, offset_us = False, 0
            for said in transcript(tape):
                plain, offset_us = said.plain, said.offset_us
                if said.failure:
                    yield offset_us, ServerError("upstream_error", detail=said.failure)
                    return
                yield offset_us, Token(said.text, said.end)
                if said.end:
                    return
        if tape.end is not None:
            offset_us = tape.end.offset_us
        if plain and tape.end is not None and tape.end.end == "ended":
            yield offset_us, Token("", "stop")
        else:
            yield offset_us, ServerError("upstream_truncated")

    async def close(self) -> None:
        """Nothing is held."""
