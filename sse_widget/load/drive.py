"""Puts the load on: asks when it is time to, and takes down what each reader saw."""

from __future__ import annotations

import asyncio
import math
import random
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from itertools import count, repeat
from typing import TYPE_CHECKING

import msgspec

from sse_widget.load.arrivals import constant, poisson
from sse_widget.load.question import Question
from sse_widget.load.reservoir import Reservoir
from sse_widget.load.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sse_widget.load.plan import Plan
    from sse_widget.load.target import Target

KEPT_GAPS = 100_000
LOOK_EVERY_S = 0.05


class Progress(msgspec.Struct, frozen=True):
    """How far a load is. `warming` while the requests are not counted yet."""

    ended: int = 0
    failed: int = 0
    open: int = 0
    elapsed_s: float = 0.0
    warming: bool = False


class Driven(msgspec.Struct, frozen=True):
    """What was measured.

    `gaps_ms` are those between deliveries of all answers, a fair sample of them beyond 100,000. `lags_ms` is how late
    this process was for a timer every 50 ms: what it measures cannot be more exact than that. `left` requests were open
    when the load was left, and are in no figure. `unsent` were due while as many were open as may be, and still were
    when the duration was over.
    """

    samples: tuple[Sample, ...]
    gaps_ms: tuple[float, ...]
    lags_ms: tuple[float, ...]
    elapsed_s: float
    peak_open: int
    left: int
    unsent: int
    interrupted: bool


class Drive:
    """One load: `run` it on any event loop; `leave` ends it from any thread and keeps what was measured."""

    def __init__(self, plan: Plan, target: Target, questions: Sequence[str]) -> None:
        self.progress = Progress(warming=True)
        self.interrupted = False
        self._plan = plan
        self._target = target
        self._questions = questions
        # Arrivals are drawn while answers come: they are repeatable only if nothing else draws from theirs.
        self._arrivals = random.Random(plan.seed)  # noqa: S311 - no secret
        kept = random.Random(plan.seed + 1)  # noqa: S311 - no secret
        self._samples: list[Sample] = []
        self._unsent = 0
        self._gaps = Reservoir(KEPT_GAPS, kept.random)
        self._lags = Reservoir(KEPT_GAPS, kept.random)
        self._open = self._peak_open = self._left_open = 0
        self._began_s: float | None = None
        self._left: Future[None] = Future()

    def leave(self) -> None:
        """End it now."""
        self.interrupted = True
        with suppress(InvalidStateError):  # it has ended by itself
            self._left.set_result(None)

    async def run(self) -> Driven:
        """Ask one question to see that it is answered, warm up, and drive.

        Raises what the first question failed with: RemoteError, ConnectError, WrongContentType, IdleTimeout.
        """
        async with self._target:
            driving = asyncio.create_task(self._drive())
            watching = asyncio.create_task(self._watch())
            left = asyncio.wrap_future(self._left)
            try:
                await asyncio.wait({driving, left}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (left, watching, driving):
                    task.cancel()
                self._left_open = self._open
                self._tick()
                await asyncio.wait({driving, watching})
        if not driving.cancelled():
            driving.result()
        return Driven(
            samples=tuple(self._samples),
            gaps_ms=tuple(self._gaps.kept),
            lags_ms=tuple(self._lags.kept),
            elapsed_s=self.progress.elapsed_s,
            peak_open=self._peak_open,
            left=self._left_open,
            unsent=self._unsent,
            interrupted=self.interrupted,
        )

    async def _drive(self) -> None:
        first = Question(self._target, self._questions[0], self._plan.timeout_s)
        await first.check()
        await self._work(repeat(None, self._plan.warmup), counted=False)
        self._peak_open = 0
        self.progress = Progress()
        self._began_s = asyncio.get_running_loop().time()
        await self._work(self._due(), counted=True)

    def _due(self) -> Iterator[float | None]:
        """Yield when each request is due, in seconds after the beginning; None for at once, while there is time."""
        plan = self._plan
        if plan.arrivals == "closed":
            for _ in range(plan.requests):
                if self._over():
                    return
                yield None
            return
        rate = plan.rate or 0.0
        arrivals = constant(rate) if plan.arrivals == "constant" else poisson(rate, self._arrivals.random)
        for _, due_s in zip(range(plan.requests), arrivals, strict=False):
            if due_s >= (plan.duration_s or math.inf):
                return
            yield due_s

    def _over(self) -> bool:
        return self._plan.duration_s is not None and self._elapsed_s() >= self._plan.duration_s

    async def _work(self, due: Iterator[float | None], *, counted: bool) -> None:
        """Have so many workers take one request after the other; who finds none that is due waits for it."""
        numbered = zip(count(), due, strict=False)
        async with asyncio.TaskGroup() as group:
            for _ in range(self._plan.concurrency):
                # One worker for each request at most: whoever comes too late takes nothing.
                group.create_task(self._worker(numbered, counted=counted))

    async def _worker(self, numbered: Iterator[tuple[int, float | None]], *, counted: bool) -> None:
        for number, due_s in numbered:
            if due_s is not None:
                await asyncio.sleep(due_s - self._elapsed_s())
                if self._over():
                    self._unsent += 1
                    continue
            await self._ask(number, due_s, counted=counted)

    async def _ask(self, number: int, due_s: float | None, *, counted: bool) -> None:
        place = number % len(self._questions)
        self._open += 1
        self._peak_open = max(self._peak_open, self._open)
        self._tick()
        try:
            question = Question(self._target, self._questions[place], self._plan.timeout_s)
            ended = await question.answer()
        finally:
            self._open -= 1
        if counted:
            self._gaps.add(ended.gaps_ms)
            self._samples.append(ended.sample(number, place, due_s, self._began_s or 0.0))
            self._tick(failed=not self._samples[-1].ok, ended=True)

    def _tick(self, *, failed: bool = False, ended: bool = False) -> None:
        before = self.progress
        self.progress = Progress(
            before.ended + ended, before.failed + failed, self._open, self._elapsed_s(), before.warming
        )

    def _elapsed_s(self) -> float:
        return 0.0 if self._began_s is None else asyncio.get_running_loop().time() - self._began_s

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + LOOK_EVERY_S
            await asyncio.sleep(LOOK_EVERY_S)
            self._lags.add([1000.0 * max(0.0, loop.time() - due_s)])
            self._tick()
