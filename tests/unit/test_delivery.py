"""One connection's bytes: pings exactly when nothing was written, batches as they come, a deadline on every write."""

from __future__ import annotations

import asyncio
import gc

import pytest

from sse_server.counters import Counters
from sse_server.delivery import PING, Delivery, Reading
from sse_server.log.base import StreamMeta, UnknownStreamError
from sse_server.log.bounds import BATCH_BYTES
from sse_server.log.memory import MemoryLog
from sse_widget.protocol.sse import Event, Parser

DONE = Event("done", "{}")
HEARTBEAT_S = 20.0


class Reader:
    """Keeps what it gets and when; each write takes `slow_s`."""

    def __init__(self, slow_s=0.0):
        self.slow_s = slow_s
        self.got = []

    async def write(self, data):
        await asyncio.sleep(self.slow_s)
        self.got.append((asyncio.get_running_loop().time(), data))

    def write_now(self, data):
        if self.slow_s:
            return asyncio.ensure_future(self.write(data))
        self.got.append((asyncio.get_running_loop().time(), data))
        return None

    def names(self):
        return [event.event for event in Parser().feed(b"".join(data for _, data in self.got))]

    def pings(self):
        return [round(at, 6) for at, data in self.got if data == PING]


@pytest.fixture(params=[False, True], ids=["by tasks", "in place"])
def opened(request):
    async def opened(reader, **options):
        log = MemoryLog(asyncio.get_running_loop().time)
        stream_id, _ = await log.create(StreamMeta("owner", "model", ""), "")
        counters = Counters()
        write = reader.write_now if request.param else reader.write
        in_place = (lambda: write) if request.param else None
        settings = {"heartbeat_s": HEARTBEAT_S, "send_timeout_s": 30.0, "in_place": in_place, **options}
        return log, stream_id, Delivery(log, write, counters, **settings), counters

    return opened


def test_a_ping_goes_out_after_each_heartbeat_without_a_write(virtual, opened):
    async def run():
        reader = Reader()
        log, stream_id, delivery, counters = await opened(reader)
        running = asyncio.create_task(delivery.run(Reading(stream_id, 0)))
        await asyncio.sleep(70)
        await log.append(stream_id, [DONE])
        await running
        assert reader.pings() == [20, 40, 60]
        assert counters.pings == 3
        assert counters.writes == 4
        assert counters.bytes_written == sum(len(data) for _, data in reader.got)

    virtual(run())


def test_every_write_starts_the_heartbeat_anew(virtual, opened):
    async def run():
        reader = Reader()
        log, stream_id, delivery, _ = await opened(reader)
        running = asyncio.create_task(delivery.run(Reading(stream_id, 0)))
        for pause_s in (19, 19.9, 19.99, 25, 19):
            await asyncio.sleep(pause_s)
            await log.append(stream_id, [Event("delta", "{}")])
        await log.append(stream_id, [DONE])
        await running
        assert reader.pings() == [round(19 + 19.9 + 19.99 + 20, 6)]

    virtual(run())


@pytest.mark.parametrize(("slow_s", "dropped"), [(1, 0), (4.9, 0), (5.1, 2)], ids=["prompt", "in time", "late"])
def test_a_heartbeat_counts_as_dropped_when_it_is_a_quarter_late(virtual, slow_s, dropped, opened):
    async def run():
        log, stream_id, delivery, counters = await opened(Reader(slow_s=slow_s))
        running = asyncio.create_task(delivery.run(Reading(stream_id, 0)))
        await asyncio.sleep(2.9 * HEARTBEAT_S)
        await log.append(stream_id, [DONE])
        await running
        assert (counters.pings_due, counters.pings, counters.pings_dropped) == (2, 2, dropped)

    virtual(run())


def test_a_heartbeat_that_nobody_takes_is_dropped_and_its_reader_counts_as_slow(virtual, opened):
    async def run():
        _, stream_id, delivery, counters = await opened(Reader(slow_s=1e9))
        with pytest.raises(TimeoutError):
            await delivery.run(Reading(stream_id, 0))
        assert (counters.pings_due, counters.pings, counters.pings_dropped, counters.slow_readers) == (1, 0, 1, 1)

    virtual(run())


def test_the_ping_is_the_one_of_the_contract():
    assert 'event: ping\ndata: "🔧"\n\n'.encode() == PING


