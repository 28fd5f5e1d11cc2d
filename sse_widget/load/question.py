"""One question of a load, from its sending to whatever ends it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from sse_widget.errors import ConnectError, IdleTimeout, SSEWidgetError
from sse_widget.load.reading import Reading
from sse_widget.load.sample import Sample
from sse_widget.measure.graphemes import segment
from sse_widget.measure.metrics import metrics_of
from sse_widget.measure.spans import Received
from sse_widget.protocol.chunks import TAKEN
from sse_widget.protocol.failure import failure_of_head

if TYPE_CHECKING:
    from sse_widget.load.target import Target
    from sse_widget.stream import Status

TRUNCATED = "upstream_truncated"
TIMEOUT = "timeout"


class Ended(msgspec.Struct, frozen=True):
    """How a question ended, and what its reader received; times are those of the loop's clock."""

    state: str
    received: Received
    code: str = ""
    message: str = ""
    reconnects: int = 0

    @property
    def gaps_ms(self) -> list[float]:
        """The times between deliveries."""
        return [1000.0 * (after.received_s - before.received_s) for before, after in pairwise(self.received.spans)]

    def sample(self, number: int, question: int, due_s: float | None, began_s: float) -> Sample:
        """Return its row, with times after the beginning of the load."""
        received = self.received
        return Sample(
            number=number,
            question=question,
            planned_s=due_s,
            started_s=received.asked_s - began_s,
            ended_s=(received.ended_s or received.asked_s) - began_s,
            state=self.state,
            code=self.code,
            message=self.message,
            reconnects=self.reconnects,
            metrics=metrics_of(received, segment),
        )


class Question:
    """Asks once; its time begins when it is made.

    A refusal, or no connection, is final, as a load has to count it; what breaks later is resumed.
    """

    def __init__(self, target: Target, text: str, timeout_s: float) -> None:
        self._target = target
        self._timeout_s = timeout_s
        self._stream = target.ask(text).on_status(self._told)
        self._connections = 0
        self._reading = Reading(asyncio.get_running_loop().time, target.first_tokens)

    async def answer(self) -> Ended:
        """Read to the end, or to the time limit."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._read()
        except TimeoutError:
            await self._target.stop(self._stream)
            return self._ended("interrupted", TIMEOUT, f"it was not over after {self._timeout_s:g} s, and was left")
        except asyncio.CancelledError:
            await self._target.stop(self._stream)
            raise
        failure = self._failure()
        if failure is None:
            return self._ended("done", "", "")
        state = self._stream.state
        return self._ended("error" if state in {"done", "closed", None} else state, failure.code, failure.message)

    async def check(self) -> None:
        """Read to the first text and leave. Raises what is wrong."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._read(to_first_text=True)
        except TimeoutError as error:
            raise IdleTimeout(f"{self._target.url} said nothing for {self._timeout_s:g} s") from error
        finally:
            await self._target.stop(self._stream)
        if self._reading.text:
            return
        failure = self._failure()
        if failure is not None and failure.code != TRUNCATED:
            raise failure
        raise ConnectError(f"{self._target.url} answers, but with no text; known are {TAKEN}", code="no_text")

    async def _read(self, *, to_first_text: bool = False) -> None:
        async with aclosing(self._stream.events()) as events:
            async for event in events:
                self._reading.take(event)
                if to_first_text and self._reading.text:
                    return

    def _told(self, status: Status) -> None:
        self._connections += status.state == "connecting"
        if status.state == "waiting" and not self._reading.begun:
            self._stream.disconnect()

    def _failure(self) -> SSEWidgetError | None:
        """Return why the answer is not whole, None when it is."""
        stream, reading = self._stream, self._reading
        head = stream.head
        if head is not None and head.status not in {200, 204}:
            failure = failure_of_head(head)
            return ConnectError(failure.message, status=head.status, code=failure.code)
        if stream.error is not None:
            return stream.error
        if stream.state == "closed":
            return stream.cause or ConnectError("the connection broke before the answer began")
        if reading.failure is not None:
            return reading.failure
        if stream.state == "stopped":
            return SSEWidgetError("somebody else stopped it", code="stopped")
        if not reading.whole:
            return ConnectError("the answer broke off: nothing said that it was over", code=TRUNCATED)
        return None

    def _ended(self, state: str | None, code: str, message: str) -> Ended:
        return Ended(state or "error", self._reading.received(), code, message, max(0, self._connections - 1))
