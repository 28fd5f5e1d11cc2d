"""`sse-widget record`: a stream into a file, from a terminal or in CI."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from sse_widget.errors import SSEWidgetError
from sse_widget.recording import watched
from sse_widget.recording.recording import Recording
from sse_widget.recording.request import Order

if TYPE_CHECKING:
    import argparse

    from sse_widget.recording.recording import Progress

SUMMARY = "record a stream, byte by byte with its times, into a .ssecast file"
EPILOG = """\
URL is the base of a server of ours or one of OpenAI's form (…/v1), both with --q, or any SSE URL.
Neither tokens, headers of the request nor the URL's query are stored. Ctrl+C keeps what came.

exit status: 0 the stream ended (or --limit-s did), 1 it was cut or could not be recorded, 2 wrong usage,
130 interrupted.
"""
EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130
_ENDED = {"ended": "the stream ended", "cut": "the connection broke", "left": "the recording was left"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("url", help="base URL of a server, or URL of any SSE stream")
    add("-o", "--output", required=True, metavar="FILE", help="file to write, such as run.ssecast")
    add("--q", default="", metavar="TEXT", help="question to ask")
    add("--model", default="", help="model to ask")
    add("--body", metavar="JSON", help="body to POST to URL as it stands")
    add("--header", action="append", default=[], metavar="'NAME: VALUE'", help="header of the request; repeatable")
    add("--token-file", metavar="FILE", help="file with the bearer token; - reads standard input")
    add("--title", default="", help="title to store in the recording")
    add("--limit-s", type=float, metavar="S", help="seconds after which the recording is ended")
    add("--quiet", action="store_true", help="no progress on standard error")


def run(options: argparse.Namespace) -> int:
    """Record, tell, and return the exit status."""
    try:
        order = Order(
            url=options.url,
            question=options.q,
            body=None if options.body is None else json.loads(options.body),
            model=options.model,
            title=options.title,
            token=_token(options.token_file),
            headers=dict(_header(text) for text in options.header),
        )
        recording = Recording(order, Path(options.output), limit_s=options.limit_s)
    except (SSEWidgetError, ValueError, OSError) as error:
        return _failed(error, EXIT_USAGE)
    terminal = Terminal(sys.stderr, quiet=options.quiet)
    try:
        progress = watched(recording, terminal.tell)
    except (SSEWidgetError, OSError) as error:
        terminal.done()
        return _failed(error, EXIT_FAILED)
    terminal.done()
    print(f"{options.output}: {line(progress)}; {_ENDED[progress.how]}")  # noqa: T201 - a command prints
    if progress.how == "left":
        return EXIT_INTERRUPTED if recording.was_left else EXIT_OK
    return EXIT_OK if progress.how == "ended" else EXIT_FAILED


def line(progress: Progress) -> str:
    """Return progress in words."""
    return f"{progress.bytes} bytes, {progress.events} events, {progress.elapsed_s:.1f} s"


class Terminal:
    """One line that is written over on a terminal; nothing where output is kept."""

    def __init__(self, stream: TextIO, *, quiet: bool = False) -> None:
        self._stream = stream
        self._live = stream.isatty() and not quiet

    def tell(self, progress: Progress) -> None:
        """Show it."""
        self._write(f"\r\x1b[K{line(progress)}")

    def done(self) -> None:
        """Take it away."""
        self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # whoever read it has gone
            if self._live:
                self._stream.write(text)
                self._stream.flush()


def _failed(error: Exception, status: int) -> int:
    print(f"sse-widget record: {error}", file=sys.stderr)  # noqa: T201 - a command prints
    return status


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise ValueError(f"a header is written 'Name: value'; got {text.partition(':')[0]!r}")
    return name.strip(), value.strip()


def _token(file: str | None) -> str:
    if not file:
        return ""
    text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    return text.strip()
