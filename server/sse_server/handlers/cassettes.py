"""Recordings as they were: `/api/v1/stream/cassettes/NAME` answers with the recorded bytes at the recorded times."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack

from sse_server.errors import ServerError
from sse_server.faulty_line import CutError, FaultyLine
from sse_server.guards.faults import check_planned_refusal, read_fault
from sse_server.guards.validation import Range, refuse_unknown
from sse_server.handlers.base import Route, refusing
from sse_server.handlers.stream import StreamRoute
from sse_server.sources.replay import FASTEST, Pace
from sse_widget.errors import CassetteError
from sse_widget.protocol.cassette import KEPT_HEADERS, Decoder

logger = logging.getLogger(__name__)

SPEED = Range(0, FASTEST)


class CassettesHandler(Route):
    """Which recordings there are."""

    access = "start"

    @refusing
    async def get(self) -> None:
        """Answer with their names."""
        self.send_json({"cassettes": sorted(self.services.shelf.files())})


class CassetteHandler(StreamRoute):
    """Plays one recording to its connection, byte for byte, one write a read; nothing of it is logged or resumed."""

    access = "start"
    streams = ("GET",)

    @refusing
    async def get(self, name: str) -> None:
        """Play it, `speed` times as fast, 0 flat out; what was cut is cut again.

        A fault plan takes each read for a frame.
        """
        fields = self.fields()
        refuse_unknown(fields, frozenset({"speed", "fault"}), connection=False)
        plan = read_fault(fields, allowed=self.services.config.allow_faults)
        check_planned_refusal(plan, self.connection_number)
        speed = SPEED.read("speed", fields.get("speed", "1"))
        path = self.services.shelf.path(name)
        with ExitStack() as stack:
            try:
                tape = Decoder(stack.enter_context(path.open("rb")))
            except (CassetteError, OSError) as error:
                detail = error.strerror or "" if isinstance(error, OSError) else str(error)
                raise ServerError("bad_cassette", name=name, detail=detail) from error
            await self._play_to_end(tape, speed, self.faulty_line(plan, self._write_through))

    async def _play_to_end(self, tape: Decoder, speed: float, line: FaultyLine | None) -> None:
        self._begin()
        self.set_header("X-Content-Type-Options", "nosniff")
        for header, value in tape.header.headers:
            if header in KEPT_HEADERS:
                self.set_header(header, value)
        playing = self._play(tape, speed, line)
        await self.carry(playing if line is None else line.carry(playing))

    async def _play(self, tape: Decoder, speed: float, line: FaultyLine | None) -> None:
        """Write the reads at their times; raises CutError where the recording has no end of its body."""
        # Its offsets count from the request, which was here before this was reached.
        pace = Pace(speed, asyncio.get_running_loop().time() - self.request.request_time())
        await pace.until(tape.header.head_us)
        if line is None:
            await self._send(b"")
        try:
            for read in tape:
                await pace.until(read.offset_us)
                if read.data:
                    await (self._send(read.data) if line is None else line.put([read.data]))
        except CassetteError as error:
            logger.warning("a recording is damaged: %s", error)
        if tape.end is not None:
            await pace.until(tape.end.offset_us)
        if tape.end is None or tape.end.end != "ended":
            raise CutError

    async def _send(self, data: bytes) -> None:
        rest = self._write_through(data)
        if rest is not None:
            async with asyncio.timeout(self.services.config.send_timeout_s):
                await rest
