"""`sse-widget replay`: a recording, byte for byte, from a server of its own, for whatever client is to be tried."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sse_widget.cassette import Cassette
from sse_widget.diagnosis.words.language import say
from sse_widget.errors import SSEWidgetError
from sse_widget.hosting import serve
from sse_widget.recording.words import NO_SPEED, add_language, lang_of, played_line

if TYPE_CHECKING:
    import argparse

    from sse_widget.diagnosis.words.language import Lang

SUMMARY = "serve a recording on this machine: the recorded bytes at the recorded times"
EPILOG = """\
GET the URL that is printed, as often as you like; ?speed=2 plays twice as fast, ?speed=0 flat out. A stream that was
cut is cut again. The same recording answers questions as a model: --model 'replay:NAME' of the same server.
Ctrl+C ends it.

exit status: 2 when FILE is no recording or the port is taken, 130 interrupted.
"""
EXIT_FAILED = 2
FASTEST = 1000.0
"""The most that the server plays at."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("file", help="recording, such as run.ssecast")
    add("--port", type=int, default=0, help="port to listen on (default: a free one)")
    add("--speed", type=float, default=1.0, help="speed of the URL that is printed (default: 1)")
    add_language(parser)


def run(options: argparse.Namespace) -> int:
    """Serve until interrupted, and return the exit status."""
    path, lang = Path(options.file), lang_of(options)
    try:
        speed = _speed(options.speed, lang)
        cassette = Cassette.load(path)
        with serve(guarded=False, port=options.port, cassettes=str(path), model="synthetic:") as hosted:
            print(played_line(path.stem, cassette, lang), file=sys.stderr)  # noqa: T201 - a command prints
            print(f"{hosted.url}/api/v1/stream/cassettes/{quote(path.stem)}{speed}", flush=True)  # noqa: T201
            hosted.wait()
    except (SSEWidgetError, ValueError, OSError) as error:
        print(f"sse-widget replay: {error}", file=sys.stderr)  # noqa: T201 - a command prints
    return EXIT_FAILED


def _speed(speed: float, lang: Lang) -> str:
    """Return the query of the URL."""
    if not 0 <= speed <= FASTEST:
        raise ValueError(say(NO_SPEED, {"most": FASTEST}, lang))
    return "" if speed == 1 else f"?speed={speed:g}"
