"""What only a log in Redis can meet: answers that never come, a Redis that is away, or comes back with less."""

from __future__ import annotations

import asyncio
import signal
from contextlib import aclosing

import pytest

from rig.redis import redis_server
from rig.serving import PATIENCE_S
from sse_server.app import Server
from sse_server.config import Config, ConfigError
from sse_server.log.base import LogUnavailableError, Stop, StreamMeta, TrimmedStreamError, UnknownStreamError
from sse_server.log.redis import RedisLog
from sse_server.log.redis_link import shared_secret
from sse_widget.protocol.events import text_of
from sse_widget.protocol.sse import Event, Parser

META = StreamMeta("owner", "model", "talk")
DONE = Event("done", "{}")
LOST = Event("error", '{"code":"producer_lost"}')


def delta(text):
    return Event("delta", f'{{"text":"{text}"}}')


def texts_of(batch):
    return [text_of(event.data) for event in Parser().feed(b"".join(batch.frames))]


@pytest.fixture
def redis(tmp_path, request):
    with redis_server(tmp_path, keeps=getattr(request, "param", False)) as server:
        yield server


@pytest.fixture
async def make_log(redis, complaints):
    made = []

    def make(**options):
        made.append(RedisLog(redis.url, **options))
        return made[-1]

    yield make
    for log in made:
        await log.close()


async def landed(log, stream_id, last):
    """Return once Redis has got to the call that nobody waits for any more."""
    async with asyncio.timeout(PATIENCE_S):
        while (await log.info(stream_id)).last < last:  # noqa: ASYNC110 - a state, no event
            await asyncio.sleep(0.01)


