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
_NOBODY = f"Nobody answers there: is the server running (ours: sse-server)? {_ADDRESS}"
_NO_ROUTE = f"There is no such route. {_ADDRESS}"
_ELSE = f"Something else answers there: a page, a login or a proxy. {_ADDRESS}"
_BY_CODE = {
    "unauthorized": _KEY,
    "forbidden": _KEY,
    "not_found": _NO_ROUTE,
    "wrong_content_type": _ELSE,
    "no_text": _ELSE,
    "invalid_request": "Mend --model or --param, which the server has refused",
    "rate_limited": "The server takes no more now: wait, or raise its limit (ours: start it with --rate-limit off)",
    "overloaded": "The server takes no more now: wait, or raise its limit (ours: --max-runs)",
    "idle_timeout": "A model that has to load first needs a longer --timeout-s",
}


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
    if error.code == "connect_failed":
        status = error.status if isinstance(error, ConnectError) else None
        return _NOBODY if status is None else _NO_ROUTE if status in {404, 405} else ""
    if error.code == "not_found" and "model" in error.message.lower():
        return "Choose another by --model"
    if error.code == "invalid_request" and not (target.model or target.params):
        return ""
    return _BY_CODE.get(error.code, "")
