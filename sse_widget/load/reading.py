"""Takes an answer down, event by event, whoever sends it: our server, or one with OpenAI's chunks. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sse_widget.errors import RemoteError, SSEWidgetError
from sse_widget.measure.spans import Received, Span
from sse_widget.protocol.actions import Reset
from sse_widget.protocol.events import Done, Metadata, load, parse_event_id
from sse_widget.protocol.transcript import said

if TYPE_CHECKING:
    from collections.abc import Callable

    from sse_widget.protocol.sse import Event

_OPENAI_END = "[DONE]"


class _Usage(msgspec.Struct):
    completion_tokens: int | None = None


class _Chunk(msgspec.Struct):
    usage: _Usage | None = None


_chunk = msgspec.json.Decoder(_Chunk).decode


class Reading:
    """One answer. `begun` when the server has said anything; `whole` when it has said that the text is at its end.

    `first_tokens`, how many tokens the first piece of text has, is known where each chunk tells its usage (vLLM's
    `continuous_usage_stats`), or when it was given.
    """

    def __init__(self, clock: Callable[[], float], first_tokens: int | None = None) -> None:
        self.begun = False
        self.whole = False
        self.failure: SSEWidgetError | None = None
        self._clock = clock
        self._asked_s = clock()
        self._spans: list[Span] = []
        self._tokens: int | None = None
        self._first_tokens = first_tokens

    def take(self, event: Event | Reset) -> None:
        """Take what comes next."""
        if isinstance(event, Reset):
            self._spans.clear()
            return
        self.begun = True
        try:
            piece = said(event)
        except RemoteError as error:
            self.failure = error
            return
        first = bool(piece.text) and not self._spans
        if piece.text:
            place = parse_event_id(event.id)
            self._spans.append(Span(place[1] if place else 0, piece.text, self._clock()))
        self.whole = self.whole or bool(piece.end)
        self._count(event, first=first)

    @property
    def text(self) -> str:
        """What came."""
        return "".join([span.text for span in self._spans])

    def received(self) -> Received:
        """Return what came, up to now."""
        return Received(
            asked_s=self._asked_s,
            spans=tuple(self._spans),
            tokens=self._tokens,
            first_tokens=self._first_tokens,
            ended_s=self._clock(),
        )

    def _count(self, event: Event, *, first: bool) -> None:
        match load(event.event, event.data):
            case Metadata(tokens_used=tokens) | Done(tokens=tokens):
                self._tokens = tokens
            case None if event.event == "message" and event.data != _OPENAI_END:
                tokens_so_far = _usage(event.data)
                if tokens_so_far is not None:
                    self._tokens = tokens_so_far
                    self._first_tokens = tokens_so_far if first else self._first_tokens
            case _:
                pass


def _usage(data: str) -> int | None:
    try:
        chunk: Any = _chunk(data)
    except msgspec.DecodeError:
        return None
    return None if chunk.usage is None else chunk.usage.completion_tokens
