"""A notebook page of the tests' own, where a host cannot run here: real widget, real bundle, real server, real browser.

What is not real is the way between them: the messages of the widget's comm are carried by the test.
"""

from __future__ import annotations

import json
import queue
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.pages import serving
from rig.serving import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    from sse_widget import StreamWidget

_STATIC = Path(__file__).parents[2] / "sse_widget" / "static"
_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>A notebook</title>
<link rel="stylesheet" href="/widget.css">
<div id="cell"></div>
<script type="module">
const bytes = await (await fetch("/widget.js")).text();
// As anywidget does it.
const { default: widget } = await import(URL.createObjectURL(new Blob([bytes], {type: "text/javascript"})));
const calls = new Map();
const say = (name, ...values) => [...(calls.get(name) ?? [])].forEach((call) => call(...values));
let traits = {}, unsaved = {};
const model = {
  get: (name) => traits[name],
  set(name, value) { hear({method: "update", state: {[name]: value}}); unsaved[name] = value; return model; },
  save_changes() { toKernel(JSON.stringify({method: "update", state: unsaved})); unsaved = {}; },
  send(content) { toKernel(JSON.stringify({method: "custom", content})); },
  on: (name, call) => calls.set(name, (calls.get(name) ?? new Set()).add(call)),
  off: (name, call) => calls.get(name)?.delete(call),
};
const hear = ({method, state, content}) => {
  if (method === "custom") return say("msg:custom", content, []);
  const changed = Object.keys(state).filter((name) => traits[name] !== state[name]);
  traits = {...traits, ...state};
  for (const name of changed) say(`change:${name}`);
};
window.hear = (messages) => messages.forEach(hear);
window.show = async (state) => {
  traits = state;
  const {initialize, render} = widget();
  const {signal} = new AbortController();
  await initialize({model, signal});
  await render({model, el: document.getElementById("cell"), signal});
};
window.ready = true;
</script>
"""


class _Pages(SimpleHTTPRequestHandler):
    """The page, under `/sandboxed` without an origin, and the bundles."""

    def do_GET(self) -> None:
        if self.path.startswith(("/notebook", "/sandboxed")):
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            if self.path.startswith("/sandboxed"):
                self.send_header("Content-Security-Policy", "sandbox allow-scripts allow-forms")
            self.end_headers()
            self.wfile.write(_PAGE.encode())
        else:
            super().do_GET()

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@contextmanager
def pages() -> Iterator[int]:
    """Serve the page on a free port, which is yielded."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Pages, directory=str(_STATIC)))
    with serving(server):
        yield server.server_address[1]


class Host:
    """Shows a widget in a page, and carries its comm until told to stop."""

    def __init__(self, page: Page, widget: StreamWidget) -> None:
        self._page = page
        self._widget = widget
        self._sent: queue.Queue[dict[str, Any]] = queue.Queue()
        self._heard: list[str] = []
        widget.comm.publish_msg = lambda _, data=None, **__: self._sent.put(data)
        page.expose_function("toKernel", self._hear)

    def _hear(self, message: str) -> None:
        self._heard.append(message)

    def show(self, url: str) -> None:
        """Open the page and show the widget in it."""
        self._page.goto(url)
        self._page.wait_for_function("() => window.ready")
        state = {name: value for name, value in self._widget.get_state().items() if name not in {"layout", "tabbable"}}
        state = {name: value for name, value in state.items() if not name.startswith("_")}
        self._page.evaluate("state => show(state)", json.loads(json.dumps(state, default=str)))

    def until(self, holds: Callable[[], bool]) -> None:
        """Carry messages until something holds."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline_s, self._page.locator(".ssew").inner_text()
            self._carry()

    def _carry(self) -> None:
        heard, self._heard[:] = list(self._heard), []
        for message in heard:
            self._widget.comm.handle_msg({"content": {"data": json.loads(message)}, "buffers": []})
        messages = []
        try:
            messages.append(self._sent.get(timeout=0.02))
            while True:
                messages.append(self._sent.get_nowait())
        except queue.Empty:
            carried = [{**message, "state": _plain(message.get("state", {}))} for message in messages]
            self._page.evaluate("messages => hear(messages)", carried)


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if not name.startswith("_") and name != "layout"}
