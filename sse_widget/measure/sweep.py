"""Virtual runs of the same tokens under every combination of parameters, on all cores."""

from __future__ import annotations

import random
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from itertools import pairwise, product
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sse_widget.measure.gaps import percentile
from sse_widget.measure.graphemes import segment
from sse_widget.measure.virtual.network import Network
from sse_widget.measure.virtual.page import Page
from sse_widget.measure.virtual.run import Rehearsal, Setting, VirtualRun
from sse_widget.measure.virtual.serving import Tokens
from sse_widget.pacing.chunker import Knobs
from sse_widget.pacing.pace import PacerOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    Value = float | bool
    Values = Value | Iterable[Value]
    Figures = Mapping[str, float | None]
    Measure = Callable[[VirtualRun], Figures]
    Progress = Callable[[int, int], object]

_JOB_RUNS: Final = 100
_BEFORE_SEED: Final = {"knobs": Knobs, "network": Network}
_AFTER_SEED: Final = {"pace": PacerOptions, "page": Page}
_PARTS: Final = _BEFORE_SEED | _AFTER_SEED

PARAMETERS: Final = {name: part for part, kind in _PARTS.items() for name in kind.__struct_fields__}
"""The parameters that can be crossed, and the part of a virtual run's setting in which each is described."""


class Case(msgspec.Struct, frozen=True):
    """One run of a sweep: the tokens by their name, the values that are crossed, and what follows from them."""

    stream: str
    seed: int
    values: dict[str, Value]
    setting: Setting


class _Job(msgspec.Struct, frozen=True):
    """Runs of one stream for one process; all of it can be pickled if `measure` can."""

    tokens: Tokens
    cases: list[Case]
    measure: Measure


def figures(run: VirtualRun) -> dict[str, float | None]:
    """Return the figures of a run (design.md section 10) in ms; None where there is nothing to say.

    With r_i the time at which delta i of n was received and p_i that at which its last character was painted, asked
    at t0: TTFT = r_1 - t0, TTFP = p_1 - t0, gaps r_i - r_(i-1) and p_i - p_(i-1), lag = p_i - r_i, tail = p_n - r_n.
    """
    received_s, painted_s = run.receive_s, run.paint_s
    lags_ms = [1000.0 * (painted - received) for received, painted in zip(received_s, painted_s, strict=True)]
    return {
        "ttft_ms": 1000.0 * (received_s[0] - run.asked_s) if received_s else None,
        "ttfp_ms": 1000.0 * (painted_s[0] - run.asked_s) if painted_s else None,
        "delivered_total_ms": 1000.0 * (received_s[-1] - run.asked_s) if received_s else None,
        "displayed_total_ms": 1000.0 * (painted_s[-1] - run.asked_s) if painted_s else None,
        "delivered_gap_p95_ms": percentile(_gaps_ms(received_s), 0.95),
        "displayed_gap_p95_ms": percentile(_gaps_ms(painted_s), 0.95),
        "lag_p50_ms": percentile(lags_ms, 0.5),
        "lag_p95_ms": percentile(lags_ms, 0.95),
        "tail_ms": lags_ms[-1] if lags_ms else None,
    }


def _gaps_ms(times_s: Sequence[float]) -> list[float]:
    return [1000.0 * (later - earlier) for earlier, later in pairwise(times_s)]


