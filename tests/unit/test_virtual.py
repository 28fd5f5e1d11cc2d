"""Virtual runs: the same as frame by frame and byte by byte, nothing lost, and a run computed by hand."""

from __future__ import annotations

import random
from collections import deque
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sse_widget.measure.graphemes import segment
from sse_widget.measure.virtual.log import Log
from sse_widget.measure.virtual.network import Network, arrivals
from sse_widget.measure.virtual.page import Page, show
from sse_widget.measure.virtual.reading import Read
from sse_widget.measure.virtual.run import Rehearsal, Setting
from sse_widget.measure.virtual.serving import Tokens, serve
from sse_widget.pacing.chunker import Knobs
from sse_widget.pacing.typewriter import Pacer, PacerOptions

if TYPE_CHECKING:
    from collections.abc import Callable

FRAME_MS = 1000 / 60


def seeded(seed: int) -> Callable[[], float]:
    return random.Random(seed).random


PIECES = [
    "a",
    " word",
    "end.",
    ", ",
    "\n",
    "\r\n",
    "م",
    "\u064e",
    "؟",
    "你。",
    "e\u0301",
    "\u0301",
    "👩",
    "\u200d",
    "🏽",
]
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=10).map("".join)
# Bursts, a steady flow, and pauses in which nothing happens.
gaps_s = st.one_of(st.just(0.0), st.floats(0, 0.08), st.floats(0.3, 1.2), st.sampled_from([FRAME_MS / 1000, 0.25]))
token_lists = st.lists(st.tuples(gaps_s, texts), max_size=30).map(
    lambda steps: list(zip(accumulate(gap for gap, _ in steps), (text for _, text in steps), strict=True))
)
knobs = st.builds(
    Knobs,
    chunk_tokens=st.integers(1, 8),
    chunk_ms=st.floats(0, 500),
    delay_ms=st.one_of(st.just(0.0), st.floats(0, 300)),
    flush_on_punctuation=st.booleans(),
)
networks = st.builds(
    Network,
    latency_ms=st.floats(0, 300),
    jitter_ms=st.one_of(st.just(0.0), st.floats(0, 300)),
    bytes_per_s=st.one_of(st.just(float("inf")), st.floats(500, 1e6)),
)
paces = st.builds(
    PacerOptions,
    base_delay_ms=st.one_of(st.just(0.0), st.floats(0, 60)),
    punctuation_delay_multiplier=st.floats(0, 20),
    comma_delay_multiplier=st.floats(0, 20),
    chars_per_step=st.integers(1, 6),
    max_lag_ms=st.one_of(st.just(0.0), st.floats(0, 700)),
)
pages = st.builds(
    Page,
    frame_ms=st.sampled_from([FRAME_MS, 1000 / 144, 10.0]),
    phase_ms=st.floats(0, 20),
    paint_ms=st.floats(0, 20),
)
virtual_settings = st.builds(Setting, knobs=knobs, network=networks, pace=paces, page=pages)


def frame_by_frame(
    deltas: list[tuple[float, str]], end_ms: float, pace: PacerOptions, page: Page
) -> list[tuple[float, str]]:
    """Draw every frame from the first one on, asked for as js/view/typewriter.js asks; return what each one added."""
    pacer = Pacer(pace, segment)
    heard: deque[tuple[float, str | None]] = deque([*deltas, (end_ms, None)])
    asked_for, frame = False, 0
    drawn = []
    while heard or asked_for:
        at_ms = page.phase_ms + frame * page.frame_ms
        while heard and heard[0][0] <= at_ms:
            heard_ms, text = heard.popleft()
            if text is None:
                pacer.finish(heard_ms)
            else:
                pacer.append(text, heard_ms)
            asked_for = not pacer.idle
        if asked_for:
            added = pacer.take(at_ms)
            drawn += [(at_ms, added)] if added else []
            asked_for = not pacer.idle
        frame += 1
    return drawn


# A delta that comes after the deadline of the held cluster, and before the frame that would have shown it.
LATE = [(0.0, "ab"), (0.40025884250055466, "c" * 27), (0.45004565963947835, "d" * 10)]


