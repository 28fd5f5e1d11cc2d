"""`sse-widget replay`: a recording, byte for byte, from a server of its own, for whatever client is to be tried."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sse_widget.cassette import Cassette
from sse_widget.errors import SSEWidgetError
from sse_widget.hosting import serve

if TYPE_CHECKING:
    import argparse

SUMMARY = "serve a recording on this machine: the recorded bytes at the recorded times"
EPILOG = """\
GET the URL that is printed, as often as you like; ?speed=2 plays twice as fast, ?speed=0 flat out. A stream that was
cut is cut again. The same recording answers questions as a model: --model 'replay:NAME' of the same server.
Ctrl+C ends it.

exit status: 2 when FILE is no recording or the port is taken, 130 interrupted.
"""
EXIT_FAILED = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("file", help="recording, such as run.ssecast")
    add("--port", type=int, default=0, help="port to listen on (default: a free one)")
    add("--speed", type=float, default=1.0, help="speed of the URL that is printed (default: 1)")


def run(options: argparse.Namespace) -> int:
    """Serve until interrupted, and return the exit status."""
    path = Path(options.file)
    try:
        cassette = Cassette.load(path)
        with serve(guarded=False, port=options.port, cassettes=str(path), model="synthetic:") as hosted:
            speed = "" if options.speed == 1 else f"?speed={options.speed:g}"
            print(repr(cassette), file=sys.stderr)  # noqa: T201 - a command prints
            print(f"{hosted.url}/api/v1/stream/cassettes/{quote(path.stem)}{speed}", flush=True)  # noqa: T201
            hosted.wait()
    except (SSEWidgetError, OSError) as error:
        print(f"sse-widget replay: {error}", file=sys.stderr)  # noqa: T201 - a command prints
    return EXIT_FAILED
