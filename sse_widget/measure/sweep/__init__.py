"""Virtual runs of recordings under every combination of parameters: `sw.sweep`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sse_widget.measure.gaps import STALL_MS
from sse_widget.measure.qoe import Reader
from sse_widget.measure.sweep.cross import Cross
from sse_widget.measure.sweep.gauge import gauge_of
from sse_widget.measure.sweep.ledger import Ledger, identity_of
from sse_widget.measure.sweep.progress import bar
from sse_widget.measure.sweep.source import streams_of
from sse_widget.measure.sweep.work import work

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable
    from concurrent.futures import Executor

    from sse_widget.measure.frame import Frame
    from sse_widget.measure.sweep.cross import Faults, Values
    from sse_widget.measure.sweep.source import Sources

__all__ = ["sweep"]

_ENGLISH: Final = Reader()


def sweep(  # noqa: PLR0913 - what can be said of a sweep, by keyword
    source: Sources,
    *,
    seeds: int | Iterable[int] = (0,),
    fault: Faults = None,
    figures: Collection[str] | None = None,
    reader: Reader = _ENGLISH,
    stall_threshold_ms: float = STALL_MS,
    executor: Executor | None = None,
    to: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    **parameters: Values,
) -> Frame:
    """Run recordings on a virtual clock under every combination of parameters; return one row a run.

    Each run goes all the way: the tokens as they were recorded, chunker, log, network, session, typewriter, frames of
    the page; nothing waits. What runs share that their parameters do not change is computed once.

    >>> import sse_widget as sw
    >>> df = sw.sweep("english", chunk_tokens=[1, 6], base_delay_ms=[2, 20], jitter_ms=40, seeds=range(3))
    >>> df[["chunk_tokens", "base_delay_ms", "seed", "text_lag_p95_ms", "pause_ms"]].shape
    (12, 5)

    `source` is a Cassette, the path of one, the name of a sample, or Tokens; several of them; or a mapping from names
    to them. A parameter is one of `measure.sweep.cross.PARAMETERS`, with one value or several:

    | of | parameters |
    |---|---|
    | the chunker | chunk_tokens, chunk_ms, delay_ms, flush_on_punctuation |
    | the network | latency_ms, jitter_ms, bytes_per_s |
    | reconnection | reconnect_delay_ms, max_reconnect_attempts, heartbeat_timeout_ms |
    | the typewriter | base_delay_ms, punctuation_delay_multiplier, comma_delay_multiplier, chars_per_step, max_lag_ms |
    | the page | frame_ms, phase_ms, paint_ms |

    The others keep their defaults. `fault` is a FaultPlan (or its JSON), None for none, several, or a mapping from
    names to them; its column says the name, else the JSON, or "none". Then bytes go through the plan, and the reader
    comes back as a session does. `seeds` are those of the network's jitter and of the waits before reconnecting; an
    integer is that one seed.

    Columns: `stream`, `seed`, the parameters that were named, `fault` if it was, then the `figures`, all unless some
    are named: `measure.sweep.gauge.Gauge` describes them. What is not known is missing. Rows are in the order of the
    cross: streams, then the parameters of chunker, network and reconnection, faults, seeds, typewriter, page.

    More than 200 runs go to a process on each core, which are spawned (so a script needs the usual guard of its main
    module), or to any `executor`, such as Dask's `client.get_executor()`, which is left open. With `to`, a Parquet
    file, what was found is kept there as it comes, also when the sweep is interrupted; the same call goes on from it,
    and one with further values of the same parameters computes only what is new. `progress` shows a bar, None where
    somebody sees it: in a notebook or on a terminal.

    Raises before anything runs: TypeError for an unknown parameter, ValueError for a value out of range, a figure that
    does not exist, or a file of another sweep, InvalidPlan, CassetteError; ImportError where pandas, or tqdm for the
    bar, is not installed. `sw.summary` makes means and confidence intervals of it, `sw.recommend` a choice.
    """
    streams, cross = streams_of(source), Cross.of(parameters, fault)
    gauge = gauge_of(figures, reader, stall_threshold_ms)
    asked = cross.cases(streams, [seeds] if isinstance(seeds, int) else list(seeds))
    cases = {case.key: case for case in asked}
    ledger = Ledger(to, identity_of(streams, cross, gauge))
    missing = [case for key, case in cases.items() if key not in ledger.rows]
    with bar(len(cases), len(cases) - len(missing), wanted=progress) as tell:
        try:
            for found, rows in work(streams, missing, gauge, executor):
                ledger.add([case.key for case in found], rows)
                ledger.save_now_and_then()
                tell(len(found))
        except BaseException as error:
            if to is not None:
                error.add_note(f"{len(ledger.rows)} runs are in {to}; the same call goes on from there")
            raise
        finally:
            ledger.save()
    return ledger.table(cases)
