"""`sse-widget bench`: load on a server, from a terminal or in CI."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sse_widget.errors import SSEWidgetError
from sse_widget.load import measured, planned
from sse_widget.load.progress import Bar
from sse_widget.load.questions import QUESTIONS, questions_of
from sse_widget.load.table import printable
from sse_widget.load.target import Target

if TYPE_CHECKING:
    import argparse

    from sse_widget.load.plan import Plan
    from sse_widget.load.report import Report

SUMMARY = "put many streams on a server and measure what their readers see"
EPILOG = """\
URL is the base of a server of ours, or of one of OpenAI's form (…/v1). Without --rate, so many streams as --concurrency
are open all the time (a closed loop); with it, so many requests a second begin, whether others have ended or not (open
arrivals, Poisson by default), with at most --concurrency open. What is due while so many are open begins late, and its
wait counts: TTFT and whole text are also given from when the request was due, so that slow answers cannot hide behind
questions that were never asked in time (coordinated omission). What still waits when the duration is over is not sent,
and counted.

One question is asked first, and left at its first text. Then --warmup requests, which are not counted. Ctrl+C ends
the load and keeps what was measured. A limit such as --slo ttft_ms=500 counts the requests that keep it (goodput);
for rates and quality of experience (…_per_s, …_qoe) it is the least, for all else the most.

exit status: 0 every request was answered, 1 some failed (or, with --slo and --strict, did not keep their level),
2 wrong usage, 3 the first question was not answered: no server, wrong URL, token or model, 130 interrupted.
"""
EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_UNREACHED, EXIT_INTERRUPTED = 0, 1, 2, 3, 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("url", help="base URL of the server")
    add("-n", "--requests", type=int, metavar="N", help="requests in all (default: 20, or no limit with --duration-s)")
    add("--duration-s", type=float, metavar="S", help="seconds during which requests begin")
    add("-c", "--concurrency", type=int, metavar="N", help="streams at a time, with --rate at most (default: 4; 1000)")
    add("--rate", type=float, metavar="R", help="requests that begin in a second")
    add("--arrivals", choices=("closed", "constant", "poisson"), help="how they begin (default: closed; poisson)")
    add("--warmup", type=int, default=0, metavar="N", help="requests before those that are counted (default: 0)")
    add("--timeout-s", type=float, default=120.0, metavar="S", help="longest time of a request (default: 120)")
    add("--slo", action="append", default=[], metavar="FIGURE=LIMIT", help="level of service; repeatable")
    add("--strict", action="store_true", help="a request that does not keep its level counts as failed")
    add("--seed", type=int, default=0, metavar="N", help="seed of the Poisson arrivals (default: 0)")
    add("--questions", metavar="FILE", help="questions, one a line (default: some in English and Arabic)")
    add("--model", default="", help="model to ask")
    add("--param", action="append", default=[], metavar="NAME=VALUE", help="parameter of each request; repeatable")
    add("--token-file", metavar="FILE", help="file with the bearer token; - reads standard input")
    add("--key-env", metavar="NAME", help="environment variable with the key, such as OPENAI_API_KEY")
    add("--json", metavar="FILE", help="write the report, with every request, as JSON")
    add("--html", metavar="FILE", help="write the report as a page with plots")
    add("--lang", choices=("en", "ar"), default="en", help="language of the page (default: en)")
    add("--quiet", action="store_true", help="no progress on standard error")


def run(options: argparse.Namespace) -> int:
    """Put the load on, print, and return the exit status."""
    try:
        plan = _plan(options)
        questions = questions_of(options.questions) if options.questions else QUESTIONS
        files = [_writable(file, ending) for file, ending in ((options.json, ".json"), (options.html, ".html")) if file]
        target = Target(
            options.url,
            model=options.model,
            token=_token(options),
            params=dict(_param(text) for text in options.param),
            patience_s=plan.timeout_s,
        )
    except (SSEWidgetError, ValueError, OSError, ImportError) as error:
        return _failed(error, EXIT_USAGE)
    bar = Bar(plan, sys.stderr, quiet=options.quiet)
    try:
        report = measured(plan, target, questions, bar.tell)
    except SSEWidgetError as error:
        bar.done()
        return _failed(error, EXIT_UNREACHED)
    bar.done()
    _print(str(report))
    for file in files:
        report.save(file, lang=options.lang)
    return _status(report, strict=options.strict)


def _plan(options: argparse.Namespace) -> Plan:
    return planned(
        requests=options.requests,
        duration_s=options.duration_s,
        concurrency=options.concurrency,
        rate=options.rate,
        arrivals=options.arrivals,
        warmup=options.warmup,
        timeout_s=options.timeout_s,
        seed=options.seed,
        slo={name: float(limit) for name, limit in (_pair(text) for text in options.slo)},
    )


def _status(report: Report, *, strict: bool) -> int:
    summary = report.summary
    if report.interrupted:
        return EXIT_INTERRUPTED
    missed = strict and summary.good is not None and summary.good < summary.requests + summary.unsent
    return EXIT_FAILED if summary.failed or missed else EXIT_OK


def _writable(file: str, ending: str) -> Path:
    """Return a path that a report can be written to; found out before the load, not after it."""
    path = Path(file)
    if path.suffix != ending:
        raise ValueError(f"the file {file!r} must end with {ending}")
    if ending == ".html":
        from sse_widget.load.page import needed  # noqa: PLC0415 - needs matplotlib

        needed()
    with path.open("ab"):
        return path


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ValueError(f"write NAME=VALUE; got {text!r}")
    return name, value


def _param(text: str) -> tuple[str, Any]:
    """A value is JSON where it can be, else a text: max_tokens=64, stop='["END"]', mode=fast."""
    name, value = _pair(text)
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _token(options: argparse.Namespace) -> str:
    if options.key_env:
        key = os.environ.get(options.key_env, "")
        if not key:
            raise ValueError(f"the environment variable {options.key_env} is empty or not set")
        return key.strip()
    if not options.token_file:
        return ""
    file: str = options.token_file
    return (Path(file).read_text("utf-8") if file != "-" else sys.stdin.read()).strip()


def _print(text: str) -> None:
    try:
        print(text, flush=True)  # noqa: T201 - a command prints
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(error: Exception, status: int) -> int:
    said = "\n".join(printable(line) for line in str(error).split("\n"))
    print(f"sse-widget bench: {said}", file=sys.stderr)  # noqa: T201 - a command prints
    return status
