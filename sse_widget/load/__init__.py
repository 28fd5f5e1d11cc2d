"""Load on a server: `bench` in a notebook, `sse-widget bench` on a terminal."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sse_widget.errors import SSEWidgetError
from sse_widget.load.advice import advised
from sse_widget.load.drive import Drive
from sse_widget.load.plan import Plan
from sse_widget.load.progress import Bar
from sse_widget.load.questions import QUESTIONS
from sse_widget.load.report import Report, Subject, environment
from sse_widget.load.summary import summary_of
from sse_widget.load.target import Target
from sse_widget.loop import submit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Future

    from sse_widget.load.arrivals import Arrivals
    from sse_widget.load.drive import Driven, Progress

TELL_EVERY_S = 0.2
OPEN_AT_A_RATE = 1000
"""How many may be open at once where requests begin at a rate: few would turn it into a closed loop."""


def bench(  # noqa: PLR0913 - settings, each by its name
    url: str,
    *,
    requests: int | None = None,
    duration_s: float | None = None,
    concurrency: int | None = None,
    rate: float | None = None,
    arrivals: Arrivals | None = None,
    warmup: int = 0,
    timeout_s: float = 120.0,
    slo: Mapping[str, float] | None = None,
    seed: int = 0,
    q: str | Iterable[str] = QUESTIONS,
    model: str = "",
    token: str = "",
    progress: bool = False,
    tell: Callable[[Progress], None] | None = None,
    **params: Any,
) -> Report:
    """Put a load on a server of ours or one of OpenAI's form, and return what its readers saw.

    `url` is the base of our server, or of one of OpenAI's form (ending in `/v1` or `/chat/completions`). Without `rate`
    so many streams as `concurrency` (4) are open all the time; with it, so many requests a second begin as a Poisson
    process (or `arrivals="constant"`), with at most `concurrency` (1000) open: `load.plan.Plan` describes each setting.
    It ends after `requests` (default: 20 without a duration) or `duration_s`. The questions `q` are asked in turn, with
    `model` and `params` (max_tokens, temperature, chunk_tokens ...). `token` goes as a bearer token and is not kept.

    One question is asked first and left at its first text, to see that there are answers. An interrupt ends the load
    and keeps what was measured. Blocks; `progress` shows a bar, `tell` hears of it five times a second.

        report = sw.bench("http://127.0.0.1:8765", requests=50, concurrency=10, model="synthetic:tokens=60,rate=30")
        report.summary.spreads["ttft_ms"].p95
        report.frame().plot.scatter("started_s", "ttft_ms")
        report.save("load.html")

    Raises ValueError for a plan that cannot be; ConnectError, RemoteError, WrongContentType or IdleTimeout, with what
    to do about it, when the first question is not answered. What fails later is counted, in `summary.errors`.
    """
    plan = planned(
        requests=requests,
        duration_s=duration_s,
        concurrency=concurrency,
        rate=rate,
        arrivals=arrivals,
        warmup=warmup,
        timeout_s=timeout_s,
        slo=dict(slo or {}),
        seed=seed,
    )
    questions = (q,) if isinstance(q, str) else tuple(q)
    if not questions:
        raise ValueError("there is no question to ask")
    target = Target(url, model=model, token=token, params=params, patience_s=timeout_s)
    bar = Bar(plan, sys.stderr, quiet=not progress)
    try:
        return measured(plan, target, questions, tell or bar.tell)
    finally:
        bar.done()


def planned(**settings: Any) -> Plan:
    """Return the plan of settings of which None are not given. Raises ValueError for what cannot be."""
    given = {name: value for name, value in settings.items() if value is not None}
    if "rate" in given:
        given.setdefault("arrivals", "poisson")
    if given.get("arrivals", "closed") != "closed":
        given.setdefault("concurrency", OPEN_AT_A_RATE)
    if "duration_s" not in given:
        given.setdefault("requests", 20)
    return Plan(**given)


def measured(plan: Plan, target: Target, questions: tuple[str, ...], tell: Callable[[Progress], None]) -> Report:
    """Drive on the readers' loop and tell of it on this thread. An interrupt ends it and keeps what was measured."""
    created = datetime.now(UTC)
    drive = Drive(plan, target, questions)
    future = submit(drive.run())
    try:
        driven = _watched(drive, future, tell)
    except SSEWidgetError as error:
        raise advised(error, target) from error
    return _report(plan, target, questions, driven, created)


def _watched(drive: Drive, future: Future[Driven], tell: Callable[[Progress], None]) -> Driven:
    try:
        while True:
            try:
                with suppress(TimeoutError):
                    return future.result(TELL_EVERY_S)
                if future.done():
                    return future.result()
                tell(drive.progress)
            except KeyboardInterrupt:  # it may strike while somebody is told
                drive.leave()
    except BaseException:  # whoever is told has failed: nobody would ever end the load
        drive.leave()
        raise


def _report(plan: Plan, target: Target, questions: tuple[str, ...], driven: Driven, created: datetime) -> Report:
    return Report(
        created=created.isoformat(timespec="seconds").replace("+00:00", "Z"),
        subject=Subject(
            url=target.url, kind=target.kind, model=target.model, params=target.params, questions=questions
        ),
        plan=plan,
        environment=environment(),
        summary=summary_of(
            plan,
            driven.samples,
            gaps_ms=driven.gaps_ms,
            elapsed_s=driven.elapsed_s,
            peak_open=driven.peak_open,
            left=driven.left,
            unsent=driven.unsent,
            lags_ms=driven.lags_ms,
        ),
        interrupted=driven.interrupted,
        samples=driven.samples,
        gaps_ms=driven.gaps_ms,
    )
