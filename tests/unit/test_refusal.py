"""What the body of a refusal says: ours, problem details, foreign ones, and nothing."""

from __future__ import annotations

import pytest

from sse_widget.refusal import Refusal, read_refusal

SSE, PROBLEM, JSON = "text/event-stream; charset=utf-8", "application/problem+json", "application/json"


@pytest.mark.parametrize(
    ("content_type", "body", "said"),
    [
        (SSE, b'event: error\ndata: {"code":"forbidden","message":"No."}\n\n', Refusal("forbidden", "No.")),
        (SSE, b'event: error\ndata: {"code":"expired","message":"Gone."}', Refusal("expired", "Gone.")),
        (SSE, b"event: ping\ndata: {}\n\n", Refusal()),
        (
            PROBLEM,
            b'{"title":"Not Found","detail":"No such run.","code":"not_found"}',
            Refusal("not_found", "No such run."),
        ),
        (PROBLEM, b'{"title":"Not Found"}', Refusal("", "Not Found")),
        (JSON, b'{"error":{"message":"No such model","type":"x"}}', Refusal("", "No such model")),
        (JSON, b'{"error":"model not found"}', Refusal("", "model not found")),
        (JSON, b'{"error":{"message":null},"title":"Bad"}', Refusal("", "Bad")),
        (JSON, b"[1]", Refusal()),
        (JSON, b'{"code":7}', Refusal()),
        (JSON, b"\xff", Refusal()),
        (JSON, b"", Refusal()),
        ("text/html", b'{"message":"No."}', Refusal()),
        ("", b"", Refusal()),
    ],
)
def test_what_a_body_says(content_type, body, said):
    assert read_refusal(content_type, body) == said
