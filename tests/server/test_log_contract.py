"""One contract suite over every EventLog: what is appended is read, in order, once, by everyone, from anywhere.

A log joins it by a class in `LOGS`: `make` gives a log with a clock of the test's, and, where processes share a store,
`twin` gives another process's log of the same store.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from contextlib import aclosing

import pytest

from rig.redis import RedisServer, redis_server
from rig.serving import PATIENCE_S
from sse_server.log.base import (
    ExpiredStreamError,
    LogSize,
    LogUnavailableError,
    LostLeaseError,
    Origin,
    SizedLog,
    Stop,
    StreamMeta,
    TrimmedStreamError,
    Tune,
    UnknownStreamError,
)
from sse_server.log.bounds import BATCH_BYTES, MAX_TEXT_BYTES
from sse_server.log.memory import MemoryLog
from sse_server.log.redis import RedisLog
from sse_server.log.sqlite import SqliteLog
from sse_widget.protocol.events import text_of
from sse_widget.protocol.sse import Event, Parser

META = StreamMeta("owner", "model", "talk")
DONE = Event("done", '{"reason":"stop","tokens":0,"chars":0,"crc32":0}')
LOST = Event("error", '{"code":"producer_lost"}')
GONE = (UnknownStreamError, ExpiredStreamError, TrimmedStreamError)


class Memory:
    """Logs in this process."""

    def __init__(self, _):
        self.now = [1000.0]

    def make(self, **options):
        return MemoryLog(lambda: self.now[0], **options)


class Sqlite:
    """Logs in one file."""

    def __init__(self, folder):
        self.now = [1000.0]
        self._path = folder / "logs" / "events.db"

    def make(self, **options):
        return SqliteLog(self._path, lambda: self.now[0], lambda: int(self.now[0] * 1e9), **options)

    twin = make


class Redis:
    """Logs in one Redis, which each test finds empty."""

    server: RedisServer

    def __init__(self, _):
        self.now = [1000.0]
        self.server.say("FLUSHALL")

    def make(self, **options):
        return RedisLog(self.server.url, lambda: self.now[0], now=lambda: self.now[0], **options)

    twin = make


@pytest.fixture(scope="module", autouse=True)
def running_redis(tmp_path_factory):
    with redis_server(tmp_path_factory.mktemp("redis")) as Redis.server:
        yield


LOGS = {"memory": Memory, "sqlite": Sqlite, "redis": Redis}
SHARED = {name: kind for name, kind in LOGS.items() if hasattr(kind, "twin")}


class Bench:
    """The logs of one test, on one store with one clock."""

    def __init__(self, store):
        self._store = store
        self._made = []

    @property
    def now(self):
        return self._store.now[0]

    @now.setter
    def now(self, value):
        self._store.now[0] = value

    def log(self, **options):
        self._made.append(self._store.make(**options))
        return self._made[-1]

    def twin(self, **options):
        self._made.append(self._store.twin(**options))
        return self._made[-1]

    async def close(self):
        for log in self._made:
            await log.close()


@pytest.fixture(params=LOGS)
async def bench(request, tmp_path, complaints):
    made = Bench(LOGS[request.param](tmp_path))
    yield made
    await made.close()


@pytest.fixture(params=SHARED)
async def shared(request, tmp_path, complaints):
    made = Bench(SHARED[request.param](tmp_path))
    yield made
    await made.close()


def delta(text):
    return Event("delta", f'{{"text":"{text}"}}')


def events_of(batch):
    return Parser().feed(b"".join(batch.frames))


def seqs_of(events):
    return [int(event.id.rpartition(":")[2]) for event in events]


async def created(log, key="", owner="owner"):
    return (await log.create(StreamMeta(owner, "model", "talk"), key))[0]


async def whole(log, stream_id, after=0, wait_s=PATIENCE_S):
    """Return all events from a place to the end."""
    events, ended = [], False
    async with asyncio.timeout(PATIENCE_S):
        while not ended:
            batch = await log.read(stream_id, after, wait_s)
            assert batch.first == after + 1
            assert batch.last == after + len(batch.frames)
            events += events_of(batch)
            after, ended = batch.last, batch.ended
    return events


async def until_reading(log, stream_id, count=1):
    """Return once so many reads of a stream are under way: what they see of the future is decided by then."""
    for _ in range(20):
        await asyncio.sleep(0)
    await log.info(stream_id)


async def error_of(call):
    try:
        await call
    except GONE as error:
        return type(error)
    return None


async def test_events_are_numbered_without_gaps_and_carry_their_ids(bench):
    log = bench.log()
    stream_id = await created(log)
    assert await log.append(stream_id, [Event("start", "{}")]) == 1
    assert await log.append(stream_id, [delta("a"), delta("ب"), delta("line\u2028\\n🔧")]) == 4
    assert await log.append(stream_id, []) == 4
    batch = await log.read(stream_id, 0, 0)
    events = events_of(batch)
    assert [event.id for event in events] == [f"{stream_id}:{seq}" for seq in (1, 2, 3, 4)]
    assert [event.event for event in events] == ["start", "delta", "delta", "delta"]
    assert text_of(events[-1].data) == "line\u2028\n🔧"
    assert (batch.first, batch.last, batch.ended) == (1, 4, False)


async def test_a_read_gives_all_that_follows(bench):
    log = bench.log()
    stream_id = await created(log)
    await log.append(stream_id, [delta(str(n)) for n in range(5)])
    for after in range(5):
        batch = await log.read(stream_id, after, 0)
        assert seqs_of(events_of(batch)) == list(range(after + 1, 6))
        assert (batch.first, batch.last) == (after + 1, 5)
    empty = await log.read(stream_id, 5, 0)
    assert (empty.frames, empty.last, empty.ended) == ((), 5, False)


async def test_a_read_waits_for_the_first_event(bench):
    log = bench.log()
    stream_id = await created(log)
    assert (await log.read(stream_id, 0, 0.01)).frames == ()
    reading = asyncio.create_task(log.read(stream_id, 0, PATIENCE_S))
    await until_reading(log, stream_id)
    assert not reading.done()
    await log.append(stream_id, [delta("x")])
    assert len((await reading).frames) == 1


async def test_the_terminal_event_ends_the_stream_for_all_readers(bench):
    log = bench.log()
    stream_id = await created(log)
    readers = [asyncio.create_task(log.read(stream_id, 0, PATIENCE_S)) for _ in range(20)]
    await until_reading(log, stream_id)
    await log.append(stream_id, [delta("x"), DONE])
    batches = await asyncio.gather(*readers)
    assert all(batch.ended and batch.last == 2 for batch in batches)
    assert len({id(frame) for batch in batches for frame in batch.frames}) == 2, "frames are encoded once"
    late = await log.read(stream_id, 2, PATIENCE_S)
    assert (late.frames, late.ended) == ((), True)
    assert seqs_of(await whole(log, stream_id)) == [1, 2]


@pytest.mark.parametrize("last", [DONE, Event("error", "{}")], ids=["done", "error"])
async def test_nothing_follows_the_terminal_event(bench, last):
    log = bench.log()
    stream_id = await created(log)
    await log.append(stream_id, [last])
    for events in ([delta("x")], [DONE, delta("x")]):
        with pytest.raises(ValueError, match="has ended"):
            await log.append(stream_id, events)
    other = await created(log)
    with pytest.raises(ValueError, match="has ended"):
        await log.append(other, [delta("y"), last, delta("x")])
    assert (await log.info(stream_id)).last == 1


async def test_a_cancelled_read_takes_nothing_with_it(bench):
    log = bench.log()
    stream_id = await created(log)
    for turn in range(12):
        reading = asyncio.create_task(log.read(stream_id, turn, PATIENCE_S))
        for _ in range(turn % 4):
            await asyncio.sleep(0)
        if turn % 2:
            reading.cancel()
            await log.append(stream_id, [delta(str(turn))])
        else:
            await log.append(stream_id, [delta(str(turn))])
            reading.cancel()
        await asyncio.wait({reading})
        assert [event.data for event in events_of(await log.read(stream_id, turn, 0))] == [delta(str(turn)).data]


async def test_a_cancelled_append_is_carried_out_before_the_next(bench):
    log = bench.log()
    stream_id = await created(log)
    for turn in range(10):
        appending = asyncio.create_task(log.append(stream_id, [delta(f"a{turn}")]))
        await asyncio.sleep(0)
        appending.cancel()
        await log.append(stream_id, [delta(f"b{turn}")])
    await log.append(stream_id, [DONE])
    texts = [text_of(event.data) for event in (await whole(log, stream_id))[:-1]]
    assert texts == [f"{letter}{turn}" for turn in range(10) for letter in "ab"]


@pytest.mark.parametrize("seed", range(5))
async def test_every_reader_sees_every_event_once_whatever_the_timing(bench, seed):
    dice = random.Random(seed)
    log = bench.log()
    streams = [await created(log) for _ in range(4)]
    totals = dict.fromkeys(streams, 0)

    async def pause():
        for _ in range(dice.choice([0, 0, 1, 3, 20])):
            await asyncio.sleep(0)

    async def produce(stream_id):
        for _ in range(40):
            count = dice.randrange(4)
            totals[stream_id] += count
            await log.append(stream_id, [delta("x" * dice.randrange(50))] * count)
            await pause()
        await log.append(stream_id, [DONE])

    async def read(stream_id):
        await pause()
        after, seen, ended = 0, [], False
        while not ended:
            reading = asyncio.create_task(log.read(stream_id, after, dice.choice([0, 0.001, PATIENCE_S])))
            await pause()
            if dice.random() < 0.2:
                reading.cancel()
                await asyncio.wait({reading})
                continue
            batch = await reading
            seen += seqs_of(events_of(batch))
            after, ended = batch.last, batch.ended
            await pause()
        return stream_id, seen

    async with asyncio.timeout(PATIENCE_S):
        results = await asyncio.gather(*map(read, streams * 4), *map(produce, streams))
    for stream_id, seen in results[: 4 * len(streams)]:
        assert seen == list(range(1, totals[stream_id] + 2))


async def test_a_batch_is_bounded_and_the_next_read_goes_on_behind_it(bench):
    log = bench.log()
    stream_id = await created(log)
    await log.append(stream_id, [delta("x" * 1000)] * 2000 + [DONE])
    after, sizes, ended = 0, [], False
    while not ended:
        batch = await log.read(stream_id, after, 0)
        assert batch.first == after + 1
        after, ended = batch.last, batch.ended
        sizes.append(sum(map(len, batch.frames)))
    assert after == 2001
    assert max(sizes) < BATCH_BYTES + 2000
    assert len(sizes) > 7


async def test_one_event_larger_than_a_batch_is_read(bench):
    log = bench.log()
    stream_id = await created(log)
    await log.append(stream_id, [delta("x" * (BATCH_BYTES + 1)), DONE])
    assert (await log.read(stream_id, 0, 0)).last == 1
    assert (await log.read(stream_id, 1, 0)).ended


async def test_the_same_owner_and_key_give_the_same_stream(bench):
    log = bench.log()
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


async def test_many_who_create_at_once_with_one_key_get_one_stream(bench):
    log = bench.log()
    made = await asyncio.gather(*[log.create(META, "k") for _ in range(20)])
    assert len({stream_id for stream_id, _ in made}) == 1
    assert sum(is_new for _, is_new in made) == 1


async def test_info_tells_where_a_stream_stands(bench):
    log = bench.log()
    stream_id = (await log.create(META, "k"))[0]
    info = await log.info(stream_id)
    assert (info.stream_id, info.meta, info.first, info.last, info.ended) == (stream_id, META, 1, 0, False)
    assert (info.text, info.text_seq, info.text_whole) == ("", 0, True)
    await log.append(stream_id, [Event("start", "{}"), delta("مر"), delta("حبا"), Event("metadata", "{}")])
    for _ in range(2):
        info = await log.info(stream_id)
        assert (info.last, info.text, info.text_seq, info.ended) == (4, "مرحبا", 3, False)
    await log.append(stream_id, [delta(" x"), DONE])
    info = await log.info(stream_id)
    assert (info.last, info.text, info.text_seq, info.ended) == (6, "مرحبا x", 5, True)


async def test_a_stream_is_unread_while_nobody_waits_for_it(bench):
    log = bench.log()
    stream_id = await created(log)
    bench.now += 7.0
    assert (await log.info(stream_id)).unread_s == await log.unread_s(stream_id) == 7.0
    reading = asyncio.create_task(log.read(stream_id, 0, PATIENCE_S))
    await until_reading(log, stream_id)
    bench.now += 43.0
    assert (await log.info(stream_id)).unread_s == await log.unread_s(stream_id) == 0.0
    reading.cancel()
    await asyncio.wait({reading})
    bench.now += 3.0
    assert (await log.info(stream_id)).unread_s == await log.unread_s(stream_id) == 3.0


async def test_unknown_streams(bench):
    log = bench.log()
    for call in (
        log.read("0" * 32, 0, 0),
        log.read("0" * 32, 0, PATIENCE_S),
        log.info("0" * 32),
        log.unread_s("0" * 32),
        log.append("0" * 32, [delta("x")]),
        log.command("0" * 32, Stop("stopped")),
        log.traces("0" * 32, 1, 1),
    ):
        with pytest.raises(UnknownStreamError):
            await call
    await log.delete("0" * 32)


async def test_commands_reach_the_producer_in_their_order_also_when_sent_before_it_listens(bench):
    log = bench.log()
    stream_id = await created(log)
    sent = [Tune({"delay_ms": 5.0, "flush_on_punctuation": False}), Stop("unread_limit", 3.0), Stop("stopped")]
    await log.command(stream_id, sent[0])

    async def listen():
        async with aclosing(log.commands(stream_id)) as commands:
            return [await anext(commands) for _ in sent]

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)
    for command in sent[1:]:
        await log.command(stream_id, command)
    async with asyncio.timeout(PATIENCE_S):
        assert await listening == sent


async def test_stamps_are_kept_with_their_events(bench):
    log = bench.log()
    stream_id = await created(log)
    bench.now = 2.0
    await log.append(stream_id, [Event("start", "{}"), delta("a"), delta("b")], [None, Origin(1, 2, 3)])
    await log.append(stream_id, [delta("c"), DONE], [Origin(4, 5, 6)])
    first, second, third, fourth, last = await log.traces(stream_id, 1, 5)
    assert (first, third, last) == (None, None, None)
    assert (second.model_first, second.model_last, second.chunk, second.append) == (1, 2, 3, 2_000_000_000)
    assert (fourth.model_first, fourth.model_last, fourth.chunk) == (4, 5, 6)
    assert list(await log.traces(stream_id, 2, 4)) == [second, third, fourth]


async def test_a_deleted_stream_is_unknown_and_its_key_free(bench):
    log = bench.log()
    stream_id = await created(log, "k")
    await log.append(stream_id, [delta("x")])
    reading = asyncio.create_task(log.read(stream_id, 1, PATIENCE_S))
    await until_reading(log, stream_id)
    await log.delete(stream_id)
    with pytest.raises(GONE):
        await reading
    for call in (log.read(stream_id, 0, 0), log.append(stream_id, [delta("x")]), log.info(stream_id)):
        with pytest.raises(UnknownStreamError):
            await call
    assert (await log.create(META, "k"))[1] is True


async def test_a_finished_stream_expires_with_age_and_a_running_one_never(bench):
    log = bench.log(expire_s=60)
    finished, running = await created(log, "k"), await created(log)
    await log.append(finished, [DONE])
    began = bench.now
    for passed_s in (0.0, 59.0):
        bench.now = began + passed_s
        assert await log.expire() == type(await log.expire())()
        assert (await log.info(finished)).ended
    bench.now = began + 60.0
    assert list(await log.expire()) == [finished]
    for call in (log.info(finished), log.read(finished, 0, 0), log.append(finished, []), log.traces(finished, 1, 1)):
        with pytest.raises(ExpiredStreamError) as raised:
            await call
        assert raised.value.owner == "owner"
    bench.now = began + 1e6
    assert list(await log.expire()) == []
    assert not (await log.info(running)).ended
    assert await log.create(META, "k") == (finished, False), "the key of an expired answer asks nothing again"


async def test_too_many_bytes_drop_the_finished_that_ended_first(bench):
    log = bench.log(max_bytes=100_000)
    running = await created(log)
    await log.append(running, [delta("r" * 1000)])
    finished = [await created(log) for _ in range(5)]
    for stream_id in reversed(finished):
        bench.now += 1.0
        await log.append(stream_id, [delta("f" * 12_000), DONE])
    await log.expire()
    kept = [await error_of(log.info(stream_id)) for stream_id in finished]
    gone = kept.count(ExpiredStreamError)
    assert 0 < gone < 5
    assert kept == [None] * (5 - gone) + [ExpiredStreamError] * gone
    await log.append(running, [delta("r" * 80_000)])
    await log.expire()
    assert (await log.info(running)).last == 2
    assert [await error_of(log.info(stream_id)) for stream_id in finished] == [ExpiredStreamError] * 5


async def test_the_oldest_events_of_a_stream_that_never_ends_are_trimmed(bench):
    log = bench.log(max_bytes=100_000)
    endless, small = await created(log), await created(log)
    await log.append(small, [delta("s")])
    for _ in range(30):
        await log.append(endless, [delta("e" * 100)] * 50)
        await log.expire()
    info = await log.info(endless)
    assert info.last == 1500
    assert 1000 < info.first < 1500
    for after in (0, 500):
        with pytest.raises(TrimmedStreamError):
            await log.read(endless, after, 0)
    await log.append(endless, [DONE])
    assert seqs_of(await whole(log, endless, info.first - 1)) == list(range(info.first, 1502))
    assert seqs_of(events_of(await log.read(small, 0, 0))) == [1], "who keeps to its share loses nothing"
    assert list(await log.traces(endless, info.first, info.first + 1)) == [None, None]


async def test_a_text_outlives_the_events_it_came_in_or_is_said_not_to_be_there(bench):
    log = bench.log(max_bytes=200_000)
    stream_id = await created(log)
    words = (f"{n} " for n in itertools.count())
    said, whole_texts = "", 0
    for _ in range(40):
        batch = list(itertools.islice(words, 200))
        said += "".join(batch)
        await log.append(stream_id, [delta(word) for word in batch])
        await log.expire()
        info = await log.info(stream_id)
        if info.text_whole:
            assert (info.text, info.text_seq) == (said, info.last)
            assert info.text_seq >= info.first - 1
            whole_texts += info.first > 1
        else:
            assert (info.text, info.text_seq) == ("", 0)
    assert whole_texts > 0, "a text that fits stays, though its first events are gone"
    assert len(said.encode()) < 100_000
    await log.append(stream_id, [delta("x" * 1000)] * 200)
    await log.expire()
    assert not (await log.info(stream_id)).text_whole
    await log.append(stream_id, [delta("more")])
    assert (await log.info(stream_id)).text == "", "never a part of a text as if it were the whole"


async def test_a_text_that_no_client_would_take_is_not_kept(bench):
    log = bench.log()
    stream_id = await created(log)
    await log.append(stream_id, [delta("x" * (MAX_TEXT_BYTES - 1000))])
    assert len((await log.info(stream_id)).text) == MAX_TEXT_BYTES - 1000
    await log.append(stream_id, [delta("y" * 2000)])
    info = await log.info(stream_id)
    assert (info.text, info.text_seq, info.text_whole) == ("", 0, False)


async def test_a_log_tells_how_much_it_holds(bench):
    log = bench.log(max_bytes=1 << 20, expire_s=60.0)
    assert isinstance(log, SizedLog)
    assert await log.size() == LogSize(0, 0)
    ended, running = await created(log), await created(log)
    await log.append(ended, [delta("x" * 1000), DONE])
    before = await log.size()
    assert before.streams == 2
    assert 1000 < before.bytes < 4000
    await log.append(running, [delta("y" * 500)])
    assert 500 < (await log.size()).bytes - before.bytes < 2000
    bench.now += 61.0
    assert list(await log.expire()) == [ended]
    assert (await log.size()).streams == 1
    await log.delete(running)
    assert await log.size() == LogSize(0, 0)


async def test_the_end_frees_nothing_that_readers_still_want(bench):
    log = bench.log()
    stream_id = await created(log)
    await log.append(stream_id, [delta("x")] * 10 + [DONE])
    assert list(await log.expire()) == []
    assert seqs_of(await whole(log, stream_id)) == list(range(1, 12))


async def test_the_own_lease_is_prolonged_and_reaping_takes_nothing_that_is_held(bench):
    log = bench.log()
    stream_id = await created(log)
    for _ in range(10):
        bench.now += log.lease_s * 0.6 if log.lease_s < 1e9 else 3.0
        assert list(await log.renew([stream_id])) == []
        assert list(await log.reap(LOST)) == []
    await log.append(stream_id, [DONE])
    bench.now += 1e5
    assert list(await log.renew([stream_id])) == []
    assert list(await log.reap(LOST)) == []
    assert [event.event for event in await whole(log, stream_id)] == ["done"]


async def test_a_stream_that_is_gone_has_no_lease(bench):
    log = bench.log()
    stream_id = await created(log)
    await log.delete(stream_id)
    assert list(await log.renew([stream_id])) == [stream_id]


async def test_another_process_reads_on_where_a_reader_was(shared):
    log, other = shared.log(), shared.twin()
    stream_id = await created(log, "k")
    await log.append(stream_id, [delta("a"), delta("b")])
    assert await other.create(META, "k") == (stream_id, False)
    assert seqs_of(events_of(await other.read(stream_id, 1, 0))) == [2]
    reading = asyncio.create_task(whole(other, stream_id, 2))
    for letter in "cde":
        await log.append(stream_id, [delta(letter)])
    await log.append(stream_id, [DONE])
    assert seqs_of(await reading) == [3, 4, 5, 6]
    info = await other.info(stream_id)
    assert (info.text, info.text_seq, info.ended, info.meta) == ("abcde", 5, True, META)


async def test_only_who_holds_the_lease_may_append(shared):
    log, other = shared.log(), shared.twin()
    stream_id = await created(log)
    with pytest.raises(LostLeaseError):
        await other.append(stream_id, [delta("x")])
    assert list(await other.renew([stream_id])) == [stream_id]
    assert await log.append(stream_id, [DONE]) == 1


async def test_commands_reach_the_producer_from_another_process(shared):
    log, other = shared.log(), shared.twin()
    stream_id = await created(log)
    sent = [Tune({"delay_ms": 5.0}), Stop("stopped")]
    async with asyncio.timeout(PATIENCE_S), aclosing(log.commands(stream_id)) as commands:
        for command in sent:
            await other.command(stream_id, command)
            assert await anext(commands) == command


async def test_readers_of_another_process_keep_a_stream_read(shared):
    log, other = shared.log(), shared.twin()
    stream_id = await created(log)
    shared.now += 50.0
    reading = asyncio.create_task(other.read(stream_id, 0, PATIENCE_S))
    await until_reading(other, stream_id)
    await other.renew([])
    assert (await log.info(stream_id)).unread_s == await log.unread_s(stream_id) == 0.0
    reading.cancel()
    await asyncio.wait({reading})


async def test_exactly_one_process_ends_what_has_lost_its_producer(shared):
    log, others = shared.log(), [shared.twin() for _ in range(3)]
    lost, held = await created(log), await created(others[0])
    await log.append(lost, [delta("x")])
    reading = asyncio.create_task(whole(others[1], lost))
    for passed in (0.0, 0.3, 0.3, 0.3):
        shared.now += log.lease_s * passed
        await others[0].renew([held])
        assert [list(await other.reap(LOST)) for other in others] == [[], [], []]
    shared.now += log.lease_s * 0.2
    reaped = await asyncio.gather(*[other.reap(LOST) for other in others])
    assert sorted(itertools.chain(*reaped)) == [lost]
    events = await reading
    assert [event.event for event in events] == ["delta", "error"]
    assert seqs_of(events) == [1, 2]
    with pytest.raises(LostLeaseError):
        await log.append(lost, [delta("late")])
    assert list(await log.renew([lost])) == [lost]
    assert seqs_of(await whole(log, lost)) == [1, 2], "its own process sees the end too"
    assert not (await others[0].info(held)).ended


async def test_many_processes_with_one_key_make_one_stream(shared):
    logs = [shared.log(), *[shared.twin() for _ in range(3)]]
    made = await asyncio.gather(*[log.create(META, "k") for log in logs for _ in range(5)])
    assert len({stream_id for stream_id, _ in made}) == 1
    assert sum(is_new for _, is_new in made) == 1


async def test_a_closed_log_says_that_it_cannot_be_reached(shared):
    log = shared.log()
    stream_id = await created(log)
    reading = asyncio.create_task(log.read(stream_id, 0, PATIENCE_S))
    await until_reading(log, stream_id)
    await log.close()
    await log.close()
    reading.cancel()
    await asyncio.wait({reading})
    for call in (log.info(stream_id), log.append(stream_id, [DONE]), log.create(META, "")):
        with pytest.raises(LogUnavailableError):
            await call
