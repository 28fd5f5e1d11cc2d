"""A recording in memory, and its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from sse_widget.errors import CassetteError
from sse_widget.protocol.cassette import SUFFIX, Decoder, Encoder, End, Header, Read
from sse_widget.protocol.sse import Event, Parser
from sse_widget.protocol.transcript import transcript

if TYPE_CHECKING:
    import os

_SAMPLES = Path(__file__).with_name("cassettes")


class Cassette(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """One recorded response of an event stream: what it was, every read with its time, and how it ended.

    Offsets are microseconds from the request. `end` is None when the recorder was killed, and the recording therefore
    is not whole. The format is that of `sse_widget.protocol.cassette`.
    """

    header: Header
    reads: tuple[Read, ...]
    end: End | None = None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file. Raises CassetteError, which names the line, when it is none, and OSError as files do."""
        with Path(path).open("rb") as file:
            decoder = Decoder(file)
            reads = tuple(decoder)
        return cls(decoder.header, reads, decoder.end)

    @classmethod
    def sample(cls, name: str) -> Self:
        """Return a recording that comes with this package. Raises CassetteError, with the names that there are."""
        if name not in samples():
            raise CassetteError(f"there is no sample {name!r}; there are {', '.join(samples())}")
        return cls.load(_SAMPLES / f"{name}{SUFFIX}")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file, over one that is there; without an end if this has none."""
        encoder = Encoder(self.header)
        with Path(path).open("wb") as file:
            file.write(encoder.header)
            file.writelines(encoder.read(read) for read in self.reads)
            if self.end is not None:
                file.write(encoder.end(self.end.end, self.end.offset_us))

    @property
    def whole(self) -> bool:
        """Whether the recording reaches to its end, whatever that was."""
        return self.end is not None

    @property
    def data(self) -> bytes:
        """The body of the response."""
        return b"".join(read.data for read in self.reads)

    @property
    def duration_s(self) -> float:
        """How long it took from the request to the end, or to the last read."""
        last = self.end or (self.reads[-1] if self.reads else None)
        return (self.header.head_us if last is None else last.offset_us) / 1e6

    def events(self) -> list[Event]:
        """Return the events, of the connection's too. Raises LimitExceeded for one that is larger than 16 MiB."""
        parser = Parser()
        return [event for read in self.reads for event in parser.feed(read.data)]

    @property
    def text(self) -> str:
        """What the stream says, of ours, OpenAI's, Anthropic's, or plain text; up to a failure, if it tells of one.

        Raises LimitExceeded as `events` does.
        """
        return "".join(said.text for said in transcript(self.reads))

    def __repr__(self) -> str:
        how = self.end.end if self.end is not None else "not whole"
        name = self.header.title or self.header.url
        size = sum(len(read.data) for read in self.reads)
        return f"<Cassette {name} {self.duration_s:.2f} s, {len(self.reads)} reads, {size} bytes, {how}>"


def samples() -> list[str]:
    """Return the names of the recordings that come with this package."""
    return sorted(path.stem for path in _SAMPLES.glob(f"*{SUFFIX}"))
