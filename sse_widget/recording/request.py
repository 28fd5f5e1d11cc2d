"""What is asked when a stream is recorded: our server, one with OpenAI's routes, or any URL as it stands."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from sse_widget.endpoint import STREAM_HEADERS, Request, checked_base, checked_origin, checked_token, is_own_chat

_OPENAI = re.compile(r"/v1/?$|/chat/completions/?$")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Where and what to ask. Of it, only `url` without its query, `model`, `question` and `title` are written down.

    `question` goes to our server or to one with OpenAI's routes, with `model` and `params`; `body` is sent as JSON to
    the URL as it stands; with neither, the URL is read by GET.
    """

    url: str
    question: str = ""
    body: Any = None
    model: str = ""
    title: str = ""
    token: str = ""
    headers: dict[str, str] = {}
    params: dict[str, Any] = {}

    def request(self) -> Request:
        """Return the request. Raises ConnectError when URL or token can be none, ValueError for what does not fit."""
        checked_origin(self.url)
        headers = {**STREAM_HEADERS, **self.headers}
        if self.token:
            headers["Authorization"] = f"Bearer {checked_token(self.token)}"
        url, body = self.url, self.body
        if self.question and body is None:
            url, body = self._asked()
        elif self.question or self.model or self.params:
            raise ValueError("model and parameters go with a question, and a question has no body; put them into body")
        if body is None:
            return Request("GET", url, headers)
        headers.setdefault("Content-Type", "application/json")
        return Request("POST", url, headers, msgspec.json.encode(body))

    def _asked(self) -> tuple[str, dict[str, Any]]:
        named = {"model": self.model} if self.model else {}
        parts = urlsplit(self.url)
        if _OPENAI.search(parts.path):
            path = re.sub(r"/v1/?$", "/v1/chat/completions", parts.path)
            messages = [{"role": "user", "content": self.question}]
            url = urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))
            return url, {**named, "messages": messages, "stream": True, **self.params}
        url = self.url if is_own_chat(self.url) else f"{checked_base(self.url)}/api/v1/stream/chat"
        return url, {"q": self.question, **named, **self.params}
