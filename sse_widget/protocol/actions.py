"""What goes into a session and what comes out: its settings, a response head, and the actions for the shell."""

from __future__ import annotations

from typing import Literal

import msgspec

from sse_widget.protocol.backoff import Backoff
from sse_widget.protocol.events import TerminalState
from sse_widget.protocol.sse import Event


class SessionConfig(msgspec.Struct, frozen=True):
    """How a reader behaves; times in milliseconds.

    `stream_id` and `after` attach to a stream that runs already. `snapshot` asks for its text so far as one delta.
    `repeatable` says that the first request may be sent again after it was answered (a GET); `logged` that the server
    is known to keep streams, as ours does, so that a repeated first request with the same key is the same run.
    """

    reconnect: bool = True
    max_attempts: int = 10
    backoff: Backoff = Backoff()
    heartbeat_timeout_ms: float = 45_000.0
    stream_id: str = ""
    after: int = 0
    last_event_id: str = ""
    snapshot: bool = False
    repeatable: bool = False
    logged: bool = False


class Head(msgspec.Struct, frozen=True):
    """What matters of a response head; `code` and `message` come from the body of a refusal."""

    status: int
    content_type: str = ""
    stream_id: str = ""
    retry_after_ms: float | None = None
    code: str = ""
    message: str = ""


class Connect(msgspec.Struct, frozen=True, tag_field="do", tag="connect"):
    """Open a connection: `start` sends the first request, `resume` reads `stream_id` after `after`."""

    target: Literal["start", "resume"]
    stream_id: str
    after: int
    last_event_id: str
    snapshot: bool
    connection: int
    reason: str


class Close(msgspec.Struct, frozen=True, tag_field="do", tag="close"):
    """Drop the connection that is open."""


class Wait(msgspec.Struct, frozen=True, tag_field="do", tag="wait"):
    """Nothing to do for `delay_ms`; then `tick`."""

    delay_ms: float
    attempt: int
    reason: str


class Deliver(msgspec.Struct, frozen=True, tag_field="do", tag="deliver"):
    """Hand this event to the consumer."""

    event: Event


class Reset(msgspec.Struct, frozen=True, tag_field="do", tag="reset"):
    """Forget all text: the stream is read again from its start."""


class Finish(msgspec.Struct, frozen=True, tag_field="do", tag="finish"):
    """The session is over, for good, in this state."""

    state: TerminalState
    code: str
    message: str


Action = Connect | Close | Wait | Deliver | Reset | Finish
Phase = Literal["idle", "connecting", "open", "waiting", "ended"]