def test_what_gathered_goes_out_in_one_write(virtual, opened):
    async def run():
        reader = Reader()
        log, stream_id, delivery, _ = await opened(reader)
        await log.append(stream_id, [Event("delta", "{}")] * 50)
        running = asyncio.create_task(delivery.run(Reading(stream_id, 10)))
        await asyncio.sleep(1)
        await log.append(stream_id, [Event("delta", "{}"), DONE])
        await running
        assert len(reader.got) == 2
        assert reader.names() == ["delta"] * 41 + ["done"]

    virtual(run())


def test_what_came_while_a_slow_reader_was_written_to_follows_whole(virtual, opened):
    async def run():
        reader = Reader(slow_s=3)
        log, stream_id, delivery, _ = await opened(reader)
        running = asyncio.create_task(delivery.run(Reading(stream_id, 0)))
        for number in range(20):
            await log.append(stream_id, [Event("delta", str(number))])
            await asyncio.sleep(1)
        await log.append(stream_id, [DONE])
        await running
        events = Parser().feed(b"".join(data for _, data in reader.got))
        assert [event.data for event in events[:-1]] == [str(number) for number in range(20)]
        assert len(reader.got) < 10

    virtual(run())


@pytest.mark.parametrize("held", [0, 3], ids=["ping", "batch"])
def test_every_write_has_a_deadline(virtual, held, opened):
    async def run():
        reader = Reader(slow_s=1e9)
        log, stream_id, delivery, _ = await opened(reader)
        await log.append(stream_id, [Event("delta", "{}")] * held)
        began = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError):
            await delivery.run(Reading(stream_id, 0))
        waited_s = asyncio.get_running_loop().time() - began
        assert waited_s == pytest.approx(30.0 if held else 50.0)

    virtual(run())


@pytest.mark.parametrize("held", [0, 2])
def test_once_ends_after_the_first_batch_or_the_first_ping(virtual, held, opened):
    async def run():
        reader = Reader()
        log, stream_id, delivery, _ = await opened(reader)
        await log.append(stream_id, [Event("delta", "{}")] * held)
        await delivery.run(Reading(stream_id, 0, once=True))
        assert reader.names() == (["delta"] * held or ["ping"])

    virtual(run())


def test_a_cancelled_delivery_leaves_no_reader_behind(virtual, opened):
    async def run():
        log, stream_id, delivery, _ = await opened(Reader())
        running = asyncio.create_task(delivery.run(Reading(stream_id, 0)))
        await asyncio.sleep(5)
        running.cancel()
        await asyncio.wait({running})
        await asyncio.sleep(7)
        assert (await log.info(stream_id)).unread_s == 7

    virtual(run())


def test_who_is_to_leave_gets_what_is_there_and_then_the_time_to_come_again(virtual, opened):
    async def run():
        reader = Reader(slow_s=1)
        log, stream_id, delivery, _ = await opened(reader)
        running = asyncio.create_task(delivery.run(Reading(stream_id, 0)))
        await asyncio.sleep(5)
        await log.append(stream_id, [Event("delta", "1")])
        await asyncio.sleep(0.5)
        await log.append(stream_id, [Event("delta", "2")])
        delivery.leave(4321)
        await running
        said = b"".join(data for _, data in reader.got)
        assert said.endswith(b"retry: 4321\n\n")
        assert [event.data for event in Parser().feed(said)] == ["1", "2"]

    virtual(run())


def test_who_is_to_leave_waits_no_longer_and_a_stream_that_ends_says_nothing_of_it(virtual, opened):
    async def run():
        for ending in ([], [DONE]):
            reader = Reader()
            log, stream_id, delivery, _ = await opened(reader)
            running = asyncio.create_task(delivery.run(Reading(stream_id, 0)))
            await asyncio.sleep(5)
            began = asyncio.get_running_loop().time()
            await log.append(stream_id, ending)
            delivery.leave(4321)
            await running
            assert asyncio.get_running_loop().time() == began
            assert (b"retry: 4321\n\n" in [data for _, data in reader.got]) == (not ending)
            assert reader.names() == [event.event for event in ending]

    virtual(run())


async def placed(reader):
    log = MemoryLog(asyncio.get_running_loop().time)
    stream_id, _ = await log.create(StreamMeta("", "", ""), "")
    delivery = Delivery(log, reader, Counters(), heartbeat_s=HEARTBEAT_S, send_timeout_s=30.0, in_place=lambda: reader)
    running = asyncio.create_task(delivery.run(Reading(stream_id, 0)))
    await asyncio.sleep(0)
    return log, stream_id, running


