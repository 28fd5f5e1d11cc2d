"""The report: every finding with its evidence and remedy, and which of them is the culprit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sse_widget.diagnosis import words
from sse_widget.diagnosis.judgement import NO_SERVER, NO_WAY, Figure, Judgement, Verdict
from sse_widget.diagnosis.remedies import lines_for
from sse_widget.diagnosis.words import Lang

EXIT_OK = 0
EXIT_FAULT = 1
EXIT_UNREACHED = 3
EXIT_INTERRUPTED = 130


class Finding(msgspec.Struct, frozen=True):
    """What one probe found, in one language.

    `evidence` is what was seen, with its figures; `remedy` what to do; `config` pairs of a program and lines to paste
    into its configuration; `hop` where in a chain of addresses it comes in. `code` and `figures` are for programs.
    """

    probe: str
    title: str
    verdict: Verdict
    evidence: str
    remedy: str = ""
    config: tuple[tuple[str, str], ...] = ()
    hop: str = ""
    code: str = ""
    figures: Mapping[str, Figure] = {}


class Report(msgspec.Struct, frozen=True):
    """What the doctor found of `url`. Printed it is text, in a notebook a table; `str(report)` and `as_dict()` too.

    `complete` is False when the examination was interrupted. `behind` has the reports of the addresses behind this
    one, as they were given, the nearest first. `software` names the programs on the way.
    """

    url: str
    judgements: tuple[Judgement, ...]
    software: tuple[str, ...] = ()
    lang: Lang = "en"
    took_s: float = 0.0
    complete: bool = True
    behind: tuple[Report, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One finding a probe, in the order of the way from here to the stream."""
        return tuple(self._finding(judgement) for judgement in self.judgements)

    @property
    def faults(self) -> tuple[Finding, ...]:
        """The findings that break streams."""
        return tuple(finding for finding in self.findings if finding.verdict == "fault")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that may break streams at other times."""
        return tuple(finding for finding in self.findings if finding.verdict == "warning")

    @property
    def culprit(self) -> Finding | None:
        """The first fault, which may cause those after it; without a fault the first warning; None if all is well."""
        return next(iter((*self.faults, *self.warnings)), None)

    @property
    def ok(self) -> bool:
        """Whether there is no fault. Warnings do not count."""
        return not self.faults

    @property
    def reached(self) -> bool:
        """Whether a server was reached at all."""
        faults = [judgement for judgement in self.judgements if judgement.verdict == "fault"]
        return not any(fault.probe in NO_WAY or fault.code in NO_SERVER for fault in faults)

    @property
    def exit_code(self) -> int:
        """For CI: 0 no fault, 1 a fault, 3 no server reached, 130 interrupted before a fault was found."""
        if not self.reached:
            return EXIT_UNREACHED
        if not self.ok:
            return EXIT_FAULT
        return EXIT_OK if self.complete else EXIT_INTERRUPTED

    def translated(self, lang: str) -> Report:
        """Return the report in English or Arabic."""
        other = words.preferred_lang(lang)
        behind = tuple(report.translated(lang) for report in self.behind)
        return msgspec.structs.replace(self, lang=other, behind=behind)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data that JSON can hold."""
        culprit = self.culprit
        return {
            "url": self.url,
            "ok": self.ok,
            "reached": self.reached,
            "complete": self.complete,
            "culprit": None if culprit is None else culprit.probe,
            "took_s": round(self.took_s, 3),
            "software": list(self.software),
            "lang": self.lang,
            "findings": [_plain(finding) for finding in self.findings],
            "behind": [report.as_dict() for report in self.behind],
        }

    def __str__(self) -> str:
        from sse_widget.diagnosis.terminal import for_stdout  # noqa: PLC0415 - it renders this very class

        return for_stdout(self)

    def _repr_html_(self) -> str:
        from sse_widget.diagnosis.table import as_html  # noqa: PLC0415 - it renders this very class

        return as_html(self)

    def _finding(self, judgement: Judgement) -> Finding:
        case, figures = words.CASES[judgement.code], judgement.figures
        return Finding(
            judgement.probe,
            words.TITLES[judgement.probe].plain(self.lang),
            judgement.verdict,
            words.say(case.seen, figures, self.lang).strip(),
            "" if case.remedy is None else words.say(case.remedy, figures, self.lang),
            lines_for(judgement.topic, self.software) if judgement.topic else (),
            hop_said(judgement, self.lang),
            judgement.code,
            figures,
        )


def hop_said(judgement: Judgement, lang: Lang) -> str:
    """Return where in the chain it comes in; empty without a chain."""
    if judgement.hop is None:
        return ""
    outer, inner = judgement.hop
    return words.say(words.BETWEEN if inner else words.AT_SERVER, {"outer": outer, "inner": inner}, lang)


def summary(report: Report) -> str:
    """Return the report in one line."""
    lang = report.lang
    culprit = report.culprit
    if culprit is None:
        found = words.HEALTHY.plain(lang)
    else:
        lead = words.CULPRIT if culprit.verdict == "fault" else words.LOOK_AT
        who = str(culprit.figures.get("who", ""))
        title = words.say(words.AT, {"title": culprit.title, "who": who}, lang) if who else culprit.title
        counts = {"faults": len(report.faults), "warnings": len(report.warnings)}
        found = f"{words.say(lead, {'title': title}, lang)} ({words.say(words.COUNTS, counts, lang)})"
    return found if report.complete else f"{found} {words.INTERRUPTED.plain(lang)}"


def _plain(finding: Finding) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(finding),
        "config": [{"for": name, "lines": lines} for name, lines in finding.config],
        "figures": {name: _short(value) for name, value in finding.figures.items()},
    }


def _short(value: Figure) -> Figure:
    return round(value, 4) if isinstance(value, float) else value
