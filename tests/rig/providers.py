"""A loopback server that streams as providers of models do, for their real SDKs."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from rig.serving import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS = ["The ", "sea ", "is ", "وا", "سع 🌊", ".\n"]
TEXT = "".join(WORDS)
MODEL = "stand-in"


def chat_completions(words: list[str], finish: str = "stop") -> Iterator[tuple[str, Any]]:
    """Yield what OpenAI's chat.completions streams."""

    def chunk(choices: list[Any], **more: Any) -> tuple[str, Any]:
        return "", {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": MODEL,
            "choices": choices,
            **more,
        }

    def choice(delta: dict[str, Any], index: int = 0, reason: str | None = None) -> dict[str, Any]:
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}

    yield chunk([choice({"role": "assistant", "content": "", "refusal": None})])
    for word in words:
        yield chunk([choice({"content": word})])
        yield chunk([choice({"content": "another answer"}, index=1)])
    yield chunk([choice({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"arguments": "{"}}]})])
    yield chunk([choice({}, reason=finish)])
    yield chunk([], usage={"prompt_tokens": 1, "completion_tokens": len(words), "total_tokens": 1 + len(words)})
    yield "", "[DONE]"


def responses(words: list[str], finish: str = "completed") -> Iterator[tuple[str, Any]]:
    """Yield what OpenAI's responses streams."""
    response = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "in_progress",
        "model": MODEL,
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    whole = "".join(words)
    done = {**item, "status": "completed", "content": [{**part, "text": whole}]}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        {"type": "response.reasoning_text.delta", **place, "delta": "what the model thinks"},
        *({"type": "response.output_text.delta", **place, "delta": word, "logprobs": []} for word in words),
        {"type": "response.output_text.done", **place, "text": whole, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": {**part, "text": whole}},
        {"type": "response.output_item.done", "output_index": 0, "item": done},
        {"type": "response.newer.than.this.list"},
    ]
    ending: dict[str, Any] = {**response, "status": finish, "output": [done]}
    if finish == "incomplete":
        ending["incomplete_details"] = {"reason": "max_output_tokens"}
    if finish == "failed":
        ending["error"] = {"code": "server_error", "message": "the provider is on fire"}
    events.append({"type": f"response.{finish}", "response": ending})
    for number, event in enumerate(events):
        yield event["type"], {**event, "sequence_number": number}


def messages(words: list[str], finish: str = "end_turn") -> Iterator[tuple[str, Any]]:
    """Yield what Anthropic's messages streams: a block of thinking, then one of text."""
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    block = {"type": "thinking", "thinking": "", "signature": ""}
    thinking = {"type": "thinking_delta", "thinking": "what the model thinks"}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": block,
        },
        {"type": "content_block_delta", "index": 0, "delta": thinking},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": word}} for word in words),
        {"type": "content_block_stop", "index": 1},
        {
            "type": "message_delta",
            "delta": {"stop_reason": finish, "stop_sequence": None},
            "usage": {"output_tokens": len(words)},
        },
        {"type": "message_stop"},
    ]
    for event in events:
        yield event["type"], event


ROUTES = {"/chat/completions": chat_completions, "/responses": responses, "/messages": messages}


class Provider:
    """Answers every POST with a stream of `words`; `finish` says how it ends, `routes` what is streamed where.

    With `held`, a stream stays open after so many events and silent, until its client has `left`.
    """

    def __init__(self) -> None:
        self.words = WORDS
        self.finish = ""
        self.held = 0
        self.routes = ROUTES
        self.left = threading.Event()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                provider._stream(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE_S)

    def _stream(self, handler: BaseHTTPRequestHandler) -> None:
        make = next(make for path, make in self.routes.items() if handler.path.endswith(path))
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        try:
            for number, event in enumerate(make(self.words, *([self.finish] if self.finish else []))):
                if self.held and number >= self.held:
                    # Nothing more is sent; a client that leaves is what can be read.
                    assert not handler.rfile.read(1)
                    self.left.set()
                    return
                self._write(handler, *event)
        except OSError:
            self.left.set()

    def _write(self, handler: BaseHTTPRequestHandler, name: str, data: Any) -> None:
        said = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        head = f"event: {name}\n" if name else ""
        handler.wfile.write(f"{head}data: {said}\n\n".encode())
        handler.wfile.flush()
