"""Virtual timelines beside those of a real page: a recording replayed by a real server into Chromium.

Two predictions are held to what the page showed. The first is given what the page received, when, and the phase of its
frames: what is tested is the typewriter and the frames, and not the network. The second is given the recording, the
parameters, that phase, and one number, how much later the page's clock is than the run's: what is tested is the whole
run, chunker and server too. That number is by how much the delta that was delayed least came later than predicted.

When text was on show is what an observer of the page says, after the callbacks of a frame and before its paint.
"""

from __future__ import annotations

import json
import random
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from rig.process import ServerProcess
from rig.seen import Seen, seen, watch
from rig.view import LIMIT_MS, ask_in_box
from sse_widget.measure.gaps import percentile
from sse_widget.measure.graphemes import segment
from sse_widget.measure.sweep.cross import setting_of
from sse_widget.measure.sweep.source import streams_of
from sse_widget.measure.virtual.page import Page as Screen
from sse_widget.measure.virtual.page import show
from sse_widget.measure.virtual.reading import Read
from sse_widget.measure.virtual.run import Rehearsal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from playwright.sync_api import Page

FRAME_MS = 1000 / 60
RUNS: list[tuple[str, dict[str, Any]]] = [
    ("english", {}),
    ("bursty", {"base_delay_ms": 20, "max_lag_ms": 800}),
    ("arabic", {"chunk_tokens": 2, "base_delay_ms": 2}),
    ("stalling", {"chunk_tokens": 12, "chars_per_step": 1}),
]


def answer(page: Page, url: str, knobs: dict[str, Any]) -> Seen:
    """Ask in the page, and return what it noted of the answer once all of it is on show."""
    kept = json.dumps(json.dumps({"markdown": False, **knobs}))
    page.add_init_script(f"sessionStorage.setItem('sse-widget:knobs', {kept})")
    watch(page)
    page.goto(url)
    ask_in_box(page, "What is a stream?")
    expect(page.locator(".ssew-dot")).to_have_attribute("data-state", "done", timeout=LIMIT_MS)
    page.wait_for_selector(".ssew-answer[aria-busy=false]", timeout=LIMIT_MS)
    page.wait_for_function("n => window.seen.shown.at(-1)[1] >= n", arg=_length("".join(seen(page).texts)))
    return seen(page)


def _length(text: str) -> int:
    # The page shows lines as elements, so that their ends are no characters there.
    return len(text.replace("\n", ""))


def last_shown_ms(texts: Sequence[str], shown_s: Sequence[float], chars: Sequence[int]) -> list[float]:
    """Return when the last character of each delta was on show."""
    place, end, found = 0, 0, []
    for text in texts:
        end += _length(text)
        while chars[place] < end:
            place += 1
        found.append(1000 * shown_s[place])
    return found


def compare(name: str, real_ms: list[float], virtual_ms: list[float]) -> None:
    """Hold the virtual times to the real ones: within one frame at the median, and three at the 95th percentile."""
    apart_ms = [abs(real - virtual) for real, virtual in zip(real_ms, virtual_ms, strict=True)]
    middle_ms, high_ms = median(apart_ms), percentile(apart_ms, 0.95)
    assert high_ms is not None
    print(f"{name}: {middle_ms:.1f} ms apart at the median, {high_ms:.1f} at p95, {max(apart_ms):.1f} at most")
    assert middle_ms <= FRAME_MS + 0.5, name
    assert high_ms <= 3 * FRAME_MS, name


@pytest.mark.parametrize(("model", "knobs"), RUNS, ids=[name for name, _ in RUNS])
def test_the_virtual_page_shows_text_when_the_real_one_does(
    model: str, knobs: dict[str, Any], fresh_page: Page, tmp_path: Path
) -> None:
    server = ServerProcess(tmp_path, (f"--model=replay:{model}",))
    try:
        found = answer(fresh_page, server.url, knobs)
    finally:
        server.end()
    text = "".join(found.texts)
    real_ms = last_shown_ms(found.texts, found.shown_s, found.chars)
    setting = setting_of(knobs)

    screen = Screen(phase_ms=found.frames_ms[0] % FRAME_MS)
    shown = show(Read(found.texts, found.receive_s, found.end_s, "done"), setting.pace, screen, segment)
    chars = [_length(text[:count]) for count in shown.chars]
    compare(f"{model}, from what was received", real_ms, last_shown_ms(found.texts, shown.frames_s, chars))

    rehearsal = Rehearsal(streams_of(model)[model], segment, lambda seed: random.Random(seed).random)
    run = rehearsal.run(setting)
    assert run.texts == found.texts, "the same deltas"
    began_ms = 1000 * min(real - virtual for real, virtual in zip(found.receive_s, run.receive_s, strict=True))
    run = rehearsal.run(setting_of({**knobs, "phase_ms": (found.frames_ms[0] - began_ms) % FRAME_MS}))
    virtual_ms = last_shown_ms(run.texts, run.frames_s, [_length(text[:count]) for count in run.frame_chars])
    virtual_ms = [began_ms + at_ms for at_ms in virtual_ms]
    print(f"\n{model}: the run began {began_ms - 1000 * found.asked_s:.0f} ms after the page had asked")
    compare(f"{model}, from the recording", real_ms, virtual_ms)
