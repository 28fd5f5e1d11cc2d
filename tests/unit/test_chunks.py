"""What the chunks of the SDKs say, made by the SDKs themselves from what their providers send."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from anthropic.types import RawMessageStreamEvent
from langchain_core.messages import AIMessage, AIMessageChunk
from openai.types import Completion
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from rig import providers
from sse_widget.errors import RemoteError
from sse_widget.protocol.chunks import Piece, piece_of

KINDS = {
    "chat.completions": (providers.chat_completions, ChatCompletionChunk, "length"),
    "responses": (providers.responses, ResponseStreamEvent, "incomplete"),
    "messages": (providers.messages, RawMessageStreamEvent, "max_tokens"),
}
TOO_NEW = {"response.newer.than.this.list", "ping"}


def chunks_of(kind, *finish):
    """Return the same stream as objects of the SDK, and as the dicts that were sent."""
    make, model, _ = KINDS[kind]
    sent = [data for _, data in make(providers.WORDS, *finish) if isinstance(data, dict)]
    adapter = TypeAdapter(model)
    return [adapter.validate_python(data) for data in sent if data.get("type") not in TOO_NEW], sent


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", [0, 1], ids=["objects", "dicts"])
def test_a_stream_says_its_text_once(kind, form):
    pieces = [piece_of(chunk) for chunk in chunks_of(kind)[form]]
    assert "".join(piece.text for piece in pieces) == providers.TEXT
    assert [piece.text for piece in pieces if piece.text] == providers.WORDS
    assert {piece.end for piece in pieces} <= {"", "stop"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", [0, 1], ids=["objects", "dicts"])
def test_a_stream_that_was_cut_off_says_so(kind, form):
    pieces = [piece_of(chunk) for chunk in chunks_of(kind, KINDS[kind][2])[form]]
    assert [piece.end for piece in pieces if piece.end] == ["length"]


def test_a_refusal_is_text():
    chunk = {"choices": [{"index": 0, "delta": {"content": None, "refusal": "I cannot."}, "finish_reason": None}]}
    assert piece_of(chunk) == Piece("I cannot.")
    assert piece_of({"type": "response.refusal.delta", "delta": "No."}) == Piece("No.")


def test_the_older_completions_are_text():
    sent = {"id": "c", "object": "text_completion", "created": 1, "model": "m"}
    choice = {"index": 0, "text": "old", "logprobs": None, "finish_reason": "length"}
    assert piece_of(Completion.model_validate({**sent, "choices": [choice]})) == Piece("old", "length")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain", "plain"),
        ("", ""),
        (["one ", "two"], "one two"),
        ([{"type": "text", "text": "block", "index": 0}], "block"),
        ([{"type": "reasoning", "reasoning": "hm"}, {"type": "tool_call_chunk", "args": "{"}, "said"], "said"),
    ],
)
@pytest.mark.parametrize("kind", [AIMessageChunk, AIMessage])
def test_langchain_messages_say_their_text(kind, content, text):
    assert piece_of(kind(content=content)) == Piece(text)
    cut = kind(content=content, response_metadata={"finish_reason": "length"})
    assert piece_of(cut) == Piece(text, "length")


@pytest.mark.parametrize(
    "chunk",
    [
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        {"type": "error", "code": "x", "message": "Overloaded", "param": None},
        {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "Overloaded"}}},
    ],
)
def test_a_failure_is_raised(chunk):
    with pytest.raises(RemoteError, match="Overloaded") as caught:
        piece_of(chunk)
    assert caught.value.code == "upstream_error"


def test_a_failure_without_a_word_is_raised_too():
    with pytest.raises(RemoteError, match="did not say why"):
        piece_of({"type": "response.failed", "response": None})


class Mine:
    def __init__(self, **fields):
        vars(self).update(fields)

    def __repr__(self):
        return "Mine!" * 30


@pytest.mark.parametrize(
    "chunk",
    [
        b"bytes",
        7,
        None,
        ("text", {}),
        {},
        {"text": "no type"},
        Mine(),
        Mine(type="of its own"),
        Mine(choices=[Mine(message="whole")]),
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": "a whole answer"}}]},
        {"type": "message", "content": [{"type": "text", "text": "a whole answer"}]},
    ],
)
def test_a_chunk_of_another_shape_is_named(chunk):
    with pytest.raises(TypeError) as caught:
        piece_of(chunk)
    said = str(caught.value)
    assert type(chunk).__name__ in said
    assert "OpenAI" in said
    assert "Anthropic" in said
    assert "LangChain" in said
    assert "sw.show(chunk.text for chunk in stream)" in said
    assert len(said) < 500


def test_chunks_are_known_without_their_packages():
    sent = json.dumps([data for _, data in providers.messages(providers.WORDS)])
    code = (
        "import json, sys\nfrom sse_widget.protocol.chunks import piece_of\n"
        f"assert ''.join(piece_of(chunk).text for chunk in json.loads({sent!r})) == {providers.TEXT!r}\n"
        "assert not {'openai', 'anthropic', 'langchain_core', 'pydantic'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
