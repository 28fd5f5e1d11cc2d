"""Recording a stream: `record` in a notebook, `sse-widget record` on a terminal."""

from __future__ import annotations

from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sse_widget.cassette import Cassette
from sse_widget.errors import IdleTimeout
from sse_widget.loop import submit
from sse_widget.recording.recording import Progress, Recording
from sse_widget.recording.request import Order

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

TELL_EVERY_S = 0.2


def record(  # noqa: PLR0913 - settings, each by its name
    url: str,
    path: str | os.PathLike[str],
    *,
    q: str = "",
    body: Any = None,
    model: str = "",
    title: str = "",
    token: str = "",
    headers: Mapping[str, str] | None = None,
    limit_s: float | None = None,
    tell: Callable[[Progress], None] | None = None,
    **params: Any,
) -> Cassette:
    """Ask, write down every byte of the answer and when it came, and return the cassette.

    `url` is the base of our server, one of OpenAI's form (ending in `/v1` or `/chat/completions`), or any SSE URL. `q`
    is asked of the first two, with `model` and `params`; `body` is sent as JSON by POST; with neither, the URL is read
    by GET. `token` goes as a bearer token, `headers` beside it; neither is ever stored, nor is a query of the URL. The
    question, the model and the title are. `limit_s` ends an endless stream; an interrupt keeps what came. One
    connection is recorded: it is never resumed. Blocks; `tell` hears of the progress five times a second.

    Raises RemoteError or ConnectError when the server refuses or there is none, WrongContentType when the answer is no
    event stream, IdleTimeout when the limit is over before there was one, ValueError for arguments that do not fit.
    """
    order = Order(
        url=url,
        question=q,
        body=body,
        model=model,
        title=title,
        token=token,
        headers=dict(headers or {}),
        params=params,
    )
    watched(Recording(order, Path(path), limit_s=limit_s), tell or _silent)
    return Cassette.load(path)


def watched(recording: Recording, tell: Callable[[Progress], None]) -> Progress:
    """Run a recording on the readers' loop and tell of it on this thread. An interrupt ends it and keeps what came."""
    future = submit(recording.run())
    try:
        while not future.done():
            try:
                futures.wait({future}, TELL_EVERY_S)
                tell(recording.so_far())
            except KeyboardInterrupt:  # also one that comes while it tells
                recording.leave()
    except BaseException:  # whoever is told has failed: nobody would ever end the recording
        recording.leave()
        raise
    try:
        progress = future.result()
    except IdleTimeout as error:
        if recording.was_left:
            raise KeyboardInterrupt from error
        raise
    tell(progress)
    return progress


def _silent(_progress: Progress) -> None:
    pass
