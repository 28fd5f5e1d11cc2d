"""One question on its way to an answer, as the kernel sees it: started or joined, read, stopped."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from sse_widget.answer import Answer
from sse_widget.errors import ConnectError, RemoteError, SSEWidgetError
from sse_widget.loop import result_of, submit
from sse_widget.measure.measured import Measured
from sse_widget.measure.record import Reader
from sse_widget.protocol.actions import Reset
from sse_widget.protocol.events import Metadata, load
from sse_widget.recorder import Recorder
from sse_widget.recording.copy import Copy
from sse_widget.recording.tape import Tape

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Coroutine, Generator, Mapping

    from sse_widget.client import Created, Status, Stream, StreamClient
    from sse_widget.measure.spans import Received
    from sse_widget.protocol.events import TerminalState
    from sse_widget.protocol.sse import Event

MAKE_WAY_TIMEOUT_S = 3.0
"""How long the next question waits for the server to hear that this one is over."""

_GONE = frozenset({"not_found", "expired"})
_recalling: set[asyncio.Task[None]] = set()


class Run(Measured):
    """What `ask` returns: `await run`, or `run.wait()` where there is no event loop, for the Answer.

    `fault` is the fault plan of its readers, as JSON, empty without one.
    The run goes on whether anyone waits or not, also when a wait is interrupted. Its coroutines are for the loop of
    `loop.py`; everything else is safe on any thread.
    """

    def __init__(self, question: str, stream_id: str = "", *, fault: str = "") -> None:
        self.question = question
        self.stream_id = stream_id
        self.fault = fault
        self.ticket = ""
        self.future: Future[Answer] = Future()
        self._recorder = Recorder()
        self._first_tokens: int | None = None
        self._metadata: Metadata | None = None
        self._client: StreamClient | None = None
        self._stream: Stream | None = None
        self._left: SSEWidgetError | None = None
        self._changes: dict[str, Any] = {}
        self._tuning = False
        self._unwanted = asyncio.Event()
        self._changed = asyncio.Event()
        self._over = asyncio.Event()
        self._tape = Tape()

    @property
    def text(self) -> str:
        """What has arrived."""
        return self._recorder.record.text

    def seen(self, reader: str = "") -> Received:
        """See Measured; while the run goes on, of what is known so far."""
        return _seen(self._recorder, self._metadata, self._first_count(), reader)

    @property
    def state(self) -> TerminalState | None:
        """The terminal state, None while the run goes on."""
        if self.future.done() and not self.future.cancelled() and self.future.exception() is None:
            return self.future.result().state
        if self._left is not None:
            return "interrupted"
        if self._stream is not None and self._stream.state is not None:
            return self._stream.state
        return "error" if self.future.done() else None

    def wait(self, timeout_s: float | None = None) -> Answer:
        """Block until the run ends. Raises its error, or TimeoutError."""
        return self.future.result(timeout_s)

    def record(self, path: str | os.PathLike[str], *, title: str = "") -> Copy:
        """Write the run down as a cassette, live while it goes on or when it is over; `await` it for the Cassette.

        These are the bytes that this kernel got, each with its time since the question was sent, from the beginning
        whenever this is called. `header.offsets` is "log" for a run that was begun elsewhere, such as in a page's ask
        box: what the log held of it when the kernel came to it then has the time at which it was read. Of a cut, half
        an event is left out; what the next connection brought follows. Neither token nor ticket is stored.
        Raises FileNotFoundError or IsADirectoryError where no file can be; what waiting raises, `Copy` says.
        """
        return Copy(self._tape, path, question=self.question, title=title)

    def __await__(self) -> Generator[Any, None, Answer]:
        return result_of(self.future).__await__()

    def __repr__(self) -> str:
        return f"<run {self.stream_id or 'not started'}: {self.state or 'running'}, {len(self.text)} characters>"

    def stop(self) -> Future[None]:
        """End the run. The future says when the server has heard it; nobody needs to wait."""
        return submit(self.halt())

    async def reach(self, characters: int) -> str:
        """Wait until so many characters have arrived, or the run is over, and return the text so far."""
        await asyncio.wrap_future(submit(self._reached(characters)))
        return self.text

    async def carry(self, answering: Coroutine[Any, Any, Answer]) -> None:
        """Await the answer and hand it to whoever waits."""
        try:
            self.future.set_result(await answering)
        except asyncio.CancelledError:
            self.future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the asker's
            self.future.set_exception(error)
        finally:
            self._tape.finish("left" if self.state == "closed" else "cut")
            self._over.set()
            self._changed.set()

    async def start(self, client: StreamClient, **params: Any) -> Created | None:
        """Have the server start the run; None when it is stopped before that has answered."""
        if self._unwanted.is_set():
            return None
        # Then the first delta is one token; how many a longer one holds, the wire does not say.
        self._first_tokens = 1 if params.get("chunk_tokens") == 1 else None
        self._tape.begin(model=str(params.get("model", "")))
        creating = asyncio.ensure_future(self._create(client, params))
        stopping = asyncio.ensure_future(self._unwanted.wait())
        await asyncio.wait({creating, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not creating.done():
            task = asyncio.ensure_future(_recall(client, creating))
            _recalling.add(task)
            task.add_done_callback(_recalling.discard)
            return None
        created = await creating
        self.stream_id, self.ticket = created.stream_id, created.ticket
        return created

    async def read(self, client: StreamClient, told: Callable[[Status], None]) -> Answer:
        """Read the run to its end. Raises what ended it, unless it is done or stopped."""
        self._client = client
        if not self.stream_id:
            return self._answer("stopped")
        if self._left is not None:
            raise self._left
        stream = self._stream = client.attach(self.stream_id, fault=self.fault, trace=1).seen_by(self._tape)
        stream.on_status(lambda status: self._on_status(stream, status, told))
        if self._unwanted.is_set():
            await self.halt()
        await self.tune({})
        self._recorder.begin(client, self.stream_id)
        try:
            async for event in stream.events():
                self._tape.hear(event)
                self._take(event, stream)
        finally:
            self._recorder.end(stream.bytes_read)
        if self._stream.error is not None:
            raise self._stream.error
        state = self._stream.state
        if state not in {"done", "stopped"}:
            raise self._abandoned()
        return self._answer(state)

    def leave(self, error: SSEWidgetError) -> None:
        """Give the run up: whoever waits for it gets this error."""
        self._left = self._left or error
        if self._stream is not None:
            self._stream.disconnect()

    async def halt(self) -> None:
        """End the run at the server, also one that has not begun. Raises ConnectError when it is not reached.

        A run without an id ends here at once; the server is told when it has said which it was.
        """
        self._unwanted.set()
        if self._client is None or not self.stream_id or self.state is not None:
            return
        try:
            await self._client.stop(self.stream_id)
        except RemoteError as error:
            if error.code not in _GONE:
                raise

    async def tune(self, changes: Mapping[str, Any]) -> None:
        """Turn knobs of the run: one request at a time, the last value of each. A run that is over stays as it is.

        While the server has not said which run it is, they wait. What does not reach it holds for the next question.
        """
        self._changes |= changes
        if self._tuning or self._client is None or not self.stream_id:
            return
        self._tuning = True
        try:
            while self._changes and self.state is None:
                sending, self._changes = self._changes, {}
                with suppress(SSEWidgetError):
                    await self._client.tune(self.stream_id, **sending)
        finally:
            self._tuning = False

    async def make_way(self) -> None:
        """Stop the run and wait until its reader has ended; leave it when the server is not reached in 3 s."""
        try:
            async with asyncio.timeout(MAKE_WAY_TIMEOUT_S):
                await self.halt()
                await self._over.wait()
        except (SSEWidgetError, TimeoutError) as error:
            left = ConnectError("the run was left before its end, for the next question: its server did not answer")
            left.__cause__ = error
            self.leave(left)

    async def cut(self) -> None:
        """Drop the reader's connection; it resumes at once."""
        if self._stream is not None:
            self._stream.restart()

    def words_of(self, error: BaseException) -> tuple[str, str]:
        """Return what the widget says of an error, and its code."""
        return str(error), error.code if isinstance(error, SSEWidgetError) else SSEWidgetError.code

    def _first_count(self) -> int | None:
        return self._first_tokens

    async def _create(self, client: StreamClient, params: dict[str, Any]) -> Created:
        return await client.create(self.question, **params)

    def _on_status(self, stream: Stream, status: Status, told: Callable[[Status], None]) -> None:
        self._recorder.record.state(status.state, status.reason, status.attempt, stream.connection)
        told(status)

    def _take(self, event: Event | Reset, stream: Stream) -> None:
        if isinstance(event, Reset):
            self._recorder.record.clear()
            return
        if self._recorder.record.take(event, Reader(stream.connection, stream.receive_s, stream.parse_s)):
            self._changed.set()
        elif event.event == "metadata" and isinstance(metadata := load(event.event, event.data), Metadata):
            self._metadata = metadata

    async def _reached(self, characters: int) -> None:
        while len(self.text) < characters and not self._over.is_set():
            self._changed.clear()
            await self._changed.wait()

    def _abandoned(self) -> SSEWidgetError:
        return self._left or ConnectError("the run was left before its end")

    def _answer(self, state: TerminalState) -> Answer:
        # Not `self.seen`: answers are kept, and none is to keep the tape.
        return Answer(
            self.text,
            state=state,
            stream_id=self.stream_id,
            question=self.question,
            received=partial(_seen, self._recorder, self._metadata, self._first_count()),
            metadata=self._metadata,
        )


def _seen(recorder: Recorder, metadata: Metadata | None, first_tokens: int | None, reader: str) -> Received:
    tokens = None if metadata is None else metadata.tokens_used
    return msgspec.structs.replace(recorder.received(reader), tokens=tokens, first_tokens=first_tokens)


async def _recall(client: StreamClient, creating: asyncio.Future[Created]) -> None:
    """Stop a run that nobody wants any more, once the server has said which it is."""
    with suppress(SSEWidgetError):
        await client.stop((await creating).stream_id)
