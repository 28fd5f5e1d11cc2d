"""The flight recorder's stages, of runs that are asked in a page: none is negative, and each has its own delays."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rig.delays import DELAY_MS, SERVER_STAGES, check, delayed, medians
from rig.flown import INSTANT, asked_run, frame_of_run, open_page
from rig.seen import watch
from rig.view import ask_in_box, until_shown, until_state
from sse_widget.measure.frame import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser

    from rig.process import ServerProcess
    from sse_widget.measure.frame import Frame

BUSY = "const busy = (ms) => { const until = performance.now() + ms; while (performance.now() < until); };"
# Before text is shown, the frame is busy for some of the time that it has, in every run alike: if text were shown at
# the same time of every frame, the beat of the screen would make 67 or 83 ms of a delay of 80 ms, always the same.
FRAMES = """
const request = window.requestAnimationFrame.bind(window);
const length = () => document.querySelector('.ssew-text')?.textContent.length ?? 0;
let shown = 0;
let frameMs = 0;
window.requestAnimationFrame = (call) => request((nowMs) => {
  if (nowMs !== frameMs) busy(15 * ((0.618 * shown) % 1));
  frameMs = nowMs;
  const before = length();
  call(nowMs);
  if (length() === before) return;
  shown += 1;
  busy(PAINT_MS);
});
"""
PARSE = """
const decode = TextDecoder.prototype.decode;
TextDecoder.prototype.decode = function (...given) {
  const text = decode.apply(this, given);
  if (text.includes('event: delta')) busy(80);
  return text;
};
"""
SUBMITTED = "document.addEventListener('submit', () => { window.submitted = performance.now(); }, true);"
OF_PAGE = {"parse": "parse_ms", "paint": "paint_ms"}
RUNS = 5
OF_RUNS = {"source_ms": min}
"""`source_ms` counts from the question, whose way to the server is one number for all deltas of a run. What else the
machine does can only make it longer, so the least of the runs counts; of all other stages it is their median."""


def flown(
    browser: Browser, url: str, *scripts: str, runs: int = 1, **knobs: object
) -> list[tuple[Frame, dict[str, Any]]]:
    """Return the table of each run in a page of its own, and what was noted beside the recorder."""
    context = browser.new_context(viewport={"width": 900, "height": 700})
    page = context.new_page()
    watch(page)
    page.add_init_script("{" + "\n".join(scripts) + "}")
    open_page(page, url, **knobs)
    # While it blinks, frames wait for the beat of the screen, but not after a busy time: that would shorten `show_ms`.
    page.evaluate("document.querySelector('.ssew-dot').style.animation = 'none'")
    # The first question of a page takes its time to the server: code is compiled, a connection made.
    ask_in_box(page, "first")
    until_shown(page, 1)
    page.get_by_role("button", name="Stop").click()
    until_state(page, "stopped")
    found = []
    for number in range(runs):
        stream_id = asked_run(page, f"question {number}")
        beside = page.evaluate("({asked: window.submitted, shown: window.seen.shown, frames: window.seen.frames})")
        found.append((frame_of_run(url, stream_id), beside))
    context.close()
    assert {frame.attrs["asked_by"] for frame, _ in found} == {"page"}
    return found


@pytest.mark.parametrize("markdown", [False, True])
def test_no_stage_is_negative(
    server_process: Callable[..., ServerProcess], chromium: Browser, *, markdown: bool
) -> None:
    """Of a run at full speed; and the browser's own clock says the same as the sum of the stages."""
    url = server_process("--model=synthetic:tokens=400,rate=80,lang=markdown").url
    ((frame, beside),) = flown(chromium, url, SUBMITTED, markdown=markdown)
    frame = frame[frame.kind == "delta"]
    error_ms = frame.attrs["clock_error_ms"] + frame.attrs["kernel_error_ms"]
    least = frame[list(STAGES)].min()
    print(f"\n{len(frame)} deltas, clocks wrong by {error_ms:.2f} ms at most; least of each stage, ms:")
    print(least.round(3).to_string())
    assert len(frame) > 50
    assert not frame[list(STAGES)].isna().any().any()
    assert (least >= -error_ms).all()
    if not markdown:
        # Nothing was noted of line ends: they change no text.
        heard = ~frame.text.str.endswith("\n").to_numpy()
        apart = np.abs(painted_ms(frame, beside) - frame[list(STAGES)].sum(axis=1).to_numpy())[heard]
        assert len(apart) > 50
        print(f"question to paint, noted beside the recorder, against the sum of the stages: {spread(apart)}")
        assert apart.max() <= error_ms


def painted_ms(frame: Frame, beside: dict[str, Any]) -> np.ndarray:
    """Return when each delta was painted after the question, ms, by what was noted in the page beside the recorder.

    The text's length was noted when it changed; the next frame to begin then has it on the screen.
    """
    asked_ms = beside["asked"]
    shown = [(at_ms, chars) for at_ms, chars in beside["shown"] if at_ms > asked_ms]
    frames_ms = np.array(beside["frames"])
    lengths = frame.text.str.replace("\n", "").map(lambda text: len(text.encode("utf-16-le")) // 2).cumsum()
    begun = next(place for place, (_, chars) in enumerate(shown) if chars <= shown[0][1])
    times_ms = [next(at_ms for at_ms, chars in shown[begun:] if chars >= length) for length in lengths]
    return frames_ms[np.searchsorted(frames_ms, times_ms, side="right")] - asked_ms


def spread(values: np.ndarray) -> str:
    """Return a distribution in a line."""
    p50, p95 = np.percentile(values, [50, 95])
    return f"p50 {p50:.3f}, p95 {p95:.3f}, most {values.max():.3f} ms apart"


def test_a_delay_shows_in_its_own_stage(chromium: Browser, tmp_path: Path) -> None:
    stages = list(STAGES)
    found = {}
    for where in ("", *SERVER_STAGES, "network", *OF_PAGE):
        scripts = [BUSY, FRAMES.replace("PAINT_MS", str(DELAY_MS if where == "paint" else 0))]
        if where == "parse":
            scripts.append(PARSE)
        server_stage = "" if where in OF_PAGE else where
        with delayed(server_stage, tmp_path / f"server-{where}") as url:
            runs = [medians(frame, stages) for frame, _ in flown(chromium, url, *scripts, runs=RUNS, **INSTANT)]
        found[where] = {stage: OF_RUNS.get(stage, median)([run[stage] for run in runs]) for stage in stages}
    print(f"\nmedians, ms; {DELAY_MS:.0f} ms put into ...")
    for where, medians_ms in found.items():
        print(f"{where or 'nothing':>9}", "  ".join(f"{stage} {value:8.2f}" for stage, value in medians_ms.items()))
    columns = {**SERVER_STAGES, "network": "network_ms", **OF_PAGE}
    for where, column in columns.items():
        check(found[""], found[where], column)
