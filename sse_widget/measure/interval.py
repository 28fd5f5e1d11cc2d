"""How far a mean of few values can be trusted. Pure."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

_HALVINGS: Final = 100


@lru_cache(1024)
def student_t(freedom: int, share: float = 0.95) -> float:
    """Return t such that a variable of Student's distribution lies within -t and t with a probability of `share`.

    Raises ValueError for fewer than one degree of freedom, or a share that is not between 0 and 1.
    """
    if freedom < 1 or not 0 < share < 1:
        raise ValueError(f"degrees of freedom are 1 or more, and a share is between 0 and 1; got {freedom}, {share}")
    # The angle whose tangent is t / sqrt(freedom), by halving: the probability grows with it.
    low, high = 0.0, math.pi / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < share else (low, middle)
    return math.tan(low) * math.sqrt(freedom)


def _within(angle: float, freedom: int) -> float:
    """Return A(t | freedom): Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 (odd) and 26.7.4."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    terms = term if freedom > 1 else 0.0
    for place in range(2 + odd, freedom, 2):
        term *= cosine * cosine * (place - 1) / place
        terms += term
    return 2 / math.pi * (angle + sine * terms) if odd else sine * terms
