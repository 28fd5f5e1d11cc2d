"""When requests are due: spacing against what it must be, statistics against the formulas of a Poisson process."""

from __future__ import annotations

import math
import random
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_widget.load.arrivals import constant, poisson
from sse_widget.load.reservoir import Reservoir

RATE = 7.5
MANY = 20_000


def drawn(seed, count=MANY):
    return list(islice(poisson(RATE, random.Random(seed).random), count))


def times_between(arrivals):
    return [after - before for before, after in pairwise([0.0, *arrivals])]


@given(st.floats(0.01, 1000), st.integers(0, 2000))
def test_constant_arrivals_are_multiples_without_drift(rate, number):
    assert next(islice(constant(rate), number, None)) == number / rate


@pytest.mark.parametrize("seed", range(5))
def test_times_between_have_the_mean_and_the_deviation_of_the_exponential(seed):
    between = times_between(drawn(seed))
    mean = sum(between) / MANY
    variance = sum((time - mean) ** 2 for time in between) / (MANY - 1)
    # The mean of n exponential times has the deviation 1 / (rate sqrt(n)); their variance one of sqrt(8 / n) / rate^2.
    assert mean == pytest.approx(1 / RATE, abs=4 / (RATE * math.sqrt(MANY)))
    assert variance == pytest.approx(1 / RATE**2, abs=4 * math.sqrt(8 / MANY) / RATE**2)


@pytest.mark.parametrize("seed", range(5))
def test_times_between_follow_the_exponential_everywhere(seed):
    """Kolmogorov and Smirnov's greatest distance; beyond 1.95 / sqrt(n) it is one case in 1,000."""
    ordered = sorted(times_between(drawn(seed)))
    shares = [1 - math.exp(-RATE * time) for time in ordered]
    distance = max(max((place + 1) / MANY - share, share - place / MANY) for place, share in enumerate(shares))
    assert distance < 1.95 / math.sqrt(MANY)


@pytest.mark.parametrize("seed", range(5))
def test_counts_in_equal_times_have_mean_and_variance_of_rate_times_time(seed):
    arrivals, window_s = drawn(seed), 2.0
    windows = int(arrivals[-1] / window_s)
    counts = [0] * windows
    for at_s in arrivals:
        if at_s < windows * window_s:
            counts[int(at_s / window_s)] += 1
    mean = sum(counts) / windows
    variance = sum((count - mean) ** 2 for count in counts) / (windows - 1)
    expected = RATE * window_s
    assert mean == pytest.approx(expected, abs=4 * math.sqrt(expected / windows))
    assert variance / mean == pytest.approx(1.0, abs=4 * math.sqrt(2 / windows))


@pytest.mark.parametrize("seed", range(5))
def test_times_between_do_not_depend_on_each_other(seed):
    between = times_between(drawn(seed))
    mean = sum(between) / MANY
    spread = sum((time - mean) ** 2 for time in between)
    together = sum((one - mean) * (other - mean) for one, other in pairwise(between))
    assert abs(together / spread) < 4 / math.sqrt(MANY)


def test_the_seed_is_all_that_counts():
    assert drawn(3, 100) == drawn(3, 100)
    assert drawn(3, 100) != drawn(4, 100)


@pytest.mark.parametrize("number", [0.0, 1 - 2**-53])
def test_no_drawn_number_is_too_small_or_too_large(number):
    at_s = next(poisson(RATE, lambda: number))
    assert 0 <= at_s < 40 / RATE


@given(st.lists(st.floats(-1e9, 1e9), max_size=50), st.integers(50, 60))
def test_a_reservoir_keeps_all_up_to_its_limit(numbers, limit):
    reservoir = Reservoir(limit, random.Random(0).random)
    reservoir.add(numbers)
    assert list(reservoir.kept) == numbers
    assert reservoir.seen == len(numbers)


def test_a_reservoir_beyond_its_limit_keeps_each_number_with_the_same_chance():
    kept = [0] * 40
    for seed in range(2000):
        reservoir = Reservoir(10, random.Random(seed).random)
        reservoir.add(float(number) for number in range(40))
        assert len(reservoir.kept) == 10
        for number in reservoir.kept:
            kept[int(number)] += 1
    # Each is kept in a quarter of 2,000 runs: 500, with a deviation of sqrt(2000 * 1/4 * 3/4) = 19.4.
    assert all(abs(count - 500) < 5 * 19.4 for count in kept)
