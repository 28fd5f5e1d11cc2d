"""The contract of a token source, and what is asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class ChatMessage(msgspec.Struct, frozen=True):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class ChatRequest(msgspec.Struct, frozen=True):
    """What a run asks of a model; None leaves a value to the model.

    The answer ends before the first text of `stop`: the producer sees to it, whether or not the model is told.
    With `continues` the messages go on with the conversation; else they are the whole of it.
    """

    messages: tuple[ChatMessage, ...]
    model: str
    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    continues: bool = False


class Usage(msgspec.Struct, frozen=True, gc=False):
    """What an answer cost in the model's own tokens, as it says itself; `prompt` is 0 where it says nothing of that."""

    prompt: int
    completion: int


class Token(msgspec.Struct, frozen=True, gc=False):
    """One piece of text as the model made it; `finish` on the last one, whose text may be empty, with the `usage`."""

    text: str
    finish: Literal["", "stop", "length"] = ""
    usage: Usage | None = None


class TokenSource(Protocol):
    """Something that answers. Errors are raised as ServerError with an `upstream_…` code."""

    def tokens(self, request: ChatRequest) -> AsyncGenerator[Token, None]:
        """Yield the tokens of one answer; closing the generator stops the model."""

    async def close(self) -> None:
        """Free what the source holds."""
