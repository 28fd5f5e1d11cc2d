"""The report on a terminal: aligned, as wide as it is, coloured where colour is wanted."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from typing import TYPE_CHECKING

from sse_widget.diagnosis import words
from sse_widget.diagnosis.report import summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TextIO

    from sse_widget.diagnosis.report import Finding, Report

MARKS = {"ok": "✓", "warning": "!", "fault": "✗", "skipped": "-"}
_COLOURS = {"ok": "32", "warning": "33", "fault": "31;1", "skipped": "2"}
_BOLD, _DIM = "1", "2"
_NARROWEST, _WIDEST = 40, 120
# Where titles would leave less than this for the text, each stands on a line of its own.
_LEAST_TEXT = 30


def for_stdout(report: Report) -> str:
    """Return the report as standard output wants it."""
    return render(report, width=shutil.get_terminal_size((100, 24)).columns, colour=wants_colour(sys.stdout))


def wants_colour(stream: TextIO | None, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a stream is a terminal whose user has not refused colour (no-color.org)."""
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    return stream is not None and stream.isatty()


def render(report: Report, *, width: int = 100, colour: bool = False) -> str:
    """Return the report as lines of at most `width` columns; lines to paste are never broken."""
    return "\n".join(_lines(report, min(max(width, _NARROWEST), _WIDEST), _Ink(on=colour)))


class _Ink:
    def __init__(self, *, on: bool) -> None:
        self._on = on

    def __call__(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._on and text else text


def _lines(report: Report, width: int, ink: _Ink) -> Iterator[str]:
    yield ink(words.say(words.REPORT, {"url": report.url}, report.lang), _BOLD)
    yield ""
    findings = report.findings
    column = max((columns(finding.title) for finding in findings), default=0)
    for finding in findings:
        yield from _finding(finding, column, width, ink)
    yield ""
    culprit = report.culprit
    yield from (
        ink(line, _COLOURS["ok" if culprit is None else culprit.verdict]) for line in wrapped(summary(report), width)
    )
    for inner in report.behind:
        yield ""
        yield ink(words.say(words.BEHIND, {"url": inner.url}, report.lang), _BOLD)
        yield from wrapped(summary(inner), width)


def _finding(finding: Finding, column: int, width: int, ink: _Ink) -> Iterator[str]:
    mark = ink(MARKS[finding.verdict], _COLOURS[finding.verdict])
    beside = width - column - 4 >= _LEAST_TEXT
    indent = " " * (column + 4 if beside else 4)
    title = finding.title + " " * (column - columns(finding.title))
    seen = list(wrapped(finding.evidence, width - len(indent)))
    text = _DIM if finding.verdict == "skipped" else ""
    if beside:
        yield f"{mark} {title}  {_tinted(seen.pop(0), text, ink)}"
    else:
        yield f"{mark} {finding.title}"
    for line in seen:
        yield indent + _tinted(line, text, ink)
    if finding.verdict in {"ok", "skipped"}:
        return
    for part in (finding.hop, finding.remedy):
        for line in wrapped(part, width - len(indent)) if part else ():
            yield indent + line
    for name, config in finding.config:
        if name:
            yield indent + ink(f"{name}:", _BOLD)
        for line in config.splitlines():
            yield f"{indent}    {ink(line, '36')}"


def _tinted(text: str, code: str, ink: _Ink) -> str:
    return ink(text, code) if code else text


def columns(text: str) -> int:
    """Return how many columns a terminal gives a text: none to marks, two to wide characters."""
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def wrapped(text: str, width: int) -> Iterator[str]:
    """Yield lines of at most `width` columns, broken at blanks; a longer word stands by itself."""
    line, used = "", 0
    for word in text.split():
        room = columns(word)
        if line and used + 1 + room > width:
            yield line
            line, used = "", 0
        line, used = (f"{line} {word}", used + 1 + room) if line else (word, room)
    yield line
