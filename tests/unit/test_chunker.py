"""The chunker: nothing is lost, no token waits too long, deltas keep their distance, clauses end deltas."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_widget.pacing.chunker import BOUNDARIES, Chunk, Chunker, Knobs, ends_clause

MS = 1000.0
TOLERANCE = 1e-6

Sent = list[tuple[float, Chunk]]


def run(chunker: Chunker, arrivals: list[tuple[float, str]]) -> Sent:
    """Push tokens at their times, poll at every deadline between them, and finish as soon as that is allowed."""
    sent: Sent = []
    now = 0.0
    for at, token in arrivals:
        while (deadline := chunker.deadline) is not None and deadline < at:
            sent += one(deadline, chunker.poll(deadline))
        now = at
        sent += one(at, chunker.push(token, at))
    end = max(now, chunker.hold_until)
    return sent + one(end, chunker.finish(end))


def one(now: float, chunk: Chunk | None) -> Sent:
    return [] if chunk is None else [(now, chunk)]


def texts(sent: Sent) -> list[str]:
    return [chunk.text for _, chunk in sent]


def at_once(*tokens: str) -> list[tuple[float, str]]:
    return [(0.0, token) for token in tokens]


tokens = st.one_of(st.text(max_size=4), st.sampled_from(["a", " b", "، ", "你。", "👩‍👩‍👧", "!\n", ""]))
arrivals = st.lists(st.tuples(st.floats(0, 0.5), tokens), max_size=40).map(
    lambda steps: list(zip(itertools.accumulate(gap for gap, _ in steps), (token for _, token in steps), strict=True))
)
knobs = st.builds(
    Knobs,
    chunk_tokens=st.integers(1, 8),
    chunk_ms=st.floats(0, 500),
    delay_ms=st.floats(0, 300),
    flush_on_punctuation=st.booleans(),
)


@given(arrivals, knobs)
def test_joined_deltas_are_the_joined_tokens(steps: list[tuple[float, str]], settings: Knobs) -> None:
    sent = run(Chunker(settings), steps)
    assert "".join(texts(sent)) == "".join(token for _, token in steps)
    assert sum(chunk.tokens for _, chunk in sent) == len(steps)


@given(arrivals, knobs)
def test_deltas_keep_their_distance(steps: list[tuple[float, str]], settings: Knobs) -> None:
    times = [at for at, _ in run(Chunker(settings), steps)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(gap >= settings.delay_ms / MS - TOLERANCE for gap in gaps)


@given(arrivals, knobs)
def test_no_token_waits_longer_than_the_knobs_say(steps: list[tuple[float, str]], settings: Knobs) -> None:
    sent = run(Chunker(settings), steps)
    gone_at = [at for at, chunk in sent for _ in range(chunk.tokens)]
    longest = max(settings.chunk_ms, settings.delay_ms) / MS + TOLERANCE
    assert all(gone - came <= longest for gone, (came, _) in zip(gone_at, steps, strict=True))


@given(arrivals, knobs)
def test_a_delta_that_nothing_held_back_is_no_larger_than_asked(
    steps: list[tuple[float, str]], settings: Knobs
) -> None:
    free = Knobs(settings.chunk_tokens, settings.chunk_ms, 0.0, settings.flush_on_punctuation)
    assert all(chunk.tokens <= free.chunk_tokens for _, chunk in run(Chunker(free), steps))


def test_a_delta_goes_out_at_its_number_of_tokens() -> None:
    sent = run(Chunker(Knobs(chunk_tokens=3)), at_once(*"abcdefgh"))
    assert texts(sent) == ["abc", "def", "gh"]


def test_a_delta_goes_out_in_time() -> None:
    chunker = Chunker(Knobs(chunk_ms=250))
    assert chunker.deadline is None
    assert chunker.push("a", 10.0) is None
    assert chunker.push("b", 10.2) is None
    assert chunker.deadline == 10.25
    assert chunker.poll(10.249) is None
    assert chunker.poll(10.25) == Chunk("ab", 2, 10.0, 10.2)
    assert chunker.deadline is None
    assert chunker.poll(99.0) is None


def test_tokens_join_a_delta_that_is_held_back() -> None:
    chunker = Chunker(Knobs(chunk_tokens=1, delay_ms=100))
    assert chunker.push("a", 0.0) == Chunk("a", 1, 0.0, 0.0)
    assert chunker.push("b", 0.02) is None
    assert chunker.push("c", 0.05) is None
    assert chunker.deadline == chunker.hold_until == 0.1
    assert chunker.poll(0.1) == Chunk("bc", 2, 0.02, 0.05)


def test_nothing_is_held_back_before_the_first_delta() -> None:
    assert Chunker(Knobs(chunk_tokens=1, delay_ms=5000)).push("a", 0.0) == Chunk("a", 1, 0.0, 0.0)


def test_the_end_takes_what_is_left() -> None:
    chunker = Chunker(Knobs())
    assert chunker.finish(0.0) is None
    chunker.push("a", 0.0)
    assert chunker.finish(0.0) == Chunk("a", 1, 0.0, 0.0)
    assert chunker.finish(0.0) is None


@pytest.mark.parametrize("mark", sorted(BOUNDARIES), ids=lambda mark: f"U+{ord(mark):04X}")
def test_punctuation_of_every_script_ends_a_delta(mark: str) -> None:
    assert texts(run(Chunker(Knobs()), at_once("a", f"b{mark}", "c"))) == [f"ab{mark}", "c"]


def test_the_marks_are_those_of_the_contract() -> None:
    assert frozenset(".!?,;:" + "،؛؟۔" + "。！？，；：、" + "…\n") == BOUNDARIES


@pytest.mark.parametrize("token", ['."', ".”", "。」", "؟»", "!) ", "...\t", ".\n", "\n\n", "x,'"])
def test_closing_quotes_and_blanks_after_a_mark_do_not_hide_it(token: str) -> None:
    assert ends_clause(token)


@pytest.mark.parametrize("token", ["", " ", '"', "a", "1.5", ".a", "U.S", "-", "كلمة", "字"])
def test_other_tokens_end_nothing(token: str) -> None:
    assert not ends_clause(token)


def test_punctuation_counts_only_when_asked() -> None:
    assert texts(run(Chunker(Knobs(flush_on_punctuation=False)), at_once("a.", "b.", "c"))) == ["a.b.c"]


def test_fewer_tokens_asked_for_in_the_middle_let_the_held_ones_go() -> None:
    chunker = Chunker(Knobs(chunk_tokens=10, chunk_ms=10_000))
    for token in "abc":
        assert chunker.push(token, 1.0) is None
    chunker.retune(Knobs(chunk_tokens=2, chunk_ms=10_000))
    assert chunker.deadline == 1.0
    assert chunker.poll(1.0) == Chunk("abc", 3, 1.0, 1.0)
    assert texts(run(chunker, [(1.0, token) for token in "abcd"])) == ["ab", "cd"]


def test_a_shorter_time_asked_for_in_the_middle_counts_from_the_first_token() -> None:
    chunker = Chunker(Knobs(chunk_ms=10_000))
    chunker.push("a", 1.0)
    chunker.retune(Knobs(chunk_ms=100))
    assert chunker.deadline == pytest.approx(1.1)