def test_in_place_an_event_is_written_before_its_append_returns(virtual):
    async def run():
        reader = Reader()
        log, stream_id, running = await placed(reader.write_now)
        for number in range(3):
            log.append_now(stream_id, [Event("delta", str(number))])
            assert len(reader.got) == number + 1
        log.append_now(stream_id, [DONE])
        await running
        assert reader.names() == ["delta"] * 3 + ["done"]

    virtual(run())


def test_a_reader_that_fails_ends_alone(virtual):
    def broken(_data):
        raise ConnectionResetError("gone")

    async def run():
        log, stream_id, running = await placed(broken)
        assert log.append_now(stream_id, [Event("delta", "1")]) == 1
        assert log.append_now(stream_id, [Event("delta", "2")]) == 2
        with pytest.raises(ConnectionResetError):
            await running

    virtual(run())


def test_a_reader_of_a_stream_that_is_deleted_hears_of_it(virtual):
    async def run():
        log, stream_id, running = await placed(Reader().write_now)
        await log.delete(stream_id)
        with pytest.raises(UnknownStreamError):
            await running

    virtual(run())


def test_in_place_large_events_follow_each_other_without_a_ping(virtual):
    async def run():
        reader = Reader()
        log, stream_id, running = await placed(reader.write_now)
        log.append_now(stream_id, [Event("delta", "x" * BATCH_BYTES)] * 3)
        for _ in range(3):
            await asyncio.sleep(0)
        assert reader.names() == ["delta"] * 3
        log.append_now(stream_id, [DONE])
        await running
        assert reader.names() == ["delta"] * 3 + ["done"]

    virtual(run())


def test_a_write_that_was_not_taken_and_is_not_waited_for_any_more_complains_to_nobody(virtual, complaints):
    async def run():
        failing = asyncio.get_running_loop().create_future()
        log, stream_id, running = await placed(lambda _data: asyncio.shield(failing))
        log.append_now(stream_id, [Event("delta", "1")])
        running.cancel()
        await asyncio.wait({running})
        failing.set_exception(ConnectionResetError("gone"))
        failing.exception()

    virtual(run())
    gc.collect()
    assert complaints == []


def test_no_write_is_larger_than_a_batch_and_an_event_however_much_is_appended_at_once(virtual, opened):
    async def run():
        reader, size = Reader(), 10_000
        log, stream_id, delivery, _ = await opened(reader)
        running = asyncio.create_task(delivery.run(Reading(stream_id, 0)))
        await asyncio.sleep(1)
        await log.append(stream_id, [Event("delta", "x" * size)] * 50)
        await log.append(stream_id, [DONE])
        await running
        assert reader.names() == ["delta"] * 50 + ["done"]
        assert max(len(data) for _, data in reader.got) < BATCH_BYTES + 2 * size

    virtual(run())


def test_whoever_has_the_whole_stream_ends_well_although_it_is_deleted_meanwhile(virtual, opened):
    async def run():
        reader = Reader(slow_s=2)
        log, stream_id, delivery, _ = await opened(reader)
        running = asyncio.create_task(delivery.run(Reading(stream_id, 0)))
        await asyncio.sleep(1)
        await log.append(stream_id, [DONE])
        await asyncio.sleep(1)
        await log.delete(stream_id)
        await running
        assert reader.names() == ["done"]

    virtual(run())


def test_whoever_is_far_behind_a_busy_stream_has_one_turn_among_the_others(virtual):
    async def run():
        log = MemoryLog(asyncio.get_running_loop().time)
        stream_id, _ = await log.create(StreamMeta("owner", "model", ""), "")
        large = Event("delta", "x" * BATCH_BYTES)
        await log.append(stream_id, [large] * 100)
        reader, written = Reader(), []
        delivery = Delivery(
            log, reader.write_now, Counters(), heartbeat_s=20, send_timeout_s=30, in_place=lambda: reader.write_now
        )
        running = asyncio.create_task(delivery.run(Reading(stream_id, 0)))
        for _ in range(40):
            before = len(reader.got)
            await log.append(stream_id, [large])
            await asyncio.sleep(0)
            written.append(len(reader.got) - before)
        assert max(written) <= 2
        await log.append(stream_id, [DONE])
        await running
        assert reader.names() == ["delta"] * 140 + ["done"]

    virtual(run())


def test_a_stream_that_goes_before_it_is_listened_to_is_said_to_be_unknown(virtual, opened):
    async def run():
        log, stream_id, delivery, _ = await opened(Reader())
        await log.delete(stream_id)
        with pytest.raises(UnknownStreamError):
            await delivery.run(Reading(stream_id, 0))

    virtual(run())