@settings(deadline=None, max_examples=400)
@given(token_lists, st.floats(0, 1.5), paces, pages)
@example(LATE, 1.0, PacerOptions(chars_per_step=1), Page(phase_ms=7))
def test_frames_that_are_passed_over_change_nothing(
    deltas: list[tuple[float, str]], rest_s: float, pace: PacerOptions, page: Page
) -> None:
    times_s = tuple(at_s for at_s, _ in deltas)
    end_s = max(times_s, default=0.0) + rest_s
    shown = show(Read(tuple(text for _, text in deltas), times_s, end_s, "done"), pace, page, segment)
    drawn = frame_by_frame([(at_s * 1000.0, text) for at_s, text in deltas], end_s * 1000.0, pace, page)
    assert list(shown.frames_s) == [at_ms / 1000.0 for at_ms, _ in drawn]
    assert list(shown.chars) == list(accumulate(len(added) for _, added in drawn))
    assert "".join(added for _, added in drawn) == "".join(text for _, text in deltas)


@settings(deadline=None, max_examples=300)
@given(token_lists, virtual_settings, st.integers(0, 3))
def test_a_run_by_its_bytes_is_the_run_without_them(told: list[tuple[float, str]], setting: Setting, seed: int) -> None:
    tokens = Tokens.of(told)
    run = Rehearsal(tokens, segment, seeded, by_bytes=True).run(setting, seed)
    assert run.state == "done"
    assert run.text == "".join(tokens.texts)
    assert run == Rehearsal(tokens, segment, seeded).run(setting, seed)


@settings(deadline=None, max_examples=100)
@given(token_lists, st.lists(st.tuples(virtual_settings, st.integers(0, 2)), min_size=2, max_size=5))
def test_what_runs_share_changes_none_of_them(told: list[tuple[float, str]], wanted: list[tuple[Setting, int]]) -> None:
    tokens = Tokens.of(told)
    shared = Rehearsal(tokens, segment, seeded)
    # Each stage's parameters also occur together with another's, as when they are crossed.
    crossed = [
        (Setting(a.knobs, b.network, a.pace, b.page), seed) for (a, seed), (b, _) in pairwise([*wanted, wanted[0]])
    ]
    for setting, seed in [*wanted, *crossed, *wanted]:
        assert shared.run(setting, seed) == Rehearsal(tokens, segment, seeded).run(setting, seed)


@settings(deadline=None, max_examples=300)
@given(token_lists, virtual_settings, st.integers(0, 3))
def test_no_text_is_lost_or_early_or_later_than_the_cap(
    told: list[tuple[float, str]], setting: Setting, seed: int
) -> None:
    run = Rehearsal(Tokens.of(told), segment, seeded).run(setting, seed)
    assert run.text == "".join(text for _, text in told)
    assert (run.frame_chars or (0,))[-1] == len(run.text)
    stages = zip(
        run.model_first_s,
        run.model_last_s,
        run.chunk_s,
        run.write_s,
        run.receive_s,
        run.show_first_s,
        run.show_last_s,
        run.paint_s,
        strict=True,
    )
    for times_s in stages:
        assert list(times_s) == sorted(times_s)
    latest_s = (setting.pace.max_lag_ms + setting.page.frame_ms) / 1000.0 + 1e-9
    first_s = setting.page.phase_ms / 1000.0
    for received_s, shown_s in zip(run.receive_s, run.show_last_s, strict=True):
        assert shown_s - max(received_s, first_s) <= latest_s
    for column in (run.chunk_s, run.receive_s, run.show_first_s, run.show_last_s):
        assert list(column) == sorted(column)
    assert run.end_s >= max(run.receive_s, default=0.0)


