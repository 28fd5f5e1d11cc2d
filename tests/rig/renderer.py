"""What a page costs its renderer: time on the main thread, long tasks, frames, and bytes on the kernel's socket."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page, WebSocket

LATE_FRAME_MS = 25.0
LONG_TASK_MS = 50.0
_METER = """
(() => {
  const meter = { times: [], long: [], began: null, ended: null };
  window.meter = meter;
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) meter.long.push([startTime, duration]);
  }).observe({ type: 'longtask' });
  const tick = (now) => {
    meter.times.push(now);
    const answer = meter.ended === null && document.querySelector('.ssew-answer');
    if (meter.began === null && answer && answer.querySelector('.ssew-text').textContent) meter.began = now;
    if (meter.began !== null && answer && answer.ariaBusy === 'false') meter.ended = now;
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
})()
"""
_QUIET = "new Promise((resolve) => requestIdleCallback(() => requestIdleCallback(resolve)))"
_LOOK_EVERY_MS = 200


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of the main thread since the page began (CDP Performance.getMetrics); a difference is a span's cost."""

    task_s: float
    script_s: float
    layout_s: float
    style_s: float

    def __sub__(self, other: Cost) -> Cost:
        return Cost(
            self.task_s - other.task_s,
            self.script_s - other.script_s,
            self.layout_s - other.layout_s,
            self.style_s - other.style_s,
        )

    def __str__(self) -> str:
        return (
            f"{self.task_s:6.2f} s (script {self.script_s:.2f}, style {self.style_s:.2f}, layout {self.layout_s:.2f})"
        )


@dataclass(frozen=True, slots=True)
class Smoothness:
    """Frames (ms between two callbacks of requestAnimationFrame) and long tasks (ms) of a span."""

    intervals_ms: tuple[float, ...]
    long_tasks_ms: tuple[float, ...]

    @property
    def late_share(self) -> float:
        """Share of the intervals that are longer than LATE_FRAME_MS."""
        return sum(interval > LATE_FRAME_MS for interval in self.intervals_ms) / len(self.intervals_ms)

    def __str__(self) -> str:
        frames = f"{len(self.intervals_ms)} frames, {100 * self.late_share:.2f} % late"
        tasks = f"long tasks: {len(self.long_tasks_ms)}, longest {max(self.long_tasks_ms, default=0):.0f} ms"
        return f"{frames}, longest {max(self.intervals_ms):.1f} ms; {tasks}"


class Renderer:
    """A page under measurement. Make it before the page goes anywhere: sockets are seen when they open.

    With `cpu_time` costs are CPU time, else wall time, in which what else the machine does counts too. It talks to
    the page by CDP alone: the scripts that Playwright brings into a page for its locators take 0.1 s of it.
    """

    def __init__(self, page: Page, *, cpu_time: bool = False) -> None:
        self._page = page
        self.kernel_bytes = 0
        page.on("websocket", self._on_socket)
        self._cdp = page.context.new_cdp_session(page)
        self._cdp.send("Performance.enable", {"timeDomain": "threadTicks" if cpu_time else "timeTicks"})

    def cost(self) -> Cost:
        """Return the time spent so far."""
        read = {metric["name"]: metric["value"] for metric in self._cdp.send("Performance.getMetrics")["metrics"]}
        return Cost(read["TaskDuration"], read["ScriptDuration"], read["LayoutDuration"], read["RecalcStyleDuration"])

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, or of its promise."""
        asked = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        answer = self._cdp.send("Runtime.evaluate", asked)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str, limit_ms: float) -> None:
        """Wait until an expression is true, looking rarely, for looking costs."""
        deadline_s = time.monotonic() + limit_ms / 1000
        while not self.evaluate(expression):
            assert time.monotonic() < deadline_s, f"{expression} did not become true"
            self._page.wait_for_timeout(_LOOK_EVERY_MS)

    def settle(self) -> float:
        """Wait until the main thread has nothing to do, and return the page's time (ms of performance.now())."""
        self.evaluate(_QUIET)
        return self.evaluate("performance.now()")

    def collect(self) -> None:
        """Have what earlier work left in memory collected now, and not during the next work."""
        self._cdp.send("HeapProfiler.collectGarbage")

    def watch_frames(self) -> None:
        """From now on, keep the times of frames and of long tasks. This makes every frame cost something."""
        self.evaluate(_METER)

    def answer_span(self) -> tuple[float, float]:
        """Return when the watched answer had its first text on show and its last (ms of performance.now())."""
        return self.evaluate("[meter.began, meter.ended]")

    def smoothness(self, since: float, until: float) -> Smoothness:
        """Return what was kept between two of the page's times."""
        meter = self.evaluate("meter")
        times = [at for at in meter["times"] if since <= at <= until]
        return Smoothness(
            tuple(after - before for before, after in pairwise(times)),
            tuple(duration for at, duration in meter["long"] if since <= at + duration and at <= until),
        )

    def _on_socket(self, socket: WebSocket) -> None:
        if "/api/kernels/" in socket.url and "/channels" in socket.url:
            socket.on("framereceived", self._count)
            socket.on("framesent", self._count)

    def _count(self, payload: str | bytes) -> None:
        self.kernel_bytes += len(payload.encode() if isinstance(payload, str) else payload)
