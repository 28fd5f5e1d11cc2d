"""`sse-widget doctor`: the examination from a terminal or in CI."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sse_widget import diagnosis
from sse_widget.diagnosis.progress import Terminal
from sse_widget.diagnosis.report import EXIT_OK
from sse_widget.diagnosis.target import IDLE_S, MOST_IDLE_S
from sse_widget.diagnosis.words import preferred_lang
from sse_widget.errors import ConnectError

if TYPE_CHECKING:
    import argparse

    from sse_widget.diagnosis.progress import Progress

SUMMARY = "examine the way to a server: what breaks or delays streams, who does it, and what to change"
EPILOG = """\
exit status: 0 no fault, 1 a fault (with --strict also a warning), 2 wrong usage, 3 no server reached,
130 interrupted before a fault was found.

A token is read from --token-file (- for standard input), else from the environment variable SSE_WIDGET_TOKEN when
SSE_WIDGET_URL names the same server.
"""
EXIT_WARNING = 1
EXIT_USAGE = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add(
        "url",
        nargs="?",
        help="base URL of the server, or URL of any SSE stream (default: SSE_WIDGET_URL, else a new one)",
    )
    add(
        "--via", action="append", default=[], metavar="URL", help="address behind URL, nearer to the server; repeatable"
    )
    add("--token-file", metavar="FILE", help="file with the bearer token; - reads standard input")
    add("--origin", default="", help="origin of a page that will ask, such as https://lab.example")
    idle = f"seconds to watch a silent connection, at most {MOST_IDLE_S:.0f}; 0 leaves it out (default: {IDLE_S:.0f})"
    add("--idle-s", type=_seconds, metavar="S", help=idle)
    add("--model", default="", help="model to ask, for servers with OpenAI's routes")
    add("--json", action="store_true", help="print the report as JSON")
    add("--lang", choices=("en", "ar"), default="", help="language (default: that of the locale)")
    add("--strict", action="store_true", help="warnings count as faults in the exit status")
    add("--quiet", action="store_true", help="no progress on standard error")


def run(options: argparse.Namespace) -> int:
    """Examine, print, and return the exit status."""
    lang = preferred_lang(options.lang)
    try:
        report = diagnosis.doctor(
            options.url,
            _token(options.token_file),
            via=options.via,
            origin=options.origin,
            idle_s=options.idle_s,
            model=options.model,
            lang=lang,
            tell=_Silent() if options.quiet else Terminal(sys.stderr, lang),
        )
    except (ConnectError, OSError) as error:
        print(f"sse-widget doctor: {error}", file=sys.stderr)  # noqa: T201 - a command prints
        return EXIT_USAGE
    shown = json.dumps(report.as_dict(), ensure_ascii=False, indent=2) if options.json else str(report)
    try:
        print(shown, flush=True)  # noqa: T201 - a command prints
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if options.strict and report.exit_code == EXIT_OK and report.warnings:
        return EXIT_WARNING
    return report.exit_code


class _Silent:
    def tell(self, progress: Progress) -> None:
        """See Teller."""

    def done(self) -> None:
        """See Teller."""


def _token(file: str | None) -> str | None:
    if not file:
        return None
    text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    return text.strip()


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= MOST_IDLE_S:
        raise ValueError(text)
    return value
