"""The report as a table in a notebook: in the page's colours, light or dark, in the direction of its language."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from sse_widget.diagnosis import words
from sse_widget.diagnosis.report import hop_said, summary
from sse_widget.diagnosis.terminal import MARKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sse_widget.diagnosis.judgement import Figure, Judgement
    from sse_widget.diagnosis.report import Finding, Report

# Badges carry their own colours, with contrast above 4.5 : 1; all else takes the page's, in light and dark.
_STYLE = """
.sse-doctor { font-family: var(--jp-ui-font-family, system-ui, sans-serif); font-size: var(--jp-ui-font-size1, 13px);
  line-height: 1.5; color: var(--jp-ui-font-color1, inherit); max-width: 62rem; }
.sse-doctor h4 { margin: 0 0 .2em; font-size: 1.1em; overflow-wrap: anywhere; }
.sse-doctor > p { margin: 0 0 .6em; text-align: start; }
.sse-doctor .sse-doctor-table { border-collapse: collapse; width: 100%; table-layout: auto; border: 0; }
.sse-doctor .sse-doctor-table th, .sse-doctor .sse-doctor-table td { text-align: start; vertical-align: top;
  padding: .35em .6em; white-space: normal; border: 0;
  border-top: 1px solid color-mix(in srgb, currentcolor 18%, transparent);
  background: transparent; color: inherit; max-width: none; }
.sse-doctor .sse-doctor-table th { white-space: nowrap; font-weight: 600; }
.sse-doctor .sse-doctor-table td { overflow-wrap: anywhere; }
.sse-doctor .sse-doctor-table td:last-child { width: 100%; }
.sse-doctor .sse-doctor-table thead th { border-top: 0; font-weight: 400; opacity: .8; }
.sse-doctor .sse-doctor-badge { display: inline-block; min-width: 5.2em; padding: .05em .5em; border-radius: .4em;
  text-align: center; color: #fff; white-space: nowrap; }
.sse-doctor .sse-doctor-ok { background: #1b6e3c; }
.sse-doctor .sse-doctor-warning { background: #8a5200; }
.sse-doctor .sse-doctor-fault { background: #b3261e; }
.sse-doctor .sse-doctor-skipped { background: #5f6368; }
.sse-doctor .sse-doctor-table pre { margin: .2em 0 .6em; padding: .5em .7em; border-radius: .3em; overflow-x: auto;
  text-align: left; background: color-mix(in srgb, currentcolor 9%, transparent); color: inherit; white-space: pre-wrap;
  word-break: normal; overflow-wrap: anywhere; font-family: var(--jp-code-font-family, monospace); font-size: .92em; }
.sse-doctor .sse-doctor-table code { display: inline-block; max-width: 100%; white-space: normal;
  padding: 0 .2em; border-radius: .2em; color: inherit; unicode-bidi: isolate;
  background: color-mix(in srgb, currentcolor 9%, transparent);
  font-family: var(--jp-code-font-family, monospace); font-size: .92em; }
.sse-doctor details { margin-top: .3em; }
.sse-doctor summary { cursor: pointer; }
"""


def as_html(report: Report) -> str:
    """Return the table, with its style; everything that came over the wire is escaped."""
    lang = report.lang
    direction = "rtl" if lang == "ar" else "ltr"
    head = "".join(f"<th scope='col'>{escape(column.plain(lang))}</th>" for column in words.COLUMNS.values())
    pairs = zip(report.judgements, report.findings, strict=True)
    rows = "".join(_row(report, judgement, finding) for judgement, finding in pairs)
    behind = "".join(_behind(inner) for inner in report.behind)
    return (
        f"<div class='sse-doctor' dir='{direction}' lang='{lang}'><style>{_STYLE}</style>"
        f"<h4>{_said(words.REPORT, {'url': report.url}, report)}</h4>"
        f"<p><strong>{escape(summary(report))}</strong></p>"
        f"<table class='sse-doctor-table'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{behind}</div>"
    )


def _row(report: Report, judgement: Judgement, finding: Finding) -> str:
    case = words.CASES[judgement.code]
    parts = [_said(case.seen, judgement.figures, report)]
    if finding.verdict not in {"ok", "skipped"}:
        if judgement.hop is not None:
            parts.append(escape(hop_said(judgement, report.lang)))
        if case.remedy is not None:
            parts.append(_said(case.remedy, judgement.figures, report))
    text = "<br>".join(parts) + "".join(_config(name, lines) for name, lines in finding.config)
    badge = f"{MARKS[finding.verdict]} {escape(words.VERDICTS[finding.verdict].plain(report.lang))}"
    return (
        f"<tr><th scope='row'>{escape(finding.title)}</th>"
        f"<td><span class='sse-doctor-badge sse-doctor-{finding.verdict}'>{badge}</span></td><td>{text}</td></tr>"
    )


def _config(name: str, lines: str) -> str:
    title = f"<bdi>{escape(name)}</bdi>" if name else "$"
    return f"<details open><summary>{title}</summary><pre dir='ltr'>{escape(lines)}</pre></details>"


def _behind(report: Report) -> str:
    title = _said(words.BEHIND, {"url": report.url}, report)
    return f"<details><summary>{title}: {escape(summary(report))}</summary>{as_html(report)}</details>"


def _said(text: words.Words, figures: Mapping[str, Figure], report: Report) -> str:
    return words.say(text, figures, report.lang, _STYLED)


def _isolated(figure: str) -> str:
    """A figure keeps its own direction inside Arabic words."""
    return f"<bdi>{escape(figure)}</bdi>"


def _code(text: str) -> str:
    return f"<code dir='ltr'>{text}</code>"


_STYLED = words.Style(escape, _isolated, _code)
