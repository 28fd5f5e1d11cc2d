"""What recorded streams of several kinds say, and when."""

from __future__ import annotations

import pytest

from sse_widget.protocol.cassette import Read
from sse_widget.protocol.transcript import Said, transcript

OURS = (
    "retry: 300\nevent: hello\ndata: {}\n\nevent: start\ndata: {}\n\n"
    'event: delta\ndata: {"text":"كلمة "}\n\nevent: ping\ndata: "🔧"\n\nevent: delta\ndata: {"text":"two"}\n\n'
    'event: metadata\ndata: {"model_used":"m","tokens_used":2,"elapsed_seconds":1}\n\n'
    'event: done\ndata: {"reason":"length","tokens":2,"chars":8,"crc32":1}\n\n'
)
OPENAI = (
    'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\r\n\r\n'
    'data: {"choices":[{"index":0,"delta":{"content":"كلمة "}}]}\r\n\r\n'
    'data: {"choices":[{"index":0,"delta":{"content":"two"}}]}\r\n\r\n'
    'data: {"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}\r\n\r\n'
    'data: {"choices":[],"usage":{"completion_tokens":2}}\r\n\r\n'
)
ANTHROPIC = (
    'event: message_start\ndata: {"type":"message_start","message":{}}\n\n'
    'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    '"delta":{"type":"text_delta","text":"كلمة "}}\n\nevent: ping\ndata: {"type":"ping"}\n\n'
    'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    '"delta":{"type":"text_delta","text":"two"}}\n\n'
    'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"max_tokens"}}\n\n'
    'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


def byte_by_byte(text):
    return [Read(10 * at, bytes([byte])) for at, byte in enumerate(text.encode())]


@pytest.mark.parametrize("wire", [OURS, OPENAI, ANTHROPIC])
def test_a_chat_of_a_known_kind_is_its_pieces_and_its_end(wire):
    pieces = list(transcript(byte_by_byte(wire)))
    assert [(said.text, said.end, said.plain) for said in pieces] == [
        ("كلمة ", "", False),
        ("two", "", False),
        ("", "length", False),
    ]


def test_a_piece_comes_when_its_last_byte_has_come():
    reads = byte_by_byte(OPENAI)
    for said, mark in zip(transcript(reads), ['"كلمة "}}]}\r\n\r', '"two"}}]}\r\n\r'], strict=False):
        assert said.offset_us == 10 * (len(OPENAI.partition(mark)[0].encode()) + len(mark.encode()) - 1)


def test_plain_text_is_the_data_itself():
    wire = 'data: one\n\nevent: ping\ndata: x\n\ndata: " two"\n\ndata: 3\ndata: 4\n\ndata: [DONE]\n\n'
    pieces = list(transcript([Read(5, wire.encode())]))
    assert pieces == [
        Said(5, "one", plain=True),
        Said(5, " two", plain=True),
        Said(5, "3\n4", plain=True),
        Said(5, "", "stop"),
    ]


@pytest.mark.parametrize(
    "failure",
    [
        'event: error\ndata: {"message":"full","code":"overloaded","type":"server","retryable":true}',
        'data: {"error":{"message":"full","code":500}}',
        'data: {"error":"full"}',
        'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"full"}}',
    ],
)
def test_a_failure_is_the_last_that_is_said(failure):
    wire = f'data: {{"type":"unknown"}}\n\n{failure}\n\ndata: more\n\n'
    pieces = transcript([Read(1, b'event: delta\ndata: {"text":"a"}\n\n'), Read(2, wire.encode())])
    assert list(pieces) == [Said(1, "a"), Said(2, "", failure="full")]


def test_an_event_that_comes_twice_is_said_once():
    def frame(seq, text):
        return f'event: delta\ndata: {{"text":"{text}"}}\nid: {"a" * 32}:{seq}\n\n'.encode()

    wire = frame(2, "a") + frame(2, "a") + b"event: hello\ndata: {}\n\n" + frame(2, "a") + frame(3, "b")
    assert [said.text for said in transcript([Read(1, wire)])] == ["a", "b"]
    foreign = b'id: 7\ndata: "a"\n\nid: 7\ndata: "a"\n\n'
    assert [said.text for said in transcript([Read(1, foreign)])] == ["a", "a"]
