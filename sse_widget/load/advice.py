"""What to do when the first question fails: the reason, and the flag or the address that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sse_widget.errors import ConnectError, SSEWidgetError

if TYPE_CHECKING:
    from sse_widget.load.target import Target

_ADDRESS = (
    "Give the base of a server of sse-widget, like http://127.0.0.1:8765, or one of OpenAI's form, which ends in /v1"
)
_KEY = "Say who you are: --token-file FILE, or --key-env NAME for a variable that holds the key (Python: token=)"


def advised(error: SSEWidgetError, target: Target) -> SSEWidgetError:
    """Return the error with what to do about it."""
    advice = _advice(error, target)
    if not advice:
        return error
    said = error.message.rstrip(".")
    message = f"{said if target.url in said else f'{target.url}: {said}'}. {advice}."
    if isinstance(error, ConnectError):
        return ConnectError(message, status=error.status, code=error.code)
    return type(error)(message, code=error.code)


def _advice(error: SSEWidgetError, target: Target) -> str:
    status = error.status if isinstance(error, ConnectError) else None
    match error.code:
        case "unauthorized" | "forbidden":
            return _KEY
        case "not_found" if "model" in error.message.lower():
            return "Choose another by --model"
        case "not_found":
            return f"There is no such route. {_ADDRESS}"
        case "wrong_content_type" | "no_text":
            return f"Something else answers there: a page, a login or a proxy. {_ADDRESS}"
        case "invalid_request":
            return "Mend --model or --param, which the server has refused" if target.model or target.params else ""
        case "rate_limited" | "overloaded":
            return "The server takes no more now: wait, or raise its limit (ours: --rate-limit off)"
        case "connect_failed" if status is None:
            return f"Nobody answers there: is the server running (ours: sse-server)? {_ADDRESS}"
        case "connect_failed" if status in {404, 405}:
            return f"There is no such route. {_ADDRESS}"
        case "idle_timeout":
            return "A model that has to load first needs a longer --timeout-s"
        case _:
            return ""
