"""The estimate of a server's clock, on vectors that JavaScript's twin runs as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_widget.measure.clock import Clock

VECTORS = msgspec.json.decode((Path(__file__).parents[1] / "vectors/clock.json").read_bytes())


@pytest.mark.parametrize("case", VECTORS, ids=[case["name"] for case in VECTORS])
def test_vectors(case: dict[str, Any]) -> None:
    clock = Clock()
    assert (clock.offset_ns, clock.error_ns) == (None, None)
    for exchange, after in zip(case["exchanges"], case["after"], strict=True):
        clock.add(*exchange)
        assert [clock.offset_ns, clock.error_ns] == (after or [None, None])


@given(
    st.integers(-(10**15), 10**15),
    st.lists(st.tuples(*[st.integers(0, 10**9)] * 4), min_size=1, max_size=8),
)
def test_the_true_offset_is_never_further_away_than_the_error(
    offset_ns: int, ways: list[tuple[int, int, int, int]]
) -> None:
    clock = Clock()
    for sent_ns, there_ns, within_ns, back_ns in ways:
        received_ns = sent_ns + there_ns + offset_ns
        clock.add(sent_ns, received_ns, received_ns + within_ns, sent_ns + there_ns + within_ns + back_ns)
    assert clock.offset_ns is not None
    assert clock.error_ns is not None
    assert abs(clock.offset_ns - offset_ns) <= clock.error_ns
    assert clock.error_ns == min(-(-(there + back) // 2) for _, there, _, back in ways)