def test_a_run_computed_by_hand() -> None:
    """Two tokens a delta, 100 ms from token to token; 50 ms of latency; frames every 20 ms from 7 ms on.

    "ab" is cut at 0.1 s and "cd" at 0.3 s; "e." ends by its full stop at 0.4 s, with the stream. A cluster takes
    10 ms, one a step, and the last one of a delta is held until the next delta, 400 ms at most.

    "ab" comes at 150 ms: the frame at 167 shows a, and b is held. "cd" comes at 350, the next delta is expected at
    550, so that b, c and d, which cost 30 ms, may take 200: speed 0.15. At 367 2.55 ms are spent and b shows, 7.45 ms
    remain of its 10; 387 and 407 spend 3 ms each, and 427, with 1.45 left, shows c. "e." and the end come at 450,
    when the pause after c is over; now speed is 1. At 467 17 ms are spent: d shows, and e 10 ms after it. Its own
    10 ms are over by 487: the full stop shows.
    """
    told = [(0.0, "a"), (0.1, "b"), (0.2, "c"), (0.3, "d"), (0.4, "e.")]
    setting = Setting(
        Knobs(chunk_tokens=2, chunk_ms=1000),
        Network(latency_ms=50),
        PacerOptions(base_delay_ms=10, punctuation_delay_multiplier=1, chars_per_step=1),
        Page(frame_ms=20, phase_ms=7, paint_ms=3),
    )
    run = Rehearsal(Tokens.of(told), segment, seeded).run(setting)
    assert run.asked_s == -0.05
    assert run.texts == ("ab", "cd", "e.")
    assert run.tokens == (2, 2, 1)
    assert run.model_first_s == (0.0, 0.2, 0.4)
    assert run.model_last_s == run.chunk_s == run.write_s == (0.1, 0.3, 0.4)
    assert run.receive_s == pytest.approx((0.15, 0.35, 0.45))
    assert run.end_s == pytest.approx(0.45)
    assert run.frames_s == pytest.approx((0.167, 0.367, 0.427, 0.467, 0.487))
    assert run.frame_chars == (1, 2, 3, 5, 6)
    assert run.show_first_s == pytest.approx((0.167, 0.427, 0.467))
    assert run.show_last_s == pytest.approx((0.367, 0.467, 0.487))
    assert run.paint_s == pytest.approx((0.370, 0.470, 0.490))


def test_the_server_writes_what_it_appends_at_one_time_in_one_go() -> None:
    told = [(0.0, "a"), (0.0, "b"), (1.0, "c"), (2.0, "d"), (2.0, "e")]
    served = serve(Tokens.of(told), Knobs(chunk_tokens=1))
    assert served.chunk_s == (0.0, 0.0, 1.0, 2.0, 2.0)
    assert served.writes_s == (0.0, 0.0, 1.0, 2.0)
    assert served.write == (1, 1, 2, 3, 3)
    writes = list(Log(served).writes(0, 0.0))
    assert [write.at_s for write in writes] == list(served.writes_s)
    assert [write.data.count(b"event: delta\n") for write in writes] == [0, 2, 1, 2]
    assert writes[-1].data.endswith(b"\n\n")


def test_deltas_keep_their_distance_and_the_end_waits_for_it() -> None:
    told = [(0.0, "a"), (0.01, "b"), (0.02, "c")]
    served = serve(Tokens.of(told, end_s=0.03), Knobs(chunk_tokens=1, delay_ms=100))
    assert served.texts == ("a", "bc")
    assert served.chunk_s == (0.0, 0.1)
    assert (served.first_s, served.last_s) == ((0.0, 0.01), (0.0, 0.02))
    assert served.end_s == 0.1


def test_a_source_that_ends_late_ends_the_stream_late() -> None:
    served = serve(Tokens.of([(0.0, "a")], end_s=1.0), Knobs(chunk_ms=250))
    assert (served.chunk_s, served.end_s, served.writes_s) == ((0.25,), 1.0, (0.0, 0.25, 1.0))
    run = Rehearsal(Tokens.of([(0.0, "a")], end_s=1.0), segment, seeded).run(Setting(network=Network(latency_ms=10)))
    assert run.end_s == 1.01


def test_a_link_passes_so_many_bytes_a_second_in_order() -> None:
    sizes = [100, 100, 0, 50]
    arrived = arrivals([0.0, 0.5, 2.0, 5.0], sizes, Network(latency_ms=1000, bytes_per_s=100), seeded(0))
    assert arrived == [2.0, 3.0, 3.0, 6.5]


def test_jitter_never_changes_the_order() -> None:
    draws = iter([1.0, 0.0, 0.5])
    arrived = arrivals([0.0, 0.1, 0.2], [0, 0, 0], Network(jitter_ms=400), lambda: next(draws))
    assert arrived == pytest.approx([0.4, 0.4, 0.4])


@pytest.mark.parametrize("told", [[(1.0, "a"), (0.5, "b")], [(-1.0, "a")], [(float("nan"), "a")]])
def test_times_of_tokens_are_checked(told: list[tuple[float, str]]) -> None:
    with pytest.raises(ValueError, match="never go back"):
        Tokens.of(told)


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (Network, {"latency_ms": -1}),
        (Network, {"jitter_ms": float("inf")}),
        (Network, {"bytes_per_s": 0}),
        (Network, {"bytes_per_s": float("nan")}),
        (Page, {"frame_ms": 0}),
        (Page, {"phase_ms": -1}),
        (Page, {"paint_ms": float("nan")}),
    ],
)
def test_values_are_checked(make: type, values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        make(**values)
