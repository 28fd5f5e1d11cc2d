"""Rows of a sweep as a table, and what they come to over their seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_type_hints

from sse_widget.measure.interval import student_t
from sse_widget.measure.metrics import Metrics
from sse_widget.measure.sweep.cross import FAULT, PARAMETERS
from sse_widget.measure.sweep.gauge import OWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from sse_widget.measure.frame import Frame
    from sse_widget.measure.sweep.cross import Key

_TYPES: Final = {int: "int64", int | None: "Int64", float | None: "float64"}
_KEYS: Final = frozenset({"stream", FAULT, *PARAMETERS})
_WORDS: Final = frozenset({"seed", "state"})


def pandas() -> ModuleType:
    """Return pandas; raises ImportError, which says what to install."""
    try:
        import pandas as pd  # noqa: PLC0415 - an optional extra, and slow to load
    except ImportError as error:
        raise ImportError("a sweep needs pandas: pip install 'sse-widget[measure]'") from error
    return pd


def summary(df: Frame, by: Sequence[str] | None = None) -> Frame:
    """Return one row for each combination of a sweep's parameters: the mean of each figure over its runs, and how sure.

    Columns: `stream`, the parameters, `runs`, then for each figure its mean under its own name, and the bounds of its
    95 % confidence interval under `…_low` and `…_high`, by Student's t: mean -+ t(0.975, n - 1) * s / sqrt(n)
    (`measure.interval`). A sweep has few seeds, of which a bootstrap would make intervals that are too narrow, and t
    needs no randomness of its own. Missing figures do not count; the bounds are missing for fewer than two runs. Where
    nothing is random the interval has no width: it speaks of seeds, not of what else might be the case.

    `by` names the columns that tell combinations apart, where those that the sweep was given are not meant; other
    parameters are then averaged over, too. The name of the state and the seed are left out.
    """
    pd = pandas()
    by = [name for name in df.columns if name in _KEYS] if by is None else list(by)
    figures = [name for name in df.columns if name not in _KEYS and name not in by and name not in _WORDS]
    numbers = df[figures].astype("float64")
    groups = numbers.groupby([df[name] for name in by], sort=False, dropna=False)
    mean, spread, count = groups.mean(), groups.std(ddof=1), groups.count()
    half = spread / count**0.5 * count.map(lambda runs: student_t(int(runs) - 1) if runs > 1 else float("nan"))
    parts = {"runs": groups.size()}
    for name in figures:
        parts |= {name: mean[name], f"{name}_low": mean[name] - half[name], f"{name}_high": mean[name] + half[name]}
    table: Frame = pd.DataFrame(parts).reset_index()
    return table


def table_of(rows: Mapping[Key, Sequence[Any]], names: Sequence[str], figures: Sequence[str]) -> Frame:
    """Return one row a run: `stream`, `seed`, the parameters by their `names`, then the figures."""
    pd = pandas()
    types = {"stream": "str", "seed": "int64"} | _figure_types(figures)
    keys = dict(
        zip(["stream", "seed", *names], zip(*rows, strict=True) if rows else [()] * (2 + len(names)), strict=True)
    )
    found = zip(*rows.values(), strict=True) if rows else [()] * len(figures)
    columns = keys | dict(zip(figures, found, strict=True))
    table: Frame = pd.DataFrame({name: pd.Series(values, dtype=types.get(name)) for name, values in columns.items()})
    return table


def _figure_types(figures: Sequence[str]) -> dict[str, str]:
    known = {name: _TYPES[hint] for name, hint in get_type_hints(Metrics).items()} | OWN
    return {name: known[name] for name in figures}