def sweep(
    streams: Mapping[str, Tokens],
    *,
    seeds: Iterable[int] = (0,),
    measure: Measure = figures,
    executor: Executor | None = None,
    progress: Progress | None = None,
    **parameters: Values,
) -> dict[str, list[Any]]:
    """Run each stream under every combination of the parameters and seeds; return columns, one row a run.

    A parameter is any of `PARAMETERS`, with one value or several; the others keep their defaults. The columns are
    `stream`, `seed`, the parameters that were named, and what `measure` returns of each run. Rows are in the order of
    the cross: streams, then knobs, network, seeds, pace and page. `progress` is called with how many runs are done,
    and of how many.

    More than 100 runs go to a process on each core, which are spawned (so a script needs the usual guard of its main
    module), or to `executor`, which is left open. Raises TypeError for an unknown parameter and ValueError for a value
    that is out of range, before anything runs.
    """
    cases = list(_cross(streams, tuple(seeds), parameters))
    jobs = [
        _Job(streams[name], mine[at : at + _JOB_RUNS], measure)
        for name in streams
        if (mine := [case for case in cases if case.stream == name])
        for at in range(0, len(mine), _JOB_RUNS)
    ]
    told = progress or (lambda _done, _total: None)
    if executor is not None:
        found = _spread(jobs, executor, told)
    elif len(jobs) > 1:
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as own:
            found = _spread(jobs, own, told)
    else:
        found = [figure for job in jobs for figure in _compute(job)]
        told(len(cases), len(cases))
    return _columns(cases, list(parameters), found)


def _cross(streams: Mapping[str, Tokens], seeds: Sequence[int], parameters: Mapping[str, Values]) -> Iterator[Case]:
    """Yield all cases; what a run shares with the one before is computed once, so the page's change fastest."""
    lists = {name: _listed(name, values) for name, values in parameters.items()}
    outer = {name: values for name, values in lists.items() if PARAMETERS[name] in _BEFORE_SEED}
    inner = {name: values for name, values in lists.items() if PARAMETERS[name] in _AFTER_SEED}
    for stream, before, seed, after in product(streams, _combined(outer), seeds, _combined(inner)):
        values = before | after
        yield Case(stream, seed, values, setting_of(values))


def _listed(name: str, values: Values) -> list[Value]:
    if name not in PARAMETERS:
        raise TypeError(f"there is no parameter {name!r} to sweep; there are {', '.join(PARAMETERS)}")
    return [values] if isinstance(values, float | int) else list(values)


def _combined(lists: Mapping[str, list[Value]]) -> list[dict[str, Value]]:
    # Knobs before network and pace before page, whatever the order in which they were named.
    names = sorted(lists, key=list(PARAMETERS).index)
    return [dict(zip(names, values, strict=True)) for values in product(*(lists[name] for name in names))]


def setting_of(values: Mapping[str, Value]) -> Setting:
    """Return the setting with these values of `PARAMETERS`; raises ValueError for one that is out of range."""
    parts: dict[str, dict[str, Any]] = {part: {} for part in _PARTS}
    for name, value in values.items():
        parts[PARAMETERS[name]][name] = value
    return Setting(**{part: kind(**parts[part]) for part, kind in _PARTS.items()})


def _spread(jobs: Sequence[_Job], executor: Executor, progress: Progress) -> list[Figures]:
    futures = {executor.submit(_compute, job): at for at, job in enumerate(jobs)}
    found: list[list[Figures]] = [[] for _ in jobs]
    done, total = 0, sum(len(job.cases) for job in jobs)
    try:
        for future in as_completed(futures):
            at = futures[future]
            found[at] = future.result()
            done += len(jobs[at].cases)
            progress(done, total)
    finally:
        for future in futures:
            future.cancel()
    return [figure for part in found for figure in part]


def _compute(job: _Job) -> list[Figures]:
    rehearsal = Rehearsal(job.tokens, segment, _randomness)
    return [job.measure(rehearsal.run(case.setting, case.seed)) for case in job.cases]


def _randomness(seed: int) -> Callable[[], float]:
    return random.Random(seed).random  # noqa: S311 - repeatable jitter, no secret


def _columns(cases: Sequence[Case], names: Sequence[str], found: Sequence[Figures]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {"stream": [case.stream for case in cases], "seed": [case.seed for case in cases]}
    columns |= {name: [case.values[name] for case in cases] for name in names}
    for name in found[0] if found else ():
        columns[name] = [figure[name] for figure in found]
    return columns
