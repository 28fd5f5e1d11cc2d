"""A real Chromium behind a real nginx that holds streams back, refuses them and blocks WebSockets: the answer comes.

And more streams than a browser has connections, over two tabs: none hangs.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect

from rig import faults, proxies
from rig.nginx import nginx, proxy
from sse_server.app import static_folder

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from rig.browser import Lab

LIMIT_MS = 60_000
MODEL = "synthetic:tokens=90,rate=20,lang=mixed,seed=4"
"""Takes longer than hello is waited for, and is smaller than nginx's buffers."""
CHAT = "/api/v1/stream/chat"
REFUSE = 'if ($http_accept ~ "text/event-stream") { return 403; }'

SCENES = {
    "nothing in the way": (faults.healthy, "sse", ""),
    "infra/nginx/sse.conf": (proxies.healthy, "sse", ""),
    "infra/nginx/sse.conf, but it buffers": (proxies.buffering, "websocket", "held_back"),
    "buffers": (faults.buffering, "websocket", "held_back"),
    "compresses": (faults.packing, "websocket", "held_back"),
    "refuses event streams": (lambda url: proxy(url, REFUSE), "websocket", "refused"),
    "gives another type": (
        lambda url: f"{proxy(url)}\n{proxy(url, faults.RETYPE, path='/api/')}",
        "websocket",
        "refused",
    ),
    "buffers, no WebSocket": (
        lambda url: proxy(url, faults.IGNORE, version="1.0", websocket=False),
        "poll",
        "held_back",
    ),
    "refuses event streams, no WebSocket": (lambda url: proxy(url, REFUSE, websocket=False), "poll", "refused"),
}

READ = """
async ({model, key}) => {
  const {openStream} = await import("/sse.js");
  const began = performance.now();
  const consumer = openStream("/api/v1/stream/chat", {body: {q: "?", model, chunk_tokens: 2}, key});
  const told = {text: "", seqs: [], ways: [], first: 0, resets: 0};
  consumer
    .onDelta(({text}, {id}) => {
      told.first ||= performance.now() - began;
      told.text += text;
      told.seqs.push(Number(id.split(":")[1]));
    })
    .onReset(() => { told.resets += 1; })
    .onTransport((name, reason) => told.ways.push([name, reason]));
  const state = await consumer.connect();
  return {...told, state, way: consumer.transport, error: consumer.error};
}
"""

MANY = """
async ({model, count, blocked}) => {
  const {openStream} = await import("/sse.js");
  if (blocked) globalThis.WebSocket = undefined;
  const read = async (number) => {
    let text = "";
    let firstMs = 0;
    const began = performance.now();
    const consumer = openStream("/api/v1/stream/chat", {body: {q: `${number}`, model, chunk_tokens: 2}});
    consumer.onDelta((delta) => {
      firstMs ||= performance.now() - began;
      text += delta.text;
    });
    const state = await consumer.connect();
    return {state, text, firstMs, way: consumer.transport};
  };
  return Promise.all(Array.from({length: count}, (_, number) => read(number)));
}
"""


def golden(url: str, model: str, **fields: Any) -> str:
    answer = httpx.post(url + CHAT, json={"q": "?", "model": model, **fields}, timeout=30)
    rows = answer.text.splitlines()
    return "".join(json.loads(row[6:])["text"] for row in rows if row.startswith('data: {"text"'))


def runs_started(url: str) -> int:
    return int(httpx.get(f"{url}/api/v1/stream/health").json()["runs_started"])


@pytest.fixture(scope="module")
def text(standalone: str) -> str:
    return golden(standalone, MODEL.replace("rate=20", "rate=0"))


