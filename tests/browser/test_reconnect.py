"""Cut connections in a real browser: nothing is lost, nothing comes twice, nothing is asked twice."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

CUTS = 100
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
    runs = fresh_page.evaluate(READ, {"count": CUTS, "model": MODEL})
    assert proxy.cuts >= CUTS
    assert [run["error"] for run in runs if run["state"] != "done"] == []
    assert {run["text"] for run in runs} == {golden}
    assert len({run["id"] for run in runs}) == CUTS


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


def test_a_native_event_source_with_a_key_asks_once(
    standalone: str, cutting_proxy: Callable[[str], Any], fresh_page: Page
) -> None:
    """Cut before the head, inside hello, right after it, and later: one run each time, every delta once."""
    proxy = cutting_proxy(standalone)
    fresh_page.goto(proxy.url)
    for place in (0, 380, 600, 700, 2500):
        cuts = iter([place])
        proxy.cut_for = lambda head, cuts=cuts: next(cuts, None) if b"/chat" in head else None
        seen = fresh_page.evaluate(NATIVE, {"model": MODEL, "key": f"native-{place}"})
        streams = {event_id.partition(":")[0] for event_id in seen["ids"]}
        seqs = [int(event_id.partition(":")[2]) for event_id in seen["ids"]]
        assert len(streams) == 1, f"cut at {place}"
        assert seqs == list(range(2, 2 + len(seqs))), f"cut at {place}"
    assert proxy.cuts == 5
