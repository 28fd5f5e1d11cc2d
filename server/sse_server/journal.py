"""The server's log of what it does, one line an event: JSON for machines, text for people.

A line has the time, the level, the logger and the event, and where they are known `stream_id`, `principal` (a keyed
hash), `code`, `route`, `method`, `status` and `duration_ms`. Questions, answers, query strings, tokens and tickets
never stand in one.
"""

from __future__ import annotations

import json
import logging
import re
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TextIO

_QUERY = re.compile(r"\?[^\s'\")\]]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields that were given with a record, without those that are unknown."""
    given: dict[str, Any] = getattr(record, "fields", {})
    return {name: value for name, value in given.items() if value is not None and value != ""}


class WithoutQueries(logging.Filter):
    """Takes query strings out of what libraries log: they may hold a question or a ticket."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the message; every record passes."""
        message = record.getMessage()
        if "?" in message:
            record.msg, record.args = _QUERY.sub("?…", message), None
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line; times in UTC (RFC 3339)."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": _utc(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # ASCII: no reader of the file takes a character of another language for a line break.
        return json.dumps(line, ensure_ascii=True, default=str)


class TextLines(logging.Formatter):
    """The event and its fields as `name=value`; only the trace of an exception takes further lines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        head = [_utc(record.created), record.levelname, f"{record.name}:", _plain(record.getMessage())]
        line = " ".join([*head, *(f"{name}={_plain(str(value))}" for name, value in fields_of(record).items())])
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def keep_journal(form: str, stream: TextIO | None = None) -> logging.Handler:
    """Have everything that is logged written to `stream` (standard error) in this form; return what does it."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    handler.addFilter(WithoutQueries())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    # It logs every request to a model, with its URL.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return handler


def _plain(text: str) -> str:
    """Return a text on one line: what ends a line, or moves a terminal's cursor, is written as its number."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _utc(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"
