"""Any source as pieces, closed when it is left early; and the feed between who makes a text and who sends it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing, asynccontextmanager, closing, contextmanager

import pytest

from sse_widget.errors import Stopped
from sse_widget.feed import BATCH_CHARS, HOLD_CHARS, Ending, Feed
from sse_widget.iterators import async_pieces, is_async, pieces
from sse_widget.push import MAX_BATCH_TOKENS, MAX_TOKEN_LENGTH

PATIENCE_S = 20.0


class Closable:
    """An iterable whose iterator does not know of what has to be closed, like the streams of SDKs."""

    def __init__(self, *chunks):
        self.chunks = chunks
        self.closed = 0

    def __iter__(self):
        yield from self.chunks

    def close(self):
        self.closed += 1


class AsyncClosable(Closable):
    async def __aiter__(self):
        for chunk in self.chunks:
            yield chunk

    __iter__ = None

    async def close(self):
        self.closed += 1


class NextOnly:
    def __init__(self):
        self.left = ["a", "b"]

    def __next__(self):
        if not self.left:
            raise StopIteration
        return self.left.pop(0)


def managed(source, log):
    @contextmanager
    def manager():
        log.append("in")
        yield source
        log.append("out")

    return manager()


def texts(source):
    return [piece.text for piece in pieces(source)]


async def async_texts(source):
    return [piece.text async for piece in async_pieces(source)]


@pytest.mark.parametrize(
    "source", [["a", "b"], ("a", "b"), iter("ab"), (letter for letter in "ab"), NextOnly(), Closable("a", "b")]
)
def test_a_synchronous_source(source):
    assert not is_async(source)
    assert texts(source) == ["a", "b"]


def test_a_text_is_one_piece():
    assert texts("whole text") == ["whole text"]
    assert texts("") == [""]


def test_a_context_manager_is_entered_and_left():
    log = []
    assert texts(managed(["a", "b"], log)) == ["a", "b"]
    assert log == ["in", "out"]


def test_leaving_early_closes_the_source_and_its_end_does_not():
    source = Closable("a", "b")
    assert texts(source) == ["a", "b"]
    assert source.closed == 0
    with closing(pieces(source)) as found:
        next(found)
    assert source.closed == 1


def test_an_error_of_the_source_or_a_chunk_that_is_none_closes_it_too():
    source = Closable("a", 7)
    with pytest.raises(TypeError, match="chunk of type int"):
        texts(source)
    assert source.closed == 1


async def test_an_asynchronous_source():
    async def generator():
        yield "a"
        yield "b"

    @asynccontextmanager
    async def manager():
        yield generator()

    async def awaited(source):
        return source

    for make in (generator, manager, lambda: AsyncClosable("a", "b")):
        source = make()
        assert is_async(source)
        assert await async_texts(source) == ["a", "b"]
        assert await async_texts(awaited(make())) == ["a", "b"]
    with pytest.raises(TypeError, match="got list"):
        await async_texts(awaited(["a"]))


async def test_leaving_an_asynchronous_source_early_closes_it():
    ended = []

    async def generator():
        try:
            yield "a"
            yield "b"
        finally:
            ended.append(True)

    source = AsyncClosable("a", "b")
    for early in (generator(), source):
        async with aclosing(async_pieces(early)) as found:
            await anext(found)
    assert (ended, source.closed) == ([True], 1)


class Whole:
    """As the data objects of the SDKs, which iterate over their fields."""

    def model_dump(self):
        return {}

    def __iter__(self):
        yield "id", "x"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (5, "got int"),
        (b"ab", "got bytes"),
        ({"a": 1}, "got dict"),
        (object(), "got object"),
        (Whole(), "stream=True"),
    ],
)
def test_what_is_no_stream_is_refused(source, says):
    with pytest.raises(TypeError, match="show\\(\\) takes an iterator") as caught:
        is_async(source)
    assert says in str(caught.value)


async def test_a_feed_gives_what_was_put_in_order():
    feed = Feed()
    waiting = asyncio.create_task(feed.take(PATIENCE_S))
    await asyncio.sleep(0)
    assert feed.put("a") is None
    assert await waiting == ["a"]
    feed.put("b")
    feed.put("")
    feed.put("c")
    feed.close(Ending("length"))
    assert not feed.over
    assert await feed.take(PATIENCE_S) == ["b", "c"]
    assert feed.over
    assert await feed.take(PATIENCE_S) == []
    feed.close(Ending("stop"))
    assert feed.ending == Ending("length")
    with pytest.raises(ValueError, match="closed"):
        feed.put("d")


async def test_a_feed_wakes_whoever_waits_on_another_thread():
    feed = Feed()
    threads = [threading.Thread(target=feed.put, args=("x",)) for _ in range(20)]
    waiting = asyncio.create_task(feed.take(PATIENCE_S))
    await asyncio.sleep(0)
    for thread in threads:
        thread.start()
    taken = await waiting
    while len(taken) < len(threads):
        taken += await feed.take(PATIENCE_S)
    assert taken == ["x"] * 20


def test_a_feed_says_nothing_when_nothing_came(virtual):
    async def scenario():
        loop = asyncio.get_running_loop()
        assert await Feed().take(20) == []
        assert loop.time() == pytest.approx(20)

    virtual(scenario())


async def test_batches_are_bounded_and_long_texts_divided():
    feed = Feed()
    long = "é" * (3 * MAX_TOKEN_LENGTH + 1)
    feed.put(long)
    for _ in range(MAX_BATCH_TOKENS + 5):
        feed.put("x")
    feed.close(Ending())
    batches = []
    while not feed.over:
        batches.append(await feed.take(0))
    assert "".join("".join(batch) for batch in batches) == long + "x" * (MAX_BATCH_TOKENS + 5)
    for batch in batches:
        assert len(batch) <= MAX_BATCH_TOKENS
        assert sum(map(len, batch)) <= BATCH_CHARS
        assert max(map(len, batch)) <= MAX_TOKEN_LENGTH


async def test_a_full_feed_lets_its_producer_wait_for_room():
    feed = Feed()
    room = feed.put("x" * (HOLD_CHARS + 1))
    assert room is not None
    assert feed.put("y") is room
    while not room.done():
        assert await feed.take(0)
    assert feed.put("z") is None


async def test_stopping_a_feed_lets_everyone_go():
    feed = Feed()
    room = feed.put("x" * (HOLD_CHARS + 1))
    waiting = asyncio.create_task(Feed.take(other := Feed(), PATIENCE_S))
    await asyncio.sleep(0)
    feed.stop()
    other.stop()
    assert room.done()
    assert await waiting == []
    with pytest.raises(Stopped):
        feed.put("more")


async def test_what_utf_8_cannot_carry_becomes_a_question_mark():
    feed = Feed()
    feed.put("a\ud800b")
    assert await feed.take(0) == ["a?b"]
