"""A report's requests as a table for pandas, which need not be installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sse_widget.load.sample import Sample
from sse_widget.measure.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sse_widget.measure.frame import Frame

_COUNTS = frozenset({"deltas", "chars", "tokens", "delivered_stalls", "displayed_chars", "displayed_stalls"})
OF_SAMPLE = tuple(name for name in Sample.__struct_fields__ if name != "metrics")
COLUMNS = (*OF_SAMPLE, "late_ms", *Metrics.__struct_fields__)


def frame_of(samples: Sequence[Sample]) -> Frame:
    """Return one row a request; raises ImportError when pandas is not installed.

    `number`, `question`, `started_s`, `ended_s`, `state`, `planned_s`, `code`, `message`, `reconnects` and `late_ms`
    are as `Sample` says; the others as `measure.metrics.Metrics` does. What is not known is missing.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - an optional extra, and slow to load
    except ImportError as error:
        raise ImportError("a frame needs pandas: pip install 'sse-widget[measure]'") from error
    rows = [_row(sample) for sample in samples]
    return pd.DataFrame(
        {name: pd.Series([row[name] for row in rows], dtype=_dtype(name)) for name in COLUMNS},
        columns=list(COLUMNS),
    )


def _row(sample: Sample) -> dict[str, object]:
    fields = msgspec.structs.asdict(sample)
    return fields | {"late_ms": sample.late_ms} | msgspec.structs.asdict(sample.metrics)


def _dtype(name: str) -> str:
    if name in {"number", "question", "reconnects"}:
        return "int64"
    if name in {"state", "code", "message"}:
        return "str"
    return "Int64" if name in _COUNTS else "float64"
