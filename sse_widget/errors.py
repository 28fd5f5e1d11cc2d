"""The error tree of sse-widget; every error carries a stable `code`.

    SSEWidgetError
    ├── ConnectError        no usable answer from the server (`status` when there was one)
    ├── WrongContentType    the answer is not `text/event-stream`
    ├── IdleTimeout         nothing arrived for longer than the watchdog allows
    ├── LimitExceeded       one event is larger than the client accepts
    ├── PayloadError        the text does not match the length or checksum of `done`
    ├── RemoteError         the server ended the stream, or refused it, with an error event
    ├── LogTrimmed          events that were not read yet are gone for good
    ├── InvalidPlan         a fault plan that cannot be carried out
    ├── CassetteError       a recording cannot be read (`line` says where)
    └── Stopped             a reader has stopped what is being written

Foreign exceptions (httpx, Tornado, OSError) are translated once, in the shell that owns the library.
"""

from __future__ import annotations


class SSEWidgetError(Exception):
    """Base of all errors of this package.

    `code` is one of the strings of design.md section 9, the same in Python, JavaScript, `error` events and metric
    labels. `retryable` is a hint to people; no client asks the model again by itself. `text` is what had arrived of
    an answer that it cut short.
    """

    code = "internal"
    retryable = False
    text = ""

    def __init__(self, message: str, *, code: str | None = None, retryable: bool | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if retryable is not None:
            self.retryable = retryable


class ConnectError(SSEWidgetError):
    """No usable answer: refused, unreachable, cut for good, or an HTTP status that is no stream."""

    code = "connect_failed"
    retryable = True

    def __init__(self, message: str, *, status: int | None = None, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.status = status


class WrongContentType(SSEWidgetError):
    """The server answered 200 with something that is not an event stream."""

    code = "wrong_content_type"


class IdleTimeout(SSEWidgetError):
    """No byte arrived for longer than the watchdog allows, not even a heartbeat."""

    code = "idle_timeout"
    retryable = True


class LimitExceeded(SSEWidgetError):
    """One line or one event is larger than the parser accepts."""

    code = "limit_exceeded"


class PayloadError(SSEWidgetError):
    """What arrived does not have the length and checksum that `done` states, twice in a row."""

    code = "payload_mismatch"
    retryable = True


class RemoteError(SSEWidgetError):
    """The server said so: a terminal `error` event, or a refusal."""

    code = "remote_error"


class LogTrimmed(SSEWidgetError):
    """Events after the last one that was read are no longer held by the server."""

    code = "gap"


class CassetteError(SSEWidgetError):
    """A recording that cannot be read; `line` counts from 1 and is 0 where the file as a whole is meant."""

    code = "bad_cassette"

    def __init__(self, message: str, *, line: int = 0) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.line = line


class Stopped(SSEWidgetError):
    """Nothing more is wanted: a reader has stopped it, or its run has ended."""

    code = "stopped"


class InvalidPlan(SSEWidgetError):
    """A fault plan has a field that cannot be; `step` counts from 0, None for the plan's own fields.

    `problem` is what is wrong there, without the place.
    """

    code = "invalid_request"

    def __init__(self, problem: str, *, field: str = "", step: int | None = None) -> None:
        where = field if step is None else f"steps[{step}].{field}" if field else f"steps[{step}]"
        super().__init__(f"fault plan: {where} {problem}" if where else f"fault plan: {problem}")
        self.problem = problem
        self.step = step
        self.field = field
