"""What an ask gives back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from sse_widget.measure.measured import Measured

if TYPE_CHECKING:
    from collections.abc import Callable

    from sse_widget.measure.spans import Received
    from sse_widget.protocol.events import Metadata, TerminalState


class Answer(Measured, str):
    """The text of an answer, with how it ended (`done` or `stopped`), its stream, its question and what it used.

    `metadata` is None when the server sent none, as for a run that was stopped. `received` is what its reader saw, and
    when; `metrics` are its figures, `frame()` its table.
    """

    __slots__ = ("_received", "metadata", "question", "state", "stream_id")

    state: TerminalState
    stream_id: str
    question: str
    metadata: Metadata | None
    _received: Received | Callable[[str], Received]

    def __new__(  # noqa: PLR0913 - all that is known of it, each by its name
        cls,
        text: str,
        *,
        state: TerminalState,
        stream_id: str,
        question: str,
        received: Received | Callable[[str], Received],
        metadata: Metadata | None = None,
    ) -> Self:
        """Make an answer of its text; a `received` that is called, with a reader, may know more later."""
        answer = super().__new__(cls, text)
        answer.state = state
        answer.stream_id = stream_id
        answer.question = question
        answer._received = received
        answer.metadata = metadata
        return answer

    def seen(self, reader: str = "") -> Received:
        """See Measured."""
        return self._received(reader) if callable(self._received) else self._received

    def __getstate__(self) -> None:
        """Leave out the state, which may be of a run that goes on: the arguments say it all."""

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        """Say how copies and pickles make it anew, of what is known now."""
        names = ("received", "metadata", "question", "state", "stream_id")
        return (str(self),), {name: getattr(self, name) for name in names}
