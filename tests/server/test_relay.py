"""The kernel's end of the relay, against the real server; the page is a list of messages."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from sse_widget import ConnectError, StreamClient
from sse_widget.protocol.checksum import Checksum
from sse_widget.protocol.events import Done, load
from sse_widget.relay import MAX_PAGES, WINDOW_CHARS, Order, Relay

PATIENCE_S = 20.0
MIXED = "synthetic:tokens=60,rate=0,lang=mixed,seed=2"
FAST = "synthetic:tokens=4000,rate=0"


class Page:
    """A page that hears everything, and confirms nothing by itself."""

    def __init__(self, client):
        self.client = client
        self.heard = []
        self._changed = asyncio.Event()
        self.relay = Relay(self._reach, self._hear)

    async def _reach(self):
        return self.client

    def _hear(self, message):
        self.heard.append(msgspec.json.decode(msgspec.json.encode(message)))
        self._changed.set()

    async def say(self, **order):
        await self.relay._obey(msgspec.convert({"to": "me", **order}, Order))

    async def until(self, holds):
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def of(self, link):
        return [message for message in self.heard if message.get("link") == link]

    def ends(self, link):
        return [message["end"] for message in self.of(link) if "end" in message]

    def deltas(self, link):
        """Text by seq, as the page numbers them."""
        found = {}
        for message in self.of(link):
            seq = message.get("first", 0)
            for item in message.get("items", []):
                if isinstance(item, str):
                    found[seq] = item
                else:
                    seq = int(item["id"].rpartition(":")[2])
                seq += 1
        return found

    def sent(self, link, name):
        items = [item for message in self.of(link) for item in message.get("items", []) if not isinstance(item, str)]
        return [item for item in items if item["event"] == name]


@pytest.fixture
def page_of():
    """Yield a function that makes the page of a server; its connections are ended."""
    made = []

    def make(served, **settings):
        made.append(Page(StreamClient(served.url, reconnect=False, **settings)))
        return made[-1]

    return make


async def test_a_run_comes_whole_in_order_and_with_its_checksum(serve, page_of):
    served = await serve()
    page = page_of(served)
    stream_id = await served.start(model=MIXED)
    await page.say(op="open", link=1, stream_id=stream_id)
    await page.until(lambda: page.ends(1))
    assert page.of(1)[0]["head"] == {"status": 200, "streamId": stream_id}
    assert page.ends(1) == ["ended"]
    deltas = page.deltas(1)
    assert list(deltas) == list(range(2, len(deltas) + 2)), "numbered without a gap, after start"
    done = load("done", page.sent(1, "done")[0]["data"])
    checksum = Checksum()
    for text in deltas.values():
        checksum.add(text)
    assert isinstance(done, Done)
    assert checksum.matches(done)
    assert [item["event"] for item in page.of(1)[0]["items"] if not isinstance(item, str)][:2] == ["hello", "start"]


async def test_it_goes_on_after_any_event(serve, page_of):
    served = await serve()
    page = page_of(served)
    stream_id = await served.start(model=MIXED)
    await page.say(op="open", link=1, stream_id=stream_id)
    await page.until(lambda: page.ends(1))
    whole = page.deltas(1)
    for link, after in enumerate(list(whole)[:-1], start=2):
        await page.say(op="open", link=link, stream_id=stream_id, after=after)
        await page.until(lambda: page.ends(link))  # noqa: B023 - waited for at once
        assert page.deltas(link) == {seq: text for seq, text in whole.items() if seq > after}


async def test_few_messages_carry_many_events(serve, page_of):
    served = await serve()
    page = page_of(served)
    stream_id = await served.start(model=FAST, chunk_tokens=1)
    await served.until_ended(stream_id)
    await page.say(op="open", link=1, stream_id=stream_id)
    await page.until(lambda: page.ends(1))
    assert len(page.deltas(1)) > 1000
    assert len(page.of(1)) < 50


async def test_it_waits_for_a_page_that_confirms_nothing(serve, page_of, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    page = page_of(served)
    stream_id = await served.start(model="gated", chunk_tokens=1)
    await page.say(op="open", link=1, stream_id=stream_id)
    piece = "x" * (WINDOW_CHARS // 8)
    source.say(*[piece] * 20)
    source.finish()
    await page.until(lambda: len(page.deltas(1)) >= 8)
    await served.until_ended(stream_id)
    assert len(page.deltas(1)) < 10
    while not page.ends(1):
        await page.say(op="ack", link=1, size=page.of(1)[-1]["size"])
        heard = len(page.heard)
        await page.until(lambda: len(page.heard) > heard)  # noqa: B023 - waited for at once
    assert "".join(page.deltas(1).values()) == piece * 20


async def test_the_text_so_far_keeps_its_number(serve, page_of):
    served = await serve()
    page = page_of(served)
    stream_id = await served.start(model=MIXED)
    await page.say(op="open", link=1, stream_id=stream_id)
    await page.until(lambda: page.ends(1))
    whole = page.deltas(1)
    await page.say(op="open", link=2, stream_id=stream_id, snapshot=True)
    await page.until(lambda: page.ends(2))
    told = {int(item["id"].rpartition(":")[2]): item["data"] for item in page.sent(2, "delta")}
    told = {seq: msgspec.json.decode(data)["text"] for seq, data in told.items()} or page.deltas(2)
    assert list(told) == [max(whole)]
    assert told[max(whole)] == "".join(whole.values())


async def test_runs_are_pushed_to_pages_that_listen(serve, page_of):
    served = await serve()
    page = page_of(served)
    page.relay.push(await served.start(model=MIXED))
    assert page.heard == []
    for number in range(MAX_PAGES + 1):
        await page.say(op="listen", to=f"page {number}")
    stream_id = await served.start(model=MIXED)
    page.relay.push(stream_id)
    assert {message["to"] for message in page.heard} == {f"page {number}" for number in range(1, MAX_PAGES + 1)}
    assert all(message["coming"] and message["stream_id"] == stream_id for message in page.heard)
    await page.until(lambda: sum("end" in message for message in page.heard) == MAX_PAGES)
    assert len({message["link"] for message in page.heard}) == MAX_PAGES
    assert all(message["link"] < 0 for message in page.heard), "no number that a page could choose"
    for number in range(1, MAX_PAGES + 1):
        await page.say(op="hush", to=f"page {number}")
    heard = len(page.heard)
    page.relay.push(await served.start(model=MIXED))
    await page.say(op="open", link=1, stream_id=await served.start(model=MIXED))
    await page.until(lambda: page.ends(1))
    assert all(message["to"] == "me" for message in page.heard[heard:])


async def test_the_next_run_that_is_pushed_ends_the_one_before(serve, page_of, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    page = page_of(served)
    await page.say(op="listen")
    page.relay.push(await served.start(model="gated", chunk_tokens=1))
    first = page.heard[0]["link"]
    source.say("one ")
    await page.until(lambda: page.deltas(first))
    page.relay.push(await served.start(model=MIXED))
    source.say("two ")
    source.finish()
    second = page.heard[-1]["link"]
    await page.until(lambda: page.ends(second))
    assert list(page.deltas(first).values()) == ["one "]


async def test_a_page_that_leaves_hears_no_more(serve, page_of, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    page = page_of(served)
    stream_id = await served.start(model="gated", chunk_tokens=1)
    await page.say(op="open", link=1, stream_id=stream_id)
    await page.say(op="open", link=2, stream_id=stream_id)
    source.say("one ")
    await page.until(lambda: page.deltas(1) and page.deltas(2))
    await page.say(op="close", link=1)
    source.say("two ")
    await page.until(lambda: len(page.deltas(2)) == 2)
    await page.say(op="leave")
    source.finish()
    await served.until_idle()
    assert "".join(page.deltas(1).values()) == "one "
    assert page.ends(1) == page.ends(2) == []


async def test_stop_and_knobs_reach_the_run(serve, page_of, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    page = page_of(served)
    stream_id = await served.start(model="gated")
    await page.say(op="tune", ask=1, stream_id=stream_id, changes={"chunk_tokens": 1})
    await page.say(op="tune", ask=2, stream_id=stream_id, changes={"chunk_tokens": -1})
    await page.say(op="stop", ask=3, stream_id=stream_id)
    await page.say(op="stop", ask=4, stream_id="0" * 32)
    await page.say(op="stop", ask=5, stream_id="../health")
    assert [message.get("agreed") for message in page.heard] == [True, False, True, False, None]
    await served.until_ended(stream_id)


async def test_refusals_and_breaks_are_passed_on(serve, page_of, server_process):
    served = await serve()
    page = page_of(served)
    await page.say(op="open", link=1, stream_id="0" * 32)
    await page.until(lambda: page.of(1))
    assert (page.of(1)[0]["head"]["status"], page.of(1)[0]["head"]["code"]) == (404, "not_found")
    stream_id = await served.start(model=MIXED)
    await served.until_ended(stream_id)
    await page.say(op="open", link=2, stream_id=stream_id, after=10_000)
    await page.until(lambda: page.of(2))
    assert page.of(2)[0]["head"]["status"] == 204
    gone = server_process("--model", "synthetic:rate=0")
    gone.end()
    page.client = StreamClient(gone.url, reconnect=False)
    await page.say(op="open", link=3, stream_id=stream_id)
    await page.until(lambda: page.of(3))
    assert page.ends(3) == ["network"]


async def test_without_a_server_the_connection_fails(serve, page_of):
    page = page_of(await serve())

    async def unreachable():
        raise ConnectError("no server")

    page.relay._reach = unreachable
    await page.say(op="open", link=1, stream_id="0" * 32)
    await page.until(lambda: page.of(1))
    assert page.ends(1) == ["network"]
    await page.say(op="stop", ask=1, stream_id="0" * 32)
    assert page.heard[-1]["agreed"] is False


async def test_only_parts_of_the_widget_are_files(serve, page_of, monkeypatch, tmp_path):
    monkeypatch.setattr("sse_widget.relay._STATIC", tmp_path)
    (tmp_path / "part-math.js").write_text("export const π = 3", "utf-8")
    (tmp_path / "secret.js").write_text("no", "utf-8")
    page = page_of(await serve())
    for ask, name in enumerate(["part-math.js", "part-none.js", "secret.js", "../relay.py", "part-../secret.js"]):
        await page.say(op="file", ask=ask, name=name)
    assert [message["text"] for message in page.heard] == ["export const π = 3", None, None, None, None]


@pytest.mark.parametrize(
    "content",
    [{}, {"op": 1, "to": "x"}, {"op": "open"}, {"op": "open", "to": "x", "link": "1"}, {"op": "tune", "to": []}],
)
async def test_what_is_no_order_is_ignored(serve, page_of, content):
    page = page_of(await serve())
    page.relay.receive({"type": "relay", **content})
    await page.say(op="nonsense")
    await page.say(op="open", link=1, stream_id="no id")
    await page.say(op="ack", link=9, size=5)
    assert page.heard == []
