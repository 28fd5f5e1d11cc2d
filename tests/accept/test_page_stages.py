"""The flight recorder's stages, of runs that are asked in a page: none is negative, and each has its own delays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from rig.flown import INSTANT, asked_run, frame_of_run, open_page, rows_of
from sse_widget.measure.frame import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser

    from rig.process import ServerProcess
    from sse_widget.measure.frame import Frame

DELAY_MS = 80
WITHIN_MS = 10
MODEL = "synthetic:tokens=60,rate=5,jitter=0.2"
"""Slow enough that a delay is over before the next delta comes."""

BUSY = "const busy = (ms) => { const until = performance.now() + ms; while (performance.now() < until); };"
FRAMES = """
const request = window.requestAnimationFrame.bind(window);
const length = () => document.querySelector('.ssew-text')?.textContent.length ?? 0;
window.requestAnimationFrame = (call) => request((nowMs) => {
  const before = length();
  call(nowMs);
  if (length() > before) busy(80);
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
WAYS = {"none": "", "parse_ms": PARSE, "paint_ms": FRAMES}


def flown(browser: Browser, url: str, *scripts: str, **knobs: object) -> tuple[Frame, str]:
    """Return the deltas' rows of one run in a page of its own, and the run's id."""
    context = browser.new_context(viewport={"width": 900, "height": 700})
    page = context.new_page()
    page.add_init_script("{" + "\n".join(scripts) + "}")
    open_page(page, url, **knobs)
    # While something moves, text is shown and painted with the beat of the screen, which makes 67 or 83 ms of a delay of 80;
    # in a page that stands still, a frame begins when there is something to show.
    page.evaluate("document.querySelector('.ssew-dot').style.animation = 'none'")
    stream_id = asked_run(page)
    frame = frame_of_run(url, stream_id)
    context.close()
    assert frame.attrs["asked_by"] == "page"
    return frame[frame.kind == "delta"], stream_id


@pytest.mark.parametrize("markdown", [False, True])
def test_no_stage_is_negative(server_process: Callable[..., ServerProcess], chromium: Browser, markdown: bool) -> None:
    """Of a run at full speed; and the browser's own clock says the same as the sum of the stages."""
    url = server_process("--model=synthetic:tokens=400,rate=80,lang=markdown").url
    frame, stream_id = flown(chromium, url, markdown=markdown)
    error_ms = frame.attrs["clock_error_ms"] + frame.attrs["kernel_error_ms"]
    least = frame[list(STAGES)].min()
    print(f"\n{len(frame)} deltas, clocks wrong by {error_ms:.2f} ms at most; least of each stage, ms:")
    print(least.round(3).to_string())
    assert len(frame) > 50
    assert not frame[list(STAGES)].isna().any().any()
    assert (least >= -error_ms).all()
    (asked, paints) = paints_of(url, stream_id)
    by_page_ms = np.array([paints[seq] for seq in frame.seq]) - asked
    by_stages_ms = frame[list(STAGES)].sum(axis=1).to_numpy()
    apart = np.abs(by_page_ms - by_stages_ms).max()
    print(f"question to paint, the page's clock against the stages: {apart:.4f} ms apart at most")
    assert apart <= error_ms


def paints_of(url: str, stream_id: str) -> tuple[float, dict[int, float]]:
    """Return when the page asked and when it painted each delta, by its own clock."""
    asked, rows = rows_of(url, stream_id)
    return asked, {row[1]: row[-1] for row in rows if row[0] == "delta"}


def test_a_delay_shows_in_its_own_stage(server_process: Callable[..., ServerProcess], chromium: Browser) -> None:
    url = server_process(f"--model={MODEL}").url
    medians = {}
    for way, script in WAYS.items():
        frame, _ = flown(chromium, url, BUSY, script, **INSTANT)
        medians[way] = frame[list(STAGES)[1:]].median()
    print(f"\nmedians, ms; {DELAY_MS} ms put into ...")
    for way, found in medians.items():
        print(f"{way:>9}", "  ".join(f"{stage} {value:6.2f}" for stage, value in found.items()))
    for way in list(WAYS)[1:]:
        more = medians[way] - medians["none"]
        want = {stage: DELAY_MS if stage == way else 0 for stage in more.index}
        off = (more - list(want.values())).abs()
        assert (off <= WITHIN_MS).all(), (way, more)
