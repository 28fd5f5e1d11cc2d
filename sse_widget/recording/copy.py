"""Writes the tape of a run into a file, live while the run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sse_widget.cassette import Cassette
from sse_widget.errors import CassetteError
from sse_widget.loop import result_of, submit
from sse_widget.protocol.cassette import Encoder
from sse_widget.recording.recording import placed

if TYPE_CHECKING:
    import os
    from collections.abc import Generator
    from concurrent.futures import Future
    from typing import IO

    from sse_widget.protocol.cassette import Header
    from sse_widget.recording.tape import Tape


class Copy:
    """A recording of a run that is being written: `await` it, or `wait()` where there is no event loop.

    Either gives the Cassette once the run is over, and raises CassetteError when the server never answered it, OSError
    when the file cannot be written. The file grows while the run goes on, whether anyone waits or not.
    """

    def __init__(self, tape: Tape, path: str | os.PathLike[str], *, question: str = "", title: str = "") -> None:
        self.path = placed(Path(path))
        self._labels = {"question": question, "title": title}
        self.future: Future[Cassette] = submit(self._write(tape))

    def wait(self, timeout_s: float | None = None) -> Cassette:
        """Block until the run is over and all is written. Raises TimeoutError, besides what the class says."""
        return self.future.result(timeout_s)

    def __await__(self) -> Generator[Any, None, Cassette]:
        return result_of(self.future).__await__()

    def __repr__(self) -> str:
        error = self.future.exception() if self.future.done() else None
        return f"<recording {self.path}: {error or ('written' if self.future.done() else 'being written')}>"

    async def _write(self, tape: Tape) -> Cassette:
        while tape.header is None:
            if tape.how is not None:
                raise CassetteError("there is nothing to record: the server never answered this run")
            await tape.change()
        header = msgspec.structs.replace(tape.header, **self._labels)
        edits = -1
        with self.path.open("wb") as file:
            while edits != tape.edits:
                edits = tape.edits
                file.seek(0)
                file.truncate()
                await _follow(tape, header, file)
        return Cassette.load(self.path)


async def _follow(tape: Tape, header: Header, file: IO[bytes]) -> None:
    """Write until the run is over, or something written is taken back."""
    encoder, edits, written = Encoder(header), tape.edits, 0
    file.write(encoder.header)
    while edits == tape.edits:
        file.writelines(encoder.read(read) for read in tape.reads[written:])
        written = len(tape.reads)
        if tape.how is not None:
            file.write(encoder.end(tape.how, tape.end_us))
            return
        file.flush()
        await tape.change()
