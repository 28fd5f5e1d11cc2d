"""The report on a terminal: aligned, as wide as it is."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from sse_widget.load.words import COLUMNS, FIGURES, Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sse_widget.load.report import Report
    from sse_widget.load.summary import Spread

_DROPPED_FIRST = ("mean", "max", "p90", "p99")
_NARROWEST = 30


def render(report: Report, width: int | None = None) -> str:
    """Return the report as lines of at most `width` columns (default: those of the terminal); an URL is never broken.

    Columns that do not fit are left out, the median and the 95th percentile last.
    """
    width = max(_NARROWEST, width or shutil.get_terminal_size((100, 24)).columns)
    return "\n".join([*_head(report, width), "", *_spreads(report, width), *_failures(report, width)])


def _head(report: Report, width: int) -> Iterator[str]:
    summary, plan = report.summary, report.plan
    yield f"{report.subject.url}{f'  {report.subject.model}' if report.subject.model else ''}"
    load = (
        f"{plan.concurrency} at a time"
        if plan.arrivals == "closed"
        else f"{plan.rate or 0:g} requests/s, {plan.arrivals}"
    )
    stopped = "interrupted; " if report.interrupted else ""
    parts = [
        f"{stopped}{load}",
        f"{summary.elapsed_s:.1f} s",
        f"{summary.done} of {summary.requests} requests done",
        f"{summary.failed} failed" if summary.failed else "",
        f"{summary.left} left" if summary.left else "",
        f"{summary.unsent} due and never sent" if summary.unsent else "",
        _amount("requests/s", summary.requests_per_s),
        _amount("tokens/s", summary.tokens_per_s),
        _amount("characters/s", summary.chars_per_s),
        _goodput(report),
        f"{summary.peak_open} open at most",
        f"{summary.reconnects} reconnects" if summary.reconnects else "",
        _lag(summary.driver_lag_p99_ms),
    ]
    yield from _joined([part for part in parts if part], width)


def _goodput(report: Report) -> str:
    summary = report.summary
    if summary.good is None:
        return ""
    return (
        f"goodput {summary.goodput_per_s or 0.0:.4g} requests/s ({summary.good} of {summary.requests} kept the level)"
    )


def _lag(p99_ms: float | None) -> str:
    """What is measured here is no more exact than this process is prompt."""
    return "" if p99_ms is None else f"this process up to {p99_ms:.0f} ms late (p99)"


def _amount(unit: str, value: float | None) -> str:
    return "" if value is None else f"{value:.4g} {unit}"


def _joined(parts: Sequence[str], width: int) -> Iterator[str]:
    line = ""
    for part in parts:
        if line and len(line) + 2 + len(part) > width:
            yield f"{line},"
            line = part
        else:
            line = f"{line}, {part}" if line else part
    yield line


def _spreads(report: Report, width: int) -> Iterator[str]:
    spreads = report.summary.spreads
    rows = [(figure, spreads[name]) for name, figure in FIGURES.items() if name in spreads]
    if not rows:
        yield "nothing was measured"
        return
    columns = list(COLUMNS)
    lines = _aligned(rows, columns)
    for name in _DROPPED_FIRST:
        if len(lines[0]) <= width:
            break
        columns.remove(name)
        lines = _aligned(rows, columns)
    yield from lines


def _aligned(rows: Sequence[tuple[Figure, Spread]], columns: Sequence[str]) -> list[str]:
    cells = [["", *columns]] + [
        [figure.en, *(figure.shown(getattr(spread, column)) for column in columns)] for figure, spread in rows
    ]
    widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(room) for cell, room in zip(row[1:], widths[1:], strict=True))]
        )
        for row in cells
    ]


def _failures(report: Report, width: int) -> Iterator[str]:
    for code, times in report.summary.errors.items():
        message = next((sample.message for sample in report.samples if sample.code == code), "")
        line = printable(f"{times} x {code}: {message}")
        yield line if len(line) <= width else f"{line[: width - 1]}…"


def printable(text: str) -> str:
    """Return a text of a server's that cannot command a terminal: what is not printable is replaced."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
