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

from sse_server.app import Server
from sse_server.config import Config, ConfigError, read_config
from sse_server.errors import ServerError
from sse_server.handlers.intake import LIMITS
from sse_server.journal import keep_journal
from sse_server.sources.local import LocalSource

if TYPE_CHECKING:
    from collections.abc import Sequence

BACKLOG = 4096
logger = logging.getLogger("sse_server")


async def serve(config: Config) -> None:
    """Listen, announce the URL, and serve until told to end; then end the runs gracefully."""
    server = Server(config)
    server.services.runs.begin()
    server.loop_lag.start()
    told = _watch_for_end(exit_with_stdin=config.exit_with_stdin)
    sockets = bind_sockets(config.port, config.host, backlog=BACKLOG)
    http = HTTPServer(server.application(), **LIMITS)
    http.add_sockets(sockets)
    url = f"http://{_bracketed(config.host)}:{sockets[0].getsockname()[1]}"
    if config.ready_file:
        _announce(Path(config.ready_file), url)
    print(f"sse-server listens on {url} (model: {server.models.default})", flush=True)  # noqa: T201 - for whoever started it
    warming = asyncio.create_task(_warm_up(server))
    await told.wait()
    logger.info("ending: %d runs", server.services.runs.running)
    http.stop()
    warming.cancel()
    await asyncio.wait({warming})
    await server.close()
    await http.close_all_connections()


async def _warm_up(server: Server) -> None:
    """Load the model before the first question asks for it."""
    source = server.models.source_of(server.models.default)
    if isinstance(source, LocalSource):
        try:
            await source.start()
        except ServerError as error:
            logger.warning("%s", error)


def _watch_for_end(*, exit_with_stdin: bool) -> asyncio.Event:
    """Return the event that is set when the server is told to end."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    if exit_with_stdin:
        try:
            loop.add_reader(0, _watch_stdin, loop, told)
        except OSError as error:
            raise ConfigError("--exit-with-stdin needs a pipe or a terminal as standard input") from error
    return told


def _watch_stdin(loop: asyncio.AbstractEventLoop, told: asyncio.Event) -> None:
    if not os.read(0, 4096):
        loop.remove_reader(0)
        told.set()


def _announce(path: Path, url: str) -> None:
    """Write the URL whole: whoever waits for the file never sees half of it."""
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
        asyncio.run(serve(config))
    except (ConfigError, ServerError) as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"cannot listen: {error}. Choose another --port or --host.")


def _refuse(message: str) -> NoReturn:
    print(f"sse-server: {message}", file=sys.stderr)  # noqa: T201 - for whoever started it
    sys.exit(2)


if __name__ == "__main__":
    main()