async def reached(log):
    """Return once the log is reached again; nothing but asking tells."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                new = await log.create(META, "")
                await log.read(new[0], 0, 0.001)
            except LogUnavailableError:
                await asyncio.sleep(0.01)
            else:
                return new


async def listening(log, stream_id, after):
    """Return a read that waits for what is told."""
    reading = asyncio.create_task(log.read(stream_id, after, PATIENCE_S))
    async with asyncio.timeout(PATIENCE_S):
        while not ((tail := log._reader._tails.get(stream_id)) and tail.fresh):  # noqa: ASYNC110 - a state, no event
            await asyncio.sleep(0.001)
    return reading


async def test_an_append_whose_answer_never_came_is_there_once(redis, make_log, monkeypatch):
    monkeypatch.setattr("sse_server.log.redis.CALL_S", 0.3)
    log, other = make_log(), make_log()
    stream_id, _ = await log.create(META, "")
    await log.append(stream_id, [delta("a")])
    redis.pause()
    with pytest.raises(LogUnavailableError):
        await log.append(stream_id, [delta("b")])
    redis.go_on()
    await landed(other, stream_id, 2)
    assert await log.append(stream_id, [delta("b"), delta("c")]) == 3, "what had landed is not sent again"
    assert await log.append(stream_id, [delta("b")]) == 4
    assert texts_of(await other.read(stream_id, 0, 0)) == ["a", "b", "c", "b"]
    assert (await log.info(stream_id)).text == (await other.info(stream_id)).text == "abcb"


async def test_the_end_is_there_once_too_and_other_events_come_behind_what_landed(redis, make_log, monkeypatch):
    monkeypatch.setattr("sse_server.log.redis.CALL_S", 0.3)
    log, other = make_log(), make_log()
    first, _ = await log.create(META, "")
    second, _ = await log.create(META, "")
    # Each on a connection of its own that is there already: a Redis that hangs greets nobody.
    await asyncio.gather(log.append(first, [delta("0")]), log.append(second, [delta("0")]))
    redis.pause()
    calls = [log.append(first, [delta("a"), DONE]), log.append(second, [delta("a")])]
    for error in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(error, LogUnavailableError)
    redis.go_on()
    await landed(other, first, 3)
    await landed(other, second, 2)
    assert await log.append(first, [delta("a"), DONE]) == 3
    assert await log.append(second, [delta("b"), DONE]) == 4
    assert texts_of(await other.read(second, 0, 0))[:3] == ["0", "a", "b"]
    assert (await log.info(second)).text == "0ab"


async def test_who_waits_is_told_of_an_outage_and_the_log_recovers_by_itself(redis, make_log):
    log, other = make_log(), make_log()
    stream_id, _ = await log.create(META, "")
    await log.append(stream_id, [delta("a")])
    waiting = [await listening(each, stream_id, 1) for each in (log, other)]
    redis.end()
    for reading in waiting:
        with pytest.raises(LogUnavailableError):
            await reading
    for call in (
        log.append(stream_id, [delta("b")]),
        log.info(stream_id),
        log.create(META, ""),
        log.renew([stream_id]),
    ):
        with pytest.raises(LogUnavailableError):
            await call
    redis.start()
    new, _ = await reached(log)
    for each in (log, other):
        with pytest.raises(UnknownStreamError):
            await each.read(stream_id, 1, PATIENCE_S)
    with pytest.raises(UnknownStreamError):
        await log.append(stream_id, [delta("b")])
    async with aclosing(log.commands(new)) as commands, asyncio.timeout(PATIENCE_S):
        await other.command(new, Stop("stopped"))
        assert await anext(commands) == Stop("stopped")
    await reached(other)
    reading = await listening(other, new, 0)
    await log.append(new, [delta("c"), DONE])
    assert texts_of(await reading)[0] == "c"


async def test_numbers_that_readers_have_seen_are_not_given_again_by_a_redis_that_lost_them(redis, make_log):
    log, other = make_log(), make_log()
    stream_id, _ = await log.create(META, "k")
    await log.append(stream_id, [delta("a")])
    redis.say("SAVE")
    await log.append(stream_id, [delta("seen")])
    waiting = await listening(other, stream_id, 2)
    redis.end(signal.SIGKILL)
    redis.start()
    with pytest.raises((LogUnavailableError, TrimmedStreamError)):
        await waiting
    await reached(other)
    with pytest.raises(TrimmedStreamError):
        await other.read(stream_id, 2, 0)
    await reached(log)
    with pytest.raises(UnknownStreamError):
        await log.append(stream_id, [delta("other")])
    assert (await other.create(META, "k"))[1], "a question asked again is asked anew"


@pytest.mark.parametrize("redis", [True], ids=["that keeps its data"], indirect=True)
async def test_nobody_is_declared_dead_right_after_an_outage(redis, make_log):
    now = [1000.0]
    logs = [make_log(now=lambda: now[0], lease_s=5.0) for _ in range(3)]
    alive, other, newcomer = logs
    living, _ = await alive.create(META, "")
    dead, _ = await alive.create(META, "")
    await other.reap(LOST)
    redis.end(signal.SIGKILL)
    with pytest.raises(LogUnavailableError):
        await other.reap(LOST)
    now[0] += 60.0
    redis.start()
    for log in logs:
        await reached(log)
    assert await newcomer.reap(LOST) == [], "a node that was not there knows nothing of the outage"
    for _ in range(4):
        now[0] += 1.2
        assert list(await alive.renew([living])) == []
        for log in (other, newcomer):
            assert await log.reap(LOST) == [], "the others have a lease's time to say that they live"
    now[0] += 1.0
    await alive.renew([living])
    reaped = await newcomer.reap(LOST)
    assert (dead in reaped, living in reaped) == (True, False)


async def test_nodes_share_one_secret_and_a_redis_that_lost_it_gets_it_again(redis, make_log):
    secret = await asyncio.to_thread(shared_secret, redis.url, b"first")
    assert await asyncio.to_thread(shared_secret, redis.url, b"second") == secret == b"first"
    log = make_log(secret=secret)
    await log.create(META, "")
    redis.end()
    redis.start()
    async with asyncio.timeout(PATIENCE_S):
        while b"first" not in redis.say("GET", "sse:secret"):  # noqa: ASYNC110 - a state, no event
            await asyncio.sleep(0.01)


async def test_an_answer_from_before_the_subscription_is_none_behind_it(make_log, monkeypatch):
    """The end of a stream comes in between: nothing after it would ever tell the reader."""
    writer, reader = make_log(), make_log()
    stream_id, _ = await writer.create(META, "")
    asked, let_go = asyncio.Event(), asyncio.Event()
    call = reader._calls.call

    async def slow_once(script, *args):
        reply = await call(script, *args)
        if script == "READ" and not asked.is_set():
            asked.set()
            await let_go.wait()
        return reply

    ask, asking = reader._reader._ask, asyncio.Semaphore(0)

    async def noted(*args):
        asking.release()
        return await ask(*args)

    monkeypatch.setattr(reader._calls, "call", slow_once)
    monkeypatch.setattr(reader._reader, "_ask", noted)
    early = asyncio.create_task(reader.read(stream_id, 0, 0))
    await asked.wait()
    await writer.append(stream_id, [DONE])
    late = asyncio.create_task(reader.read(stream_id, 0, PATIENCE_S))
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(2):
            await asking.acquire()
    let_go.set()
    assert (await early).frames == ()
    async with asyncio.timeout(PATIENCE_S / 2):
        assert (await late).ended


@pytest.mark.parametrize(
    ("url", "says"), [("redis://127.0.0.1:1/0", "cannot reach"), ("redis://127.0.0.1:port/0", "no address")]
)
def test_a_redis_that_is_not_there_is_named(url, says, monkeypatch):
    monkeypatch.setattr("sse_server.log.redis_link.START_S", 0.0)
    with pytest.raises(ConfigError, match=says):
        Server(Config(model="synthetic:tokens=1", log=url))
