"""The doctor: looks at the way from here to a server, and says what is wrong with it and what to do.

`doctor` examines one address (and those behind it); its Report has a finding for each probe. Probes look
(`probes/`), verdicts judge (`verdicts/`, pure), words say it (`words/`), `terminal` and `table` show it.
"""

from __future__ import annotations

import asyncio
import queue
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sse_widget import hosting
from sse_widget.diagnosis import software, words
from sse_widget.diagnosis.chain import placed
from sse_widget.diagnosis.examination import BEYOND_IDLE_S, LEAVE_S, Examination
from sse_widget.diagnosis.probes.exchange import trusted
from sse_widget.diagnosis.progress import Progress, teller
from sse_widget.diagnosis.report import Finding, Report
from sse_widget.diagnosis.target import IDLE_S, MOST_IDLE_S, Order, completed
from sse_widget.diagnosis.verdicts import judge
from sse_widget.endpoint import checked_origin, checked_token
from sse_widget.loop import submit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sse_widget.diagnosis.progress import Teller

__all__ = ["Finding", "Order", "Report", "doctor", "examined"]

HOME_IDLE_S = 5.0
"""How long silence is watched on the way to a server of this machine, where nobody stands between."""

JUPYTER_ORIGIN = "http://localhost:8888"
"""Where pages of a notebook usually come from, which our own servers must let in."""


def doctor(  # noqa: PLR0913 - settings, each by its name
    url: str | None = None,
    token: str | None = None,
    *,
    via: Sequence[str] = (),
    origin: str = "",
    idle_s: float | None = None,
    model: str = "",
    lang: str = "",
    tell: Teller | None = None,
) -> Report:
    """Examine the way to a server, and return the report: printed it is text, in a notebook a table.

    Without `url` it is the server that a StreamWidget would use. `via` are addresses behind `url`, from the outside to
    the server, to find the hop where a fault comes in. `origin` is that of a page that will ask, such as
    `https://lab.example`. A silent connection is watched for `idle_s` (45 s; 0 leaves it out), which is what takes the
    time. `model` is for servers with OpenAI's routes. `lang` is `en` or `ar`, by default that of the locale.

    It starts three tiny runs of seeded text on a server of ours and stops them; no model is asked. Another server
    is asked once. Interrupted, it returns what it has found so far. Raises ConnectError when a URL or the token can
    be none.
    """
    said = words.preferred_lang(lang)
    began_s = time.monotonic()
    with _addressed(checked(url) if url else None, token) as (address, own):
        at_home = not url
        idle = HOME_IDLE_S if idle_s is None and at_home else IDLE_S if idle_s is None else idle_s
        order = Order(
            address.url,
            checked_token(address.token) if address.token else "",
            origin or (JUPYTER_ORIGIN if own else ""),
            min(max(idle, 0.0), MOST_IDLE_S),
            model,
            at_home,
        )
        others = [Order(checked(hop), order.token, order.origin, order.idle_s, model) for hop in via]
        found, complete = _run([order, *others], teller(said) if tell is None else tell)
    return report_of(found, said, took_s=time.monotonic() - began_s, complete=complete)


async def examined(order: Order) -> Report:
    """Examine one address on the running loop."""
    began_s = time.monotonic()
    examination = Examination(order, trusted(), lambda: None)
    await examination.run()
    return report_of([examination], "en", took_s=time.monotonic() - began_s, complete=not examination.seen.interrupted)


def report_of(found: Sequence[Examination], lang: words.Lang, *, took_s: float, complete: bool) -> Report:
    """Judge what was seen; the first examination is that of the outermost address."""
    judged = [(examination.seen.url, judge(examination.seen)) for examination in found]
    programs = [software.proxies(examination.seen.heads) for examination in found]
    behind = tuple(
        Report(url, judgements, programs[index], lang, took_s, complete)
        for index, (url, judgements) in enumerate(judged)
        if index
    )
    return Report(judged[0][0], placed(judged[0], judged[1:]), programs[0], lang, took_s, complete, behind)


def checked(url: str) -> str:
    """Return the URL with its scheme. Raises ConnectError when it can be none."""
    full = completed(url.strip())
    checked_origin(full)
    return full


@contextmanager
def _addressed(url: str | None, token: str | None) -> Iterator[tuple[hosting.Address, bool]]:
    """Yield the address, and whether it is a server of this process; one that is started for it is stopped again."""
    address = hosting.find(url, token)
    if address is not None:
        yield address, False
        return
    running = hosting.running()
    if running is not None:
        yield running.address, True
        return
    with hosting.serve(model="synthetic:") as hosted:
        yield hosted.address, True


def _run(orders: Sequence[Order], tell: Teller) -> tuple[list[Examination], bool]:
    """Examine all addresses at once on the readers' loop; progress is told on this thread, which may be a cell's."""
    tls = trusted()
    news: queue.SimpleQueue[bool] = queue.SimpleQueue()
    found = [Examination(order, tls, lambda: news.put(False)) for order in orders]
    began_s = time.monotonic()
    limit_s = orders[0].idle_s + BEYOND_IDLE_S

    async def together() -> None:
        try:
            await asyncio.gather(*(examination.run() for examination in found))
        finally:
            news.put(True)

    future = submit(together())
    over = False
    try:
        while not over:
            with suppress(queue.Empty):
                over = news.get(timeout=1.0)
            doing = dict.fromkeys(probe for examination in found for probe in examination.doing)
            tell.tell(Progress(tuple(doing), time.monotonic() - began_s, limit_s))
        future.result()
    except KeyboardInterrupt:
        future.cancel()
        with suppress(queue.Empty):
            while not news.get(timeout=LEAVE_S + 1.0):
                pass
    finally:
        tell.done()
    return found, not any(examination.seen.interrupted for examination in found)
