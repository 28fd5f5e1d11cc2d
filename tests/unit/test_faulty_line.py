"""The line between a delivery and its socket, on a clock of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sse_server.faulty_line import MAX_HELD_BYTES, CutError, FaultyLine, frames_of
from sse_widget.protocol.faults import FaultPlan

if TYPE_CHECKING:
    from collections.abc import Callable

FRAMES = [b"id: %d\ndata: %d\n\n" % (seq, seq) for seq in range(6)]


class Socket:
    """What has left, and when; a write takes `slow_s`."""

    def __init__(self, slow_s: float = 0.0) -> None:
        self.left: list[tuple[float, bytes]] = []
        self.slow_s = slow_s

    async def write(self, data: bytes) -> None:
        await asyncio.sleep(self.slow_s)
        self.left.append((asyncio.get_running_loop().time(), data))

    @property
    def data(self) -> bytes:
        return b"".join(data for _, data in self.left)


def line(socket: Socket, *steps: dict[str, Any], deadline_s: float = 30.0) -> FaultyLine:
    plan = FaultPlan.of({"seed": 1, "steps": [{"attempt": 1, **step} for step in steps]})
    return FaultyLine(plan.disturb(1), socket.write, send_timeout_s=deadline_s)


async def write_all(to: FaultyLine, gap_s: float = 0.0) -> None:
    for frame in FRAMES:
        await to.write(frame)
        await asyncio.sleep(gap_s)


def test_frames_of_a_write_are_told_apart() -> None:
    assert frames_of(b"".join(FRAMES)) == FRAMES
    assert frames_of(b"retry: 300\n" + FRAMES[0]) == [b"retry: 300\n" + FRAMES[0]]
    assert frames_of(b"") == []
    assert frames_of(FRAMES[0] + b"torn") == [FRAMES[0], b"torn"]


def test_frames_leave_at_the_times_of_the_plan_whatever_the_deadline(virtual: Callable[..., Any]) -> None:
    """Ten minutes of silence are longer than a write may take, and hold up neither the writer nor its end."""
    socket = Socket()

    async def run() -> float:
        faulty = line(socket, {"kind": "stall", "event": 2, "ms": 600_000})
        written_s = 0.0

        async def writing() -> None:
            nonlocal written_s
            await write_all(faulty, gap_s=1.0)
            written_s = asyncio.get_running_loop().time()

        await faulty.carry(writing())
        return written_s

    assert virtual(run()) == 6
    assert socket.left[0] == (0, b"")
    assert [at_s for at_s, _ in socket.left[1:]] == [0, 1, 602, 602, 602, 602]
    assert socket.data == b"".join(FRAMES)


def test_a_cut_ends_a_delivery_that_would_go_on(virtual: Callable[..., Any]) -> None:
    socket = Socket()
    ended: list[str] = []

    async def endless(to: FaultyLine) -> None:
        try:
            await write_all(to)
            await asyncio.Event().wait()
        finally:
            ended.append("delivery")

    async def run(*, clean: bool) -> None:
        faulty = line(socket, {"kind": "cut", "event": 3, "where": "before", "clean": clean})
        await faulty.carry(endless(faulty))

    with pytest.raises(CutError):
        virtual(run(clean=False))
    virtual(run(clean=True))
    assert ended == ["delivery"] * 2
    assert socket.data == b"".join(FRAMES[:3]) * 2


def test_what_is_held_back_leaves_at_the_end_but_not_at_a_break(virtual: Callable[..., Any]) -> None:
    async def broken(to: FaultyLine) -> None:
        await write_all(to)
        raise CutError

    async def run(socket: Socket, *, breaks: bool) -> None:
        faulty = line(socket, {"kind": "buffer", "event": 2, "bytes": 1 << 20})
        await faulty.carry(broken(faulty) if breaks else write_all(faulty))

    whole, cut = Socket(), Socket()
    virtual(run(whole, breaks=False))
    assert [data for _, data in whole.left[1:]] == [*FRAMES[:2], b"".join(FRAMES[2:])]
    with pytest.raises(CutError):
        virtual(run(cut, breaks=True))
    assert cut.data == b"".join(FRAMES[:2])


def test_a_reader_that_takes_nothing_is_given_up(virtual: Callable[..., Any]) -> None:
    async def run() -> None:
        faulty = line(Socket(slow_s=31), deadline_s=30)
        await faulty.carry(write_all(faulty))

    with pytest.raises(TimeoutError):
        virtual(run())


def test_a_full_line_makes_its_writer_wait(virtual: Callable[..., Any]) -> None:
    socket = Socket()
    frame = b"data: " + b"x" * (1 << 20) + b"\n\n"
    times: list[float] = []

    async def run() -> None:
        faulty = line(socket, {"kind": "stall", "event": 0, "ms": 5000})

        async def writing() -> None:
            for _ in range(6):
                await faulty.write(frame)
                times.append(asyncio.get_running_loop().time())

        await faulty.carry(writing())

    virtual(run())
    room = MAX_HELD_BYTES // len(frame)
    assert times == [0] * room + [5] * (6 - room)
    assert len(socket.data) == 6 * len(frame)


def test_a_failed_delivery_and_a_cancelled_one_leave_nothing_running(virtual: Callable[..., Any]) -> None:
    async def failing(to: FaultyLine) -> None:
        await write_all(to)
        raise ValueError("the log is gone")

    async def run() -> None:
        faulty = line(Socket())
        with pytest.raises(ValueError, match="the log is gone"):
            await faulty.carry(failing(faulty))
        stalled = line(Socket(), {"kind": "stall", "ms": 60_000})
        carrying = asyncio.create_task(stalled.carry(write_all(stalled)))
        await asyncio.sleep(1)
        carrying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await carrying
        assert asyncio.all_tasks() == {asyncio.current_task()}

    virtual(run())
