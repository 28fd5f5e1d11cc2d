"""The times at which the flight recorder says that text was painted, against what the screen showed."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from rig.flown import asked_run, frame_of_run, open_page, rows_of
from rig.screencast import FRAME_MS, Screencast, first_shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from rig.process import ServerProcess

TWO_FRAMES_MS = 2 * FRAME_MS
TOGGLES = 60
TOKENS = 150
SIZE = {"width": 640, "height": 640}
SQUARE = f"""
async () => {{
  const square = document.createElement('div');
  Object.assign(square.style, {{ width: '200px', height: '200px', background: '#fff' }});
  document.body.replaceChildren(square);
  const toggled = [];
  for (let count = 0; count < {TOGGLES}; count++) {{
    // Another phase of the screen's beat each time.
    await new Promise((resolve) => setTimeout(resolve, 150 + 7 * (count % 5)));
    await new Promise((resolve) => requestAnimationFrame(() => {{
      square.style.background = count % 2 ? '#fff' : '#000';
      const atMs = performance.now();
      requestAnimationFrame((nextMs) => resolve(toggled.push([atMs, nextMs])));
    }}));
  }}
  await new Promise((resolve) => setTimeout(resolve, 300));
  return toggled;
}}
"""
STILL = """
() => {
  document.querySelector('.ssew-dot').style.animation = 'none';
  document.querySelector('.ssew-answer').style.maxHeight = 'none';
}
"""
# Where the last character stands of each of the texts that are so long.
LAST = """
(ends) => {
  const lines = [];
  let length = 0;
  for (const block of document.querySelectorAll('.ssew-block')) {
    lines.push([length, block.firstChild]);
    length += block.textContent.length + 1;
  }
  return ends.map((end) => {
    const [begin, node] = lines.findLast(([begin]) => begin < end);
    const at = end - begin;
    const range = document.createRange();
    range.setStart(node, at - 1);
    range.setEnd(node, at);
    const { left, top, right, bottom } = range.getBoundingClientRect();
    return [left, top, right, bottom];
  });
}
"""


def distribution(values: list[float]) -> str:
    """Return what was found, in ms."""
    least, p5, p50, p95, p99, most = np.percentile(values, [0, 5, 50, 95, 99, 100])
    return (
        f"min {least:.1f}, p5 {p5:.1f}, p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f}, max {most:.1f} (n {len(values)})"
    )


def test_a_blinking_square(standalone: str, fresh_page: Page) -> None:
    """The screencast's clock is the page's: the square is never there before it was toggled, nor two frames late."""
    fresh_page.set_viewport_size(SIZE)
    fresh_page.goto(standalone)
    cast = Screencast(fresh_page)
    toggled = fresh_page.evaluate(SQUARE)
    times, pictures = cast.frames()
    dark = [bool(picture[100, 100] < 0.5) for picture in pictures]
    changes = [at for at, before, now in zip(times[1:], dark, dark[1:], strict=False) if before != now]
    assert len(changes) == len(toggled) == TOGGLES
    after_toggle = [shown - at for shown, (at, _) in zip(changes, toggled, strict=True)]
    after_beat = [shown - beat for shown, (_, beat) in zip(changes, toggled, strict=True)]
    print(f"\nsquare on the screen after its toggle, ms: {distribution(after_toggle)}")
    print(f"... after the time of the next frame, ms: {distribution(after_beat)}")
    assert min(after_toggle) > -1
    assert max(after_toggle) <= TWO_FRAMES_MS + 1
    assert abs(float(np.median(after_beat))) <= 1


def test_painted_text(server_process: Callable[..., ServerProcess], fresh_page: Page) -> None:
    """Of each delta: the first frame that shows its last character, against its time of painting."""
    # Chinese has no blanks between words.
    url = server_process(f"--model=synthetic:tokens={TOKENS},rate=20,lang=zh").url
    fresh_page.set_viewport_size(SIZE)
    open_page(fresh_page, url, markdown=False, chunk_tokens=3)
    # What blinks in the panel would come as frames that take the time to draw from those that show text.
    fresh_page.evaluate(STILL)
    cast = Screencast(fresh_page)
    stream_id = asked_run(fresh_page)
    fresh_page.wait_for_timeout(300)
    times, pictures = cast.frames()
    _, rows = rows_of(url, stream_id)
    deltas = [row for row in rows if row[0] == "delta"]
    frame = frame_of_run(url, stream_id)
    texts = list(frame.loc[frame.kind == "delta", "text"])
    assert len(deltas) == len(texts)
    ends = list(accumulate(map(len, texts)))
    # A delta that ends with a blank has nothing to see at its end.
    inked = [(end, row[-1]) for end, row, text in zip(ends, deltas, texts, strict=True) if text[-1].strip()]
    assert len(inked) > 30
    boxes = fresh_page.evaluate(LAST, [end for end, _ in inked])
    assert max(bottom for *_, bottom in boxes) < SIZE["height"]
    late = [late_ms(times, pictures, box, paint) for box, (_, paint) in zip(boxes, inked, strict=True)]
    print(f"\n{len(times)} frames; text on the screen after its `paint`, ms: {distribution(late)}")
    within = sum(abs(one) <= TWO_FRAMES_MS + 1 for one in late)
    print(f"within two frames ({TWO_FRAMES_MS:.0f} ms): {within} of {len(late)}")
    assert max(map(abs, late)) <= TWO_FRAMES_MS + 1


def late_ms(times: list[float], pictures: list[Any], box: list[float], paint_ms: float) -> float:
    """Return how much later than said a character was on the screen."""
    left, top, right, bottom = box
    return first_shown(times, pictures, (int(left), int(top), int(right) + 1, int(bottom) + 1)) - paint_ms
