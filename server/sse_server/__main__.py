"""`sse-server`: run the standalone server until SIGTERM, SIGINT, or the end of standard input if so asked."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from sse_server.app import Server, model_of, secret_of
from sse_server.config import Config, ConfigError, read_config
from sse_server.errors import ServerError
from sse_server.guards.credentials import read_tokens
from sse_server.handlers.intake import limits_of
from sse_server.journal import keep_journal
from sse_server.sources.local import LocalSource
from sse_server.workers import Seat, Workers, bind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from socket import socket

BACKLOG = 4096
logger = logging.getLogger("sse_server")


async def serve(config: Config, seat: Seat | None = None, secret: bytes | None = None) -> None:
    """Listen, announce the URL, and serve until told to end; then end the runs gracefully.

    A worker serves at its `seat`: it listens there, and tells its parent instead of the world.
    """
    server = Server(config, secret=secret)
    server.services.runs.begin()
    server.loop_lag.start()
    told = _watch_for_end(_lifeline(config, seat))
    sockets = bind_sockets(config.port, config.host, backlog=BACKLOG) if seat is None else seat.sockets
    http = HTTPServer(server.application(), **limits_of(config))
    http.add_sockets(sockets)
    if seat is None:
        url = _announce(config, sockets[0], server.models.default)
        # Services write standard output down, and whoever reads that may not be meant to sign in.
        if hint := server.page_hint(url, with_link=config.print_link or sys.stdout.isatty()):
            print(hint, flush=True)  # noqa: T201 - for whoever started it
    else:
        os.write(seat.ready, b".")
    warming = asyncio.create_task(_warm_up(server))
    await told.wait()
    logger.info("ending: %d runs", server.services.runs.running)
    http.stop()
    warming.cancel()
    await asyncio.wait({warming})
    await server.close()
    await http.close_all_connections()


def serve_with_workers(config: Config) -> int:
    """Fork the workers on one port, and return the exit status once they have ended."""
    secret = secret_of(config)
    read_tokens(config)  # what is wrong is said once, before there are workers
    default = model_of(config)
    sockets = bind(config.workers, config.port, config.host, BACKLOG)
    _warn_of_copies(config.workers, default)
    workers = Workers(config.workers, sockets, lambda seat: _run(config, seat, secret))

    def announce() -> None:
        _announce(config, sockets[0][0], default)

    return workers.run(announce, _lifeline(config, None))


def _warn_of_copies(count: int, model: str) -> None:
    """Tell what a model on this machine costs with several workers; the figure was measured with the bundled one."""
    if model == "local" or model.endswith(".gguf"):
        logger.warning(
            "each of the %d workers runs %s by itself: they share its file in memory, but each needs memory for what "
            "it reads and says (220 MB for the bundled model), and all compute on the same cores. For one model for "
            "all, run a model server such as llama-server, and give --openai-url and --model openai:NAME",
            count,
            model,
        )


def _lifeline(config: Config, seat: Seat | None) -> int | None:
    """Return what ends when the server shall: of a worker its parent's pipe, else standard input if so asked."""
    if seat is not None:
        return seat.lifeline
    return 0 if config.exit_with_stdin else None


async def _warm_up(server: Server) -> None:
    """Load the model before the first question asks for it."""
    source = server.models.source_of(server.models.default)
    if isinstance(source, LocalSource):
        try:
            await source.start()
        except ServerError as error:
            logger.warning("%s", error)


def _watch_for_end(lifeline: int | None) -> asyncio.Event:
    """Return the event that is set when the server is told to end."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    if lifeline is not None:
        try:
            loop.add_reader(lifeline, _watch_lifeline, loop, lifeline, told)
        except OSError as error:
            raise ConfigError("--exit-with-stdin needs a pipe or a terminal as standard input") from error
    return told


def _watch_lifeline(loop: asyncio.AbstractEventLoop, lifeline: int, told: asyncio.Event) -> None:
    if not os.read(lifeline, 4096):
        loop.remove_reader(lifeline)
        told.set()


def _announce(config: Config, listening: socket, model: str) -> str:
    """Say where the server is, in the ready file and to whoever started it, and return it."""
    url = f"http://{_bracketed(config.host)}:{listening.getsockname()[1]}"
    if config.ready_file:
        _write_whole(Path(config.ready_file), url)
    print(f"sse-server listens on {url} (model: {model})", flush=True)  # noqa: T201 - for whoever started it
    return url


def _write_whole(path: Path, url: str) -> None:
    """Write the URL in one piece: whoever waits for the file never sees half of it."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(url, "utf-8")
    draft.replace(path)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the settings and serve; settings that do not fit end with a message and status 2."""
    try:
        config = read_config(sys.argv[1:] if arguments is None else arguments)
        keep_journal(config.log_format)
        if config.workers > 1:
            sys.exit(serve_with_workers(config))
        _run(config)
    except (ConfigError, ServerError) as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"cannot listen: {error}. Choose another --port or --host.")


def _run(config: Config, seat: Seat | None = None, secret: bytes | None = None) -> None:
    try:
        asyncio.run(serve(config, seat, secret))
    except (ConfigError, ServerError) as error:
        _refuse(str(error))


def _refuse(message: str) -> NoReturn:
    print(f"sse-server: {message}", file=sys.stderr)  # noqa: T201 - for whoever started it
    sys.exit(2)


if __name__ == "__main__":
    main()
