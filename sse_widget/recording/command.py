"""`sse-widget record`: a stream into a file, from a terminal or in CI."""

from __future__ import annotations

import json
import math
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from sse_widget.diagnosis.words.language import say
from sse_widget.errors import SSEWidgetError
from sse_widget.recording import watched
from sse_widget.recording.recording import Recording
from sse_widget.recording.request import Order
from sse_widget.recording.words import (
    ENDINGS,
    NO_HEADER,
    NO_JSON,
    NO_SECONDS,
    add_language,
    lang_of,
    progress_line,
)

if TYPE_CHECKING:
    import argparse

    from sse_widget.diagnosis.words.language import Lang
    from sse_widget.recording.recording import Progress

SUMMARY = "record a stream, byte by byte with its times, into a .ssecast file"
EPILOG = """\
URL is the base of a server of ours or one of OpenAI's form (…/v1), both with --q, or any SSE URL.
Neither tokens, headers of the request nor the URL's query are stored. Ctrl+C keeps what came.

exit status: 0 the stream ended (or --limit-s did), 1 it was cut or could not be recorded, 2 wrong usage,
130 interrupted.
"""
EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


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
    add_language(parser)
    add("--quiet", action="store_true", help="no progress on standard error")


def run(options: argparse.Namespace) -> int:
    """Record, tell, and return the exit status."""
    lang = lang_of(options)
    try:
        recording = Recording(_order(options, lang), Path(options.output), limit_s=_limit_s(options.limit_s, lang))
    except (SSEWidgetError, ValueError, OSError) as error:
        return _failed(error, EXIT_USAGE)
    terminal = Terminal(sys.stderr, lang, quiet=options.quiet)
    try:
        progress = watched(recording, terminal.tell)
    except (SSEWidgetError, OSError) as error:
        terminal.done()
        return _failed(error, EXIT_FAILED)
    terminal.done()
    semicolon = "؛" if lang == "ar" else ";"
    ending = ENDINGS[progress.how].plain(lang)
    print(f"{options.output}: {progress_line(progress, lang)}{semicolon} {ending}")  # noqa: T201 - a command prints
    if progress.how == "left":
        return EXIT_INTERRUPTED if recording.was_left else EXIT_OK
    return EXIT_OK if progress.how == "ended" else EXIT_FAILED


class Terminal:
    """One line that is written over on a terminal; nothing where output is kept."""

    def __init__(self, stream: TextIO, lang: Lang, *, quiet: bool = False) -> None:
        self._stream = stream
        self._lang = lang
        self._live = stream.isatty() and not quiet

    def tell(self, progress: Progress) -> None:
        """Show it."""
        self._write(f"\r\x1b[K{progress_line(progress, self._lang)}")

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


def _order(options: argparse.Namespace, lang: Lang) -> Order:
    headers = dict(_header(text, lang) for text in options.header)
    if lang != "en":
        headers.setdefault("Accept-Language", lang)  # refusals are said in it
    return Order(
        url=options.url,
        question=options.q,
        body=_body(options.body, lang),
        model=options.model,
        title=options.title,
        token=_token(options.token_file),
        headers=headers,
    )


def _header(text: str, lang: Lang) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise ValueError(say(NO_HEADER, {"name": repr(name)}, lang))
    return name.strip(), value.strip()


def _body(text: str | None, lang: Lang) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError as error:
        raise ValueError(say(NO_JSON, {"detail": str(error)}, lang)) from error


def _limit_s(seconds: float | None, lang: Lang) -> float | None:
    if seconds is not None and not 0 < seconds < math.inf:
        raise ValueError(say(NO_SECONDS, {}, lang))
    return seconds


def _token(file: str | None) -> str:
    if not file:
        return ""
    text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    return text.strip()
