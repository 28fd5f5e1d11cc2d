"""The memory log on a virtual clock; the contract of all logs is in tests/server/test_log_contract.py."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sse_server.log.base import (
    ExpiredStreamError,
    Origin,
    StreamMeta,
    UnknownStreamError,
)
from sse_server.log.memory import MemoryLog
from sse_widget.protocol.sse import Event, Parser

META = StreamMeta("owner", "model", "talk")
DONE = Event("done", '{"reason":"stop","tokens":0,"chars":0,"crc32":0}')


def delta(text):
    return Event("delta", f'{{"text":"{text}"}}')


def events_of(batch):
    return Parser().feed(b"".join(batch.frames))


@pytest.fixture
def make_log():
    """Return a factory of logs; `now` is the time on their clock."""

    def make(now=None, **options):
        times = now if now is not None else [0.0]
        return MemoryLog(lambda: times[0], **options)

    return make


async def created(log, key="", owner="owner"):
    return (await log.create(StreamMeta(owner, "model", "talk"), key))[0]


def test_a_read_waits_for_the_first_event_no_longer_than_it_was_told(virtual, make_log):
    async def run():
        log = make_log()
        loop = asyncio.get_running_loop()
        stream_id = await created(log)
        assert (await log.read(stream_id, 0, 20.0)).frames == ()
        assert loop.time() == pytest.approx(20.0)
        reading = asyncio.create_task(log.read(stream_id, 0, 20.0))
        await asyncio.sleep(5.0)
        await log.append(stream_id, [delta("x")])
        assert len((await reading).frames) == 1
        assert loop.time() == pytest.approx(25.0)

    virtual(run())


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=12),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=4),
)
def test_every_reader_sees_every_event_once_whatever_the_timing(virtual, make_log, appends, readers):
    async def produce(log, stream_id):
        for pause_s, count in appends:
            await asyncio.sleep(pause_s)
            await log.append(stream_id, [delta("x")] * count)
        await log.append(stream_id, [DONE])

    async def read(log, stream_id, start_s, pause_s):
        await asyncio.sleep(start_s)
        seen, after, ended = [], 0, False
        while not ended:
            batch = await log.read(stream_id, after, 1.5)
            seen += [event.id for event in events_of(batch)]
            after, ended = batch.last, batch.ended
            await asyncio.sleep(pause_s)
        return seen

    async def run():
        log = make_log()
        stream_id = await created(log)
        _, *seen = await asyncio.gather(produce(log, stream_id), *[read(log, stream_id, *each) for each in readers])
        total = sum(count for _, count in appends) + 1
        assert seen == [[f"{stream_id}:{seq}" for seq in range(1, total + 1)]] * len(readers)

    virtual(run())


def test_a_stream_is_unread_while_nobody_waits_for_it(virtual, make_log):
    async def run():
        now = [0.0]
        log = make_log(now)
        stream_id = await created(log)
        now[0] = 7.0
        assert (await log.info(stream_id)).unread_s == 7.0
        reading = asyncio.create_task(log.read(stream_id, 0, 1e6))
        await asyncio.sleep(0)
        now[0] = 50.0
        assert (await log.info(stream_id)).unread_s == 0.0
        reading.cancel()
        await asyncio.wait({reading})
        now[0] = 53.0
        assert (await log.info(stream_id)).unread_s == 3.0

    virtual(run())


def test_a_reader_that_waits_at_an_expired_stream_is_told(virtual, make_log):
    async def run():
        now = [0.0]
        log = make_log(now, expire_s=60)
        stream_id = await created(log)
        await log.append(stream_id, [DONE])
        assert (await log.read(stream_id, 1, 1e6)).ended
        now[0] = 61.0
        await log.expire()
        with pytest.raises(ExpiredStreamError):
            await log.read(stream_id, 1, 1e6)

    virtual(run())


def test_only_so_many_expired_ids_are_remembered(virtual, make_log, monkeypatch):
    monkeypatch.setattr("sse_server.log.memory.REMEMBERED", 3)

    async def run():
        now = [0.0]
        log = make_log(now, expire_s=1)
        ids = []
        for turn in range(5):
            ids.append(await created(log, f"k{turn}"))
            await log.append(ids[-1], [DONE])
            now[0] += 1.0
            await log.expire()
        for stream_id, error in zip(ids, [UnknownStreamError] * 2 + [ExpiredStreamError] * 3, strict=True):
            with pytest.raises(error):
                await log.info(stream_id)
        assert (await log.create(META, "k0"))[1] is True
        assert await log.create(META, "k4") == (ids[4], False)
        assert len(log._keys) == 4

    virtual(run())


def test_a_run_without_an_end_takes_no_more_memory_than_it_may(virtual, tracked_memory):
    async def run():
        log = MemoryLog(asyncio.get_running_loop().time, max_bytes=4 << 20)
        stream_id = await created(log)
        origin = Origin(1, 2, 3)
        with tracked_memory() as growth:
            for _ in range(250):
                await log.append(stream_id, [delta("x" * 500)] * 100, [origin] * 100)
        assert growth.peak_bytes < 6 << 20
        info = await log.info(stream_id)
        assert info.last == 25_000
        assert info.first > 15_000

    virtual(run())


def test_what_went_for_its_size_is_told_by_the_next_sweep(virtual, make_log):
    async def run():
        log = make_log(max_bytes=10_000)
        first, second = await created(log), await created(log)
        await log.append(first, [delta("x" * 6000), DONE])
        await log.append(second, [delta("x" * 6000)])
        with pytest.raises(ExpiredStreamError):
            await log.info(first)
        assert list(await log.expire()) == [first]
        assert list(await log.expire()) == []

    virtual(run())
