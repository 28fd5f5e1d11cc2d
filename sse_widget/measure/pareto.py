"""Which rows of a table are not beaten in every respect at once. Pure: a table is whatever has columns of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def front_of(points: Sequence[Sequence[float]]) -> list[int]:
    """Return the places of the points on the Pareto front, of which smaller is better in every coordinate.

    A point is on it unless another is at least as good everywhere and better somewhere. Points with a coordinate that
    is not a number are on no front. They come in the order of their first coordinate.
    """
    known = [place for place, point in enumerate(points) if all(value == value for value in point)]  # noqa: PLR0124
    front: list[int] = []
    # Whoever beats a point comes before it in this order, or beats nobody.
    for place in sorted(known, key=lambda place: tuple(points[place])):
        if not any(_beats(points[other], points[place]) for other in front):
            front.append(place)
    return front


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return tuple(one) != tuple(other) and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))


def score_of(point: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Return the weighted sum of a point's figures."""
    return sum(weight * point[name] for name, weight in weights.items())
