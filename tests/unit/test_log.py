"""One contract suite over every EventLog: what is appended is read, in order, once, by everyone, from anywhere."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sse_server.log.base import (
    ExpiredStreamError,
    Stop,
    StreamMeta,
    TrimmedStreamError,
    Tune,
    UnknownStreamError,
)
from sse_server.log.memory import BATCH_BYTES, MemoryLog
from sse_widget.protocol.sse import Event, Parser

META = StreamMeta("owner", "model", "talk")
DONE = Event("done", '{"reason":"stop","tokens":0,"chars":0,"crc32":0}')
LOGS = {"memory": MemoryLog}


def delta(text):
    return Event("delta", f'{{"text":"{text}"}}')


def events_of(batch):
    return Parser().feed(b"".join(batch.frames))


def texts(batch):
    return [event.data for event in events_of(batch)]


async def is_expired(log, stream_id):
    try:
        await log.info(stream_id)
    except ExpiredStreamError:
        return True
    return False


@pytest.fixture(params=LOGS)
def make_log(request):
    """Return a factory of logs; `now` is the time on their clock."""

    def make(now=None, **options):
        times = now if now is not None else [0.0]
        return LOGS[request.param](lambda: times[0], **options)

    return make


async def created(log, key="", owner="owner"):
    return (await log.create(StreamMeta(owner, "model", "talk"), key))[0]


def test_events_are_numbered_without_gaps_and_carry_their_ids(virtual, make_log):
    async def run():
        log = make_log()
        stream_id = await created(log)
        assert await log.append(stream_id, [Event("start", "{}")]) == 1
        assert await log.append(stream_id, [delta("a"), delta("ب")]) == 3
        assert await log.append(stream_id, []) == 3
        batch = await log.read(stream_id, 0, 0)
        assert [event.id for event in events_of(batch)] == [f"{stream_id}:{seq}" for seq in (1, 2, 3)]
        assert [event.event for event in events_of(batch)] == ["start", "delta", "delta"]
        assert (batch.first, batch.last, batch.ended) == (1, 3, False)

    virtual(run())


def test_a_read_gives_all_that_follows(virtual, make_log):
    async def run():
        log = make_log()
        stream_id = await created(log)
        await log.append(stream_id, [delta(str(n)) for n in range(5)])
        for after in range(5):
            batch = await log.read(stream_id, after, 0)
            assert [event.id for event in events_of(batch)] == [f"{stream_id}:{n}" for n in range(after + 1, 6)]
            assert (batch.first, batch.last) == (after + 1, 5)
        empty = await log.read(stream_id, 5, 0)
        assert (empty.frames, empty.last, empty.ended) == ((), 5, False)

    virtual(run())


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


def test_the_terminal_event_ends_the_stream_for_all_readers(virtual, make_log):
    async def run():
        log = make_log()
        stream_id = await created(log)
        readers = [asyncio.create_task(log.read(stream_id, 0, 1e6)) for _ in range(20)]
        await asyncio.sleep(1)
        await log.append(stream_id, [delta("x"), DONE])
        batches = await asyncio.gather(*readers)
        assert all(batch.ended and batch.last == 2 for batch in batches)
        assert len({id(frame) for batch in batches for frame in batch.frames}) == 2, "frames are encoded once"
        late = await log.read(stream_id, 2, 1e6)
        assert (late.frames, late.ended) == ((), True)

    virtual(run())


@pytest.mark.parametrize("last", [DONE, Event("error", "{}")])
def test_nothing_follows_the_terminal_event(virtual, make_log, last):
    async def run():
        log = make_log()
        stream_id = await created(log)
        await log.append(stream_id, [last])
        with pytest.raises(ValueError, match="has ended"):
            await log.append(stream_id, [delta("x")])
        assert (await log.info(stream_id)).last == 1

    virtual(run())


def test_a_cancelled_read_takes_nothing_with_it(virtual, make_log):
    async def run():
        log = make_log()
        stream_id = await created(log)
        for turn in range(10):
            reading = asyncio.create_task(log.read(stream_id, turn, 1e6))
            await asyncio.sleep(0)
            if turn % 2:
                reading.cancel()
                await log.append(stream_id, [delta(str(turn))])
            else:
                await log.append(stream_id, [delta(str(turn))])
                reading.cancel()
            await asyncio.wait({reading})
            assert texts(await log.read(stream_id, turn, 0)) == [delta(str(turn)).data]
        assert (await log.info(stream_id)).unread_s == 0.0

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


def test_a_batch_is_bounded_and_the_next_read_goes_on_behind_it(virtual, make_log):
    async def run():
        log = make_log()
        stream_id = await created(log)
        text = "x" * 1000
        await log.append(stream_id, [delta(text)] * 2000 + [DONE])
        after, sizes, ended = 0, [], False
        while not ended:
            batch = await log.read(stream_id, after, 0)
            assert batch.first == after + 1
            after, ended = batch.last, batch.ended
            sizes.append(sum(map(len, batch.frames)))
        assert after == 2001
        assert max(sizes) < BATCH_BYTES + 2000
        assert len(sizes) > 7

    virtual(run())


def test_one_event_larger_than_a_batch_is_read(virtual, make_log):
    async def run():
        log = make_log()
        stream_id = await created(log)
        await log.append(stream_id, [delta("x" * (BATCH_BYTES + 1)), DONE])
        assert (await log.read(stream_id, 0, 0)).last == 1
        assert (await log.read(stream_id, 1, 0)).ended

    virtual(run())


def test_the_same_owner_and_key_give_the_same_stream(virtual, make_log):
    async def run():
        log = make_log()
        first = await log.create(META, "k")
        assert first[1] is True
        assert await log.create(META, "k") == (first[0], False)
        others = [
            await log.create(META, "l"),
            await log.create(StreamMeta("other", "m", ""), "k"),
            await log.create(META, ""),
            await log.create(META, ""),
        ]
        assert all(is_new for _, is_new in others)
        ids = {first[0], *(stream_id for stream_id, _ in others)}
        assert len(ids) == 5
        assert all(len(stream_id) == 32 for stream_id in ids)

    virtual(run())


def test_info_tells_where_a_stream_stands(virtual, make_log):
    async def run():
        now = [100.0]
        log = make_log(now)
        stream_id = (await log.create(META, "k"))[0]
        info = await log.info(stream_id)
        assert (info.stream_id, info.meta, info.last, info.ended) == (stream_id, META, 0, False)
        assert (info.text, info.text_seq) == ("", 0)
        await log.append(stream_id, [Event("start", "{}"), delta("مر"), delta("حبا"), Event("metadata", "{}")])
        info = await log.info(stream_id)
        assert (info.last, info.text, info.text_seq, info.ended) == (4, "مرحبا", 3, False)
        await log.append(stream_id, [DONE])
        assert (await log.info(stream_id)).ended

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


def test_unknown_streams(virtual, make_log):
    async def run():
        log = make_log()
        with pytest.raises(UnknownStreamError):
            await log.read("0" * 32, 0, 0)
        with pytest.raises(UnknownStreamError):
            await log.info("0" * 32)
        with pytest.raises(UnknownStreamError):
            await log.append("0" * 32, [delta("x")])
        with pytest.raises(UnknownStreamError):
            await log.command("0" * 32, Stop("stopped"))
        await log.delete("0" * 32)

    virtual(run())


def test_commands_reach_the_producer_in_their_order_also_when_sent_before_it_listens(virtual, make_log):
    async def run():
        log = make_log()
        stream_id = await created(log)
        sent = [Tune({"delay_ms": 5.0}), Stop("stopped")]
        await log.command(stream_id, sent[0])

        async def listen():
            async with aclosing(log.commands(stream_id)) as commands:
                return [await anext(commands) for _ in sent]

        listening = asyncio.create_task(listen())
        await asyncio.sleep(1)
        await log.command(stream_id, sent[1])
        assert await listening == sent

    virtual(run())


def test_a_deleted_stream_is_unknown_and_its_key_free(virtual, make_log):
    async def run():
        log = make_log()
        stream_id = await created(log, "k")
        reading = asyncio.create_task(log.read(stream_id, 0, 1e6))
        await asyncio.sleep(0)
        await log.delete(stream_id)
        with pytest.raises(TrimmedStreamError):
            await reading
        with pytest.raises(UnknownStreamError):
            await log.read(stream_id, 0, 0)
        assert (await log.create(META, "k"))[1] is True

    virtual(run())


def test_a_finished_stream_expires_with_age_and_a_running_one_never(virtual, make_log):
    async def run():
        now = [0.0]
        log = make_log(now, expire_s=60)
        finished, running = await created(log, "k"), await created(log)
        await log.append(finished, [DONE])
        for now[0] in (0.0, 59.9):
            await log.expire()
            assert (await log.info(finished)).ended
        now[0] = 60.0
        await log.expire()
        for call in (log.info(finished), log.read(finished, 0, 0), log.append(finished, [])):
            with pytest.raises(ExpiredStreamError) as raised:
                await call
            assert raised.value.owner == "owner"
        now[0] = 1e9
        await log.expire()
        assert not (await log.info(running)).ended
        assert await log.create(META, "k") == (finished, False), "the key of an expired answer asks nothing again"

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


def test_too_many_bytes_drop_the_finished_that_ended_first(virtual, make_log):
    async def run():
        now = [0.0]
        log = make_log(now, max_bytes=10_000)
        running = await created(log)
        await log.append(running, [delta("r" * 1000)])
        finished = [await created(log) for _ in range(5)]
        for stream_id in reversed(finished):
            now[0] += 1.0
            await log.append(stream_id, [delta("f" * 1000), DONE])
        await log.expire()
        assert [await is_expired(log, stream_id) for stream_id in finished] == [False] * 3 + [True] * 2
        await log.append(running, [delta("r" * 9000)])
        await log.expire()
        assert (await log.info(running)).last == 2
        with pytest.raises(ExpiredStreamError):
            await log.info(finished[0])

    virtual(run())


def test_only_so_many_expired_ids_are_remembered(virtual, make_log, monkeypatch):
    monkeypatch.setattr("sse_server.log.memory._REMEMBERED", 3)

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
