"""Which knobs to choose: the Pareto front of lag against smoothness, and the point on it that given weights prefer."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from sse_widget.measure.pareto import front_of, score_of
from sse_widget.measure.sweep.cross import KNOBS
from sse_widget.measure.sweep.gauge import PAUSE, TEXT_LAG
from sse_widget.measure.sweep.table import summary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sse_widget.measure.frame import Frame

WEIGHTS: Final = MappingProxyType({TEXT_LAG: 1.0, PAUSE: 1.0})
"""A millisecond for which text is late counts as much as one for which it stands still."""


@dataclass(frozen=True, slots=True, repr=False)
class Recommendation:
    """The `knobs` that cost least by the `weights`, what they come to, and the `front` that they lie on.

    `figures` are the weighted ones, `score` is their weighted sum. `front` has one row for each point that no other
    beats in all of them, the best of the first first. They are of `runs` runs; `failed` more, which did not end in
    done, were left out.
    """

    knobs: dict[str, Any]
    figures: dict[str, float]
    score: float
    weights: dict[str, float]
    front: Frame
    combinations: int
    runs: int
    failed: int

    def __repr__(self) -> str:
        knobs = ", ".join(f"{name}={value}" for name, value in self.knobs.items())
        figures = ", ".join(f"{name} {value:.4g}" for name, value in self.figures.items())
        sum_ = " + ".join(f"{weight:g} * {name}" for name, weight in self.weights.items())
        lines = [
            f"Recommendation: {knobs}",
            f"  has {figures}",
            f"  because {sum_} = {self.score:.4g} is the least of {self.combinations} combinations ({self.runs} runs),",
            f"  {len(self.front)} of which are on the Pareto front" + self._trade(),
        ]
        if self.failed:
            lines.append(f"  {self.failed} runs that did not end in done were left out")
        return "\n".join(lines)

    def _trade(self) -> str:
        """Say what the ends of the front would give and take."""
        first, *_, last = [" and ".join(f"{value:.4g}" for value in row) for row in self._points()] * 2
        return "" if first == last else f", from {first} to {last}"

    def _points(self) -> list[tuple[float, ...]]:
        return list(self.front[list(self.weights)].itertuples(index=False, name=None))


def recommend(
    df: Frame, weights: Mapping[str, float] = WEIGHTS, *, knobs: Sequence[str] | None = None
) -> Recommendation:
    """Return the knobs of a sweep that cost least, and the Pareto front that they lie on.

    >>> import sse_widget as sw
    >>> df = sw.sweep("bursty", chunk_tokens=[1, 6], max_lag_ms=[100, 400], jitter_ms=40, seeds=range(3))
    >>> sw.recommend(df).knobs
    {'chunk_tokens': 1, 'max_lag_ms': 100}
    >>> sw.recommend(df, {"text_lag_p95_ms": 1, "pause_ms": 10}).knobs
    {'chunk_tokens': 1, 'max_lag_ms': 400}

    `weights` say which figures matter and how much; smaller is better, or greater where the weight is negative (such as
    -1000 for displayed_qoe); one of weight 0 does not matter. They are rates of exchange: with 1 and 3, three
    milliseconds of the first are worth one of the second. Unless told, these are `text_lag_p95_ms`, how late text is
    (from the model to the eye, so that both large chunks and slow typing count), and `pause_ms`, how long it stands
    still: `measure.sweep.gauge.Gauge` has the formulas. The least weighted sum always lies on the front.

    `knobs` are the columns to choose among, those of chunker and typewriter unless told. Every combination is judged by
    its mean over all else that was swept: streams, seeds, networks, faults. Runs that did not end in done do not
    count, because what was never shown was never late; a combination without any that did is left out.

    Raises ValueError where a weighted figure, or every knob, is missing, all weights are 0, or nothing is left to
    choose from.
    """
    chosen = [name for name in KNOBS if name in df.columns] if knobs is None else list(knobs)
    for name in [*weights, *chosen]:
        if name not in df.columns:
            raise ValueError(f"the table has no column {name!r}; it has {', '.join(df.columns)}")
    weights = _weighing(weights)
    if not chosen:
        raise ValueError("there is nothing to choose: sweep a knob, such as chunk_tokens")
    done = df[df["state"] == "done"] if "state" in df.columns else df
    front = pareto_front(_means(done, chosen, weights), weights)
    if front.empty:
        raise ValueError("no run ended in done with these figures, so there is nothing to choose from")
    best = int(front["score"].argmin())
    return Recommendation(
        knobs={name: _plain(front[name].iloc[best]) for name in chosen},
        figures={name: float(front[name].iloc[best]) for name in weights},
        score=float(front["score"].iloc[best]),
        weights={name: float(weight) for name, weight in weights.items()},
        front=front,
        combinations=len(done[chosen].drop_duplicates()),
        runs=len(done),
        failed=len(df) - len(done),
    )


def pareto_front(df: Frame, weights: Mapping[str, float] = WEIGHTS) -> Frame:
    """Return the rows of a table that are on the Pareto front of the weighted figures, with their `score`.

    Smaller is better where a weight is positive, greater where it is negative, and a figure of weight 0 does not
    matter; they are in the order of the first. Raises ValueError where no weight is other than 0.
    """
    weights = _weighing(weights)
    signed = [[(value if weights[name] > 0 else -value) for value in df[name].astype(float)] for name in weights]
    rows = df.iloc[front_of(list(zip(*signed, strict=True)))].reset_index(drop=True)
    scores = [score_of({name: float(row[name]) for name in weights}, weights) for _, row in rows.iterrows()]
    return rows.assign(score=scores)


def _weighing(weights: Mapping[str, float]) -> dict[str, float]:
    """Return the weights that weigh anything."""
    weighing = {name: weight for name, weight in weights.items() if weight}
    if not weighing:
        raise ValueError("there is nothing to choose by: weigh a figure, other than by 0")
    return weighing


def _means(df: Frame, knobs: Sequence[str], weights: Mapping[str, float]) -> Frame:
    return summary(df[[*knobs, *weights]], by=knobs)


def _plain(value: Any) -> Any:
    """A knob as it would be written in Python, not as a scalar of NumPy's."""
    return value.item() if hasattr(value, "item") else value
