"""The delay policy: its bounds, its growth, and the floor that `retry:` sets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sse_widget.protocol.backoff import MAX_RETRY_MS, Backoff

unit_randoms = st.floats(0, 1, exclude_max=True)
attempts = st.integers(1, 10_000)


@given(attempts, unit_randoms)
def test_the_delay_lies_between_zero_and_the_cap(attempt: int, unit_random: float) -> None:
    assert 0 <= Backoff().delay_ms(attempt, unit_random) <= 30_000


def test_the_bound_doubles_and_stays_at_the_cap() -> None:
    bounds = [Backoff(base_ms=100, cap_ms=1500).delay_ms(attempt, 1.0) for attempt in range(1, 8)]
    assert bounds == [100, 200, 400, 800, 1500, 1500, 1500]


def test_full_jitter_reaches_down_to_no_wait() -> None:
    assert Backoff().delay_ms(9, 0.0) == 0


@given(st.integers(0, 10**9), attempts, unit_randoms)
def test_retry_is_a_floor_of_at_most_a_minute(retry_ms: int, attempt: int, unit_random: float) -> None:
    floor_ms = min(retry_ms, MAX_RETRY_MS)
    delay_ms = Backoff().with_retry(retry_ms).delay_ms(attempt, unit_random)
    assert floor_ms <= delay_ms <= floor_ms + 30_000


def test_a_policy_is_never_changed_in_place() -> None:
    policy = Backoff()
    policy.with_retry(5000)
    assert policy == Backoff()


def test_a_base_of_nothing_waits_for_nothing() -> None:
    assert Backoff(base_ms=0).delay_ms(5, 0.9) == 0
