"""When requests are due: at a constant rate, or as a Poisson process. Pure: randomness is an argument."""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Arrivals = Literal["closed", "constant", "poisson"]
"""Closed: a request begins when one before it has ended. The others are open: requests begin when they are due."""


def constant(rate: float) -> Iterator[float]:
    """Yield seconds after the start, `rate` of them a second, evenly; each is computed anew, so no error adds up.

    >>> from itertools import islice
    >>> list(islice(constant(4.0), 4))
    [0.0, 0.25, 0.5, 0.75]
    """
    return (number / rate for number in count())


def poisson(rate: float, unit_random: Callable[[], float]) -> Iterator[float]:
    """Yield seconds after the start at which events of a Poisson process of `rate` a second happen.

    The times between them are independent and exponential with mean 1 / rate, drawn by inversion, -ln(1 - u) / rate
    for u of [0, 1) (Devroye, Non-Uniform Random Variate Generation, 1986, II.2.1); so the number in any t seconds has
    mean and variance rate * t. `unit_random` gives u.
    """
    at_s = 0.0
    while True:
        at_s -= math.log1p(-unit_random()) / rate
        yield at_s
