"""Cut connections in a real browser: nothing is lost, nothing comes twice, nothing is asked twice."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

CUTS = 100
PLACES = [0, 380, 600, 700, 2500]
"""Bytes after which an answer is cut: before the head, inside hello, after it, and twice later."""
MODEL = "synthetic:tokens=60,rate=0,lang=mixed,seed=7"

READ = """
async ({count, model}) => {
  const {SSEConsumer} = await import("/sse.js");
  const read = async (name) => {
    let text = "";
    const consumer = new SSEConsumer("/api/v1/stream/chat", {
      method: "POST", body: {q: name, model, chunk_tokens: 2}, reconnectDelay: 20, maxReconnectAttempts: 40,
    });
    consumer.onDelta(({text: more}) => { text += more; }).onReset(() => { text = ""; });
    const state = await consumer.connect();
    return {state, text, error: consumer.error, id: consumer.streamId};
  };
  const out = [];
  for (let at = 0; at < count; at += 5) {
    out.push(...await Promise.all(Array.from({length: 5}, (_, i) => read(`q${at + i}`))));
  }
  return out;
}
"""


def stream_cuts(seed: int) -> Callable[[bytes], int | None]:
    """Cut the first response of each question at a random byte, resumes now and then, and leave the rest alone."""
    pick = random.Random(seed)

    def cut(head: bytes) -> int | None:
        if head.startswith(b"POST"):
            return pick.randrange(0, 3500)
        if b"/runs/" in head and pick.random() < 0.4:
            return pick.randrange(0, 2000)
        return None

    return cut


def test_a_hundred_random_cuts_lose_and_repeat_nothing(
    standalone: str, cutting_proxy: Callable[[str], Any], fresh_page: Page
) -> None:
    fresh_page.goto(standalone)
    golden = fresh_page.evaluate(READ, {"count": 5, "model": MODEL})[0]["text"]
    proxy = cutting_proxy(standalone)
    fresh_page.goto(proxy.url)
    proxy.cut_for = stream_cuts(seed=3)
    before = runs_started(standalone)
    runs = fresh_page.evaluate(READ, {"count": CUTS, "model": MODEL})
    assert proxy.cuts >= CUTS
    assert [run["error"] for run in runs if run["state"] != "done"] == []
    assert {run["text"] for run in runs} == {golden}
    assert len({run["id"] for run in runs}) == CUTS
    assert runs_started(standalone) - before == CUTS


NATIVE = """
async ({model, key}) => {
  const query = new URLSearchParams({q: "native", model, key, chunk_tokens: "2"});
  const source = new EventSource(`/api/v1/stream/chat?${query}`);
  let text = "";
  const ids = [];
  source.addEventListener("delta", (event) => {
    text += JSON.parse(event.data).text;
    ids.push(event.lastEventId);
  });
  return await new Promise((resolve) => {
    source.addEventListener("done", () => { source.close(); resolve({text, ids}); });
  });
}
"""


def runs_started(server: str) -> int:
    """Return how often a question went to a model."""
    return int(httpx.get(f"{server}/api/v1/stream/health").json()["runs_started"])


def cut_first(places: list[int]) -> Callable[[bytes], int | None]:
    """Cut the next answers to questions at these bytes, one each; leave preflights and resumes alone."""
    left = iter(places)
    return lambda head: next(left, None) if b"/chat" in head and not head.startswith(b"OPTIONS") else None


def test_a_native_event_source_with_a_key_asks_once(
    standalone: str, cutting_proxy: Callable[[str], Any], fresh_page: Page
) -> None:
    """Cut before the head, inside hello, right after it, and later: one run each time, every delta once."""
    proxy = cutting_proxy(standalone)
    fresh_page.goto(proxy.url)
    for place in PLACES:
        proxy.cut_for = cut_first([place])
        before = runs_started(standalone)
        seen = fresh_page.evaluate(NATIVE, {"model": MODEL, "key": f"native-{place}"})
        seqs = [int(event_id.partition(":")[2]) for event_id in seen["ids"]]
        assert runs_started(standalone) - before == 1, f"cut at {place}"
        assert seqs == list(range(2, 2 + len(seqs))), f"cut at {place}"
    assert proxy.cuts == len(PLACES)


CONSUME = """
async ({url, options}) => {
  const {SSEConsumer} = await import("/sse.js");
  let text = "";
  const consumer = new SSEConsumer(url, {reconnectDelay: 20, ...options});
  consumer.onDelta(({text: more}) => { text += more; }).onReset(() => { text = ""; });
  return {state: await consumer.connect(), text};
}
"""


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("origin", ["own", "foreign"])
def test_the_consumer_asks_once(
    standalone: str, cutting_proxy: Callable[[str], Any], fresh_page: Page, method: str, origin: str
) -> None:
    proxy = cutting_proxy(standalone)
    # A page without a policy of its own: this server's health, through the proxy or past it.
    fresh_page.goto(f"{proxy.url if origin == 'own' else standalone}/api/v1/stream/health")
    url, options = f"{proxy.url}/api/v1/stream/chat", {}
    fields = {"q": "once", "model": MODEL, "chunk_tokens": 2}
    if method == "GET":
        url += "?" + urlencode(fields)
    else:
        options = {"method": "POST", "body": fields}
    texts = set()
    for place in PLACES:
        proxy.cut_for = cut_first([place])
        before = runs_started(standalone)
        seen = fresh_page.evaluate(CONSUME, {"url": url, "options": options})
        assert seen["state"] == "done"
        assert runs_started(standalone) - before == 1, f"cut at {place}"
        texts.add(seen["text"])
    assert len(texts) == 1
    assert proxy.cuts == len(PLACES)
