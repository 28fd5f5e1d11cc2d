"""Conversations of several turns: what was asked and answered under a `conversation_id`, put before the next question.

They are kept in this process, for each principal by itself: the same id of another one is another conversation. A turn
is kept when its run has ended, also when it was stopped, with what it had said by then; one that failed leaves nothing,
for it will be asked again. A question (`q`) goes on with the conversation; a list of `messages` is the whole of it so
far, and takes the place of what was kept. Questions that are asked at once do not know of each other.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from sse_server.sources.base import ChatMessage, ChatRequest
from sse_server.sources.failure import ContextExceededError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from sse_server.sources.base import Token, TokenSource

_OVERHEAD_BYTES = 512
"""What a conversation takes beside its texts, about."""

Turn = tuple[ChatMessage, ...]


class Bounds(msgspec.Struct, frozen=True):
    """What is kept: of one conversation its latest turns and their bytes, the ones used last, and for how long.

    `conversations` is for each principal, `total_bytes` for all together. A turn larger than `bytes` is not kept.
    """

    turns: int = 20
    bytes: int = 64 << 10
    conversations: int = 100
    total_bytes: int = 64 << 20
    age_s: float = 3600.0


class Talk(msgspec.Struct, frozen=True):
    """One conversation: what the system says, the turns, their size, and when it was used last."""

    system: Turn = ()
    turns: tuple[Turn, ...] = ()
    size: int = 0
    used_s: float = 0.0


class Conversations:
    """Those of all principals, within bounds. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float], bounds: Bounds) -> None:
        self._clock = clock
        self._bounds = bounds
        self._talks: OrderedDict[tuple[str, str], Talk] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self._size = 0

    def joined(self, source: TokenSource, owner: str, conversation_id: str, request: ChatRequest) -> TokenSource:
        """Return a source for this question that knows what was said before, and has the answer kept."""
        if not conversation_id:
            return source
        before = self.recall(owner, conversation_id) if request.continues else Talk()

        def keep(answer: str) -> None:
            self.keep(owner, conversation_id, request, answer)

        return ConversingSource(source, before, keep, self._bounds.bytes)

    def recall(self, owner: str, conversation_id: str) -> Talk:
        """Return what is kept, nothing for what is not."""
        self._forget()
        return self._talks.get((owner, conversation_id), Talk())

    def keep(self, owner: str, conversation_id: str, request: ChatRequest, answer: str) -> None:
        """Add a turn that has ended, and drop what is beyond the bounds."""
        if not answer:
            return
        before = self.recall(owner, conversation_id) if request.continues else Talk()
        system = before.system + tuple(message for message in request.messages if message.role == "system")
        asked = tuple(message for message in request.messages if message.role != "system")
        turns = [*before.turns, (*asked, ChatMessage("assistant", answer))][-self._bounds.turns :]
        while turns and _size(system, *turns) > self._bounds.bytes:
            turns.pop(0)
        self._drop(owner, conversation_id)
        if turns:
            size = _size(system, *turns)
            self._talks[owner, conversation_id] = Talk(system, tuple(turns), size, self._clock())
            self._counts[owner] += 1
            self._size += size + _OVERHEAD_BYTES
        if self._counts[owner] > self._bounds.conversations:
            self._drop(*next(key for key in self._talks if key[0] == owner))
        self._forget()

    def _forget(self) -> None:
        """Drop what is too old, and beyond the bytes of all; the one used longest ago stands first."""
        oldest_s = self._clock() - self._bounds.age_s
        while self._talks:
            key, talk = next(iter(self._talks.items()))
            if talk.used_s > oldest_s and self._size <= self._bounds.total_bytes:
                return
            self._drop(*key)

    def _drop(self, owner: str, conversation_id: str) -> None:
        talk = self._talks.pop((owner, conversation_id), None)
        if talk is not None:
            self._size -= talk.size + _OVERHEAD_BYTES
            self._counts -= Counter({owner: 1})


class ConversingSource:
    """Asks a source with the turns before; has `keep` called with what it answered, up to `most_bytes` of it.

    Where all turns are more than the model can read, it is asked again without the older half of them.
    """

    def __init__(self, source: TokenSource, before: Talk, keep: Callable[[str], None], most_bytes: int) -> None:
        self._source = source
        self._before = before
        self._keep = keep
        self._most_bytes = most_bytes

    async def tokens(self, request: ChatRequest) -> AsyncGenerator[Token, None]:
        """See TokenSource.tokens."""
        said: list[str] = []
        room = self._most_bytes
        try:
            async with aclosing(self._answer(request)) as tokens:
                async for token in tokens:
                    room -= len(token.text.encode("utf-8", "replace"))
                    if room >= 0:
                        said.append(token.text)
                    yield token
        except (GeneratorExit, asyncio.CancelledError):
            self._keep("".join(said))
            raise
        if room >= 0:
            self._keep("".join(said))

    async def _answer(self, request: ChatRequest) -> AsyncGenerator[Token, None]:
        turns = self._before.turns
        while True:
            earlier = [*self._before.system, *(message for turn in turns for message in turn)]
            whole = msgspec.structs.replace(request, messages=(*earlier, *request.messages))
            try:
                async with aclosing(self._source.tokens(whole)) as tokens:
                    async for token in tokens:
                        yield token
            except ContextExceededError:
                # It comes instead of the first token.
                if not turns:
                    raise
                turns = turns[len(turns) // 2 + 1 :] if len(turns) > 1 else ()
            else:
                return

    async def close(self) -> None:
        """The source is others' as well."""


def _size(*turns: Turn) -> int:
    return sum(len(message.content.encode("utf-8", "replace")) for turn in turns for message in turn)
