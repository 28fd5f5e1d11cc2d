"""The runs of a sweep, computed here, on all cores, or wherever an executor has them computed."""

from __future__ import annotations

import random
import signal
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sse_widget.measure.graphemes import segment
from sse_widget.measure.sweep.cross import Case
from sse_widget.measure.sweep.gauge import Gauge, Measuring
from sse_widget.measure.virtual.run import Rehearsal
from sse_widget.measure.virtual.serving import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    Found = tuple[Sequence[Case], list[tuple[Any, ...]]]

JOB_RUNS: Final = 100
"""Runs that are computed together, so that they share what their parameters do not change."""

_ALONE: Final = 2 * JOB_RUNS
"""Up to so many runs are computed here: a process takes longer to start."""


class Job(msgspec.Struct, frozen=True):
    """Runs of one stream for one process."""

    tokens: Tokens
    cases: list[Case]
    gauge: Gauge


def compute(job: Job) -> list[tuple[Any, ...]]:
    """Return the figures of each run."""
    return list(_computed(job))


def _computed(job: Job) -> Iterator[tuple[Any, ...]]:
    rehearsal, measure = Rehearsal(job.tokens, segment, _randomness), Measuring(job.gauge)
    for case in job.cases:
        yield measure(rehearsal.run(case.setting, case.seed))


def _randomness(seed: int) -> Callable[[], float]:
    return random.Random(seed).random  # noqa: S311 - repeatable jitter, no secret


def work(
    streams: Mapping[str, Tokens], cases: Sequence[Case], gauge: Gauge, executor: Executor | None
) -> Iterator[Found]:
    """Yield cases and their figures as they are found, each case once, in any order.

    More than 200 runs go to a process on each core, or to `executor`, which is left open. Whoever stops iterating
    cancels what has not begun.
    """
    jobs = list(_jobs(streams, cases, gauge))
    if executor is not None:
        yield from _spread(jobs, executor)
    elif len(cases) > _ALONE:
        with _own_processes() as own:
            yield from _spread(jobs, own)
    else:
        for job in jobs:
            yield from (([case], [figures]) for case, figures in zip(job.cases, _computed(job), strict=True))


def _jobs(streams: Mapping[str, Tokens], cases: Sequence[Case], gauge: Gauge) -> Iterator[Job]:
    for name, tokens in streams.items():
        mine = [case for case in cases if case.stream == name]
        for at in range(0, len(mine), JOB_RUNS):
            yield Job(tokens, mine[at : at + JOB_RUNS], gauge)


@contextmanager
def _own_processes() -> Iterator[Executor]:
    # Spawned: a fork would copy the threads' locks of a notebook's kernel. An interrupt is the parent's to handle.
    ignore = (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=signal.signal, initargs=ignore) as own:
        yield own


def _spread(jobs: Iterable[Job], executor: Executor) -> Iterator[Found]:
    futures: dict[Future[list[tuple[Any, ...]]], Job] = {executor.submit(compute, job): job for job in jobs}
    try:
        for future in as_completed(futures):
            yield futures[future].cases, future.result()
    finally:
        for future in futures:
            future.cancel()