@pytest.mark.parametrize("scene", SCENES)
def test_the_answer_comes_whole_once_and_while_it_is_made(
    scene: str, standalone: str, text: str, fresh_page: Page, tmp_path: Path
) -> None:
    block, way, reason = SCENES[scene]
    before = runs_started(standalone)
    with nginx(tmp_path, block(standalone)) as url:
        fresh_page.goto(url)
        told = fresh_page.evaluate(READ, {"model": MODEL, "key": re.sub(r"\W+", "-", scene)})
    print(f"\n{scene}: {told['way']}, first text after {told['first']:.0f} ms")
    assert (told["state"], told["error"]) == ("done", None)
    assert (told["way"], told["resets"]) == (way, 0)
    assert told["ways"][-1:] == ([[way, reason]] if reason else [])
    assert told["text"] == text
    assert told["seqs"] == list(range(2, len(told["seqs"]) + 2))
    assert runs_started(standalone) == before + 1


def test_the_page_itself_shows_the_answer_behind_a_proxy_that_buffers(
    standalone: str, fresh_page: Page, tmp_path: Path
) -> None:
    before = runs_started(standalone)
    with nginx(tmp_path, faults.buffering(standalone)) as url:
        fresh_page.goto(url)
        box = fresh_page.locator("textarea")
        box.fill("What is a stream?")
        box.press("Enter")
        fresh_page.wait_for_function("() => document.querySelector('.ssew-text').textContent.length > 40")
        fresh_page.reload()
        expect(fresh_page.locator(".ssew-dot")).to_have_attribute("data-state", "done", timeout=LIMIT_MS)
    assert runs_started(standalone) == before + 1


@pytest.mark.parametrize("blocked", [False, True], ids=["websocket", "no websocket"])
def test_more_streams_than_connections_in_two_tabs(standalone: str, chromium: Browser, *, blocked: bool) -> None:
    model = "synthetic:tokens=60,rate=20,seed=9"
    want = golden(standalone, model.replace("rate=20", "rate=0"))
    before = runs_started(standalone)
    context = chromium.new_context()
    tabs = [context.new_page(), context.new_page()]
    for tab in tabs:
        tab.goto(standalone)
        tab.evaluate(
            "([body, given]) => { globalThis.reading = eval(body)(given); }",
            [MANY, {"model": model, "count": 6, "blocked": blocked}],
        )
    for tab in tabs:
        assert tab.evaluate("async () => (await fetch('/api/v1/stream/health')).status") == 200
    told = [one for tab in tabs for one in tab.evaluate("() => globalThis.reading")]
    context.close()
    ways = [one["way"] for one in told]
    print(f"\n{ways}, first text after {max(one['firstMs'] for one in told):.0f} ms at most")
    assert {one["state"] for one in told} == {"done"}
    assert {one["text"] for one in told} == {want}
    assert ways.count("sse") == 4
    assert set(ways) == {"sse", "poll" if blocked else "websocket"}
    assert runs_started(standalone) == before + 12


IN_LAB = """
async ({sse, base, xsrf}) => {
  const {WebSocketConsumer} = await import(URL.createObjectURL(new Blob([sse], {type: "text/javascript"})));
  const model = "synthetic:tokens=100000,rate=100";
  const consumer = new WebSocketConsumer(`${base}/sse-widget/api/v1/stream/chat`, {
    body: {q: "?", model}, headers: {"X-XSRFToken": xsrf},
  });
  const heard = (name) => new Promise((resolve) => consumer.on(name, resolve));
  const outcome = consumer.connect();
  await heard("delta");
  const tuned = await consumer.tune({chunk_tokens: 1});
  const stopped = await consumer.stop();
  return {tuned, stopped, state: await outcome, error: consumer.error};
}
"""


def test_a_websocket_of_jupyters_extension_by_the_pages_own_login(lab: Lab, fresh_page: Page) -> None:
    fresh_page.goto(f"{lab.url}/lab?token={lab.token}")
    cookies = {cookie["name"]: cookie["value"] for cookie in fresh_page.context.cookies()}
    given = {"sse": (static_folder() / "sse.js").read_text("utf-8"), "base": lab.url, "xsrf": cookies["_xsrf"]}
    told = fresh_page.evaluate(IN_LAB, given)
    assert told == {"tuned": True, "stopped": True, "state": "stopped", "error": None}
