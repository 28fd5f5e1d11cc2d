"""What the doctor says: in both languages, for every verdict, on terminals of any width and in HTML."""

from __future__ import annotations

import ast
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter

import msgspec
import pytest

from sse_widget import diagnosis
from sse_widget.diagnosis import verdicts, words
from sse_widget.diagnosis.judgement import PROBES, Judgement
from sse_widget.diagnosis.progress import DOING, Progress, line
from sse_widget.diagnosis.remedies import COMMON, LINES, lines_for
from sse_widget.diagnosis.report import Report, summary
from sse_widget.diagnosis.table import as_html
from sse_widget.diagnosis.terminal import columns, render, wants_colour, wrapped
from sse_widget.diagnosis.words import preferred_lang

ARABIC = re.compile("[\u0600-\u06ff]")
VALUE_ONLY = {"content_type.good", "hops.some", "redirects.some"}
EVERYTHING = {
    **{f"{code}/seen": case.seen for code, case in words.CASES.items()},
    **{f"{code}/remedy": case.remedy for code, case in words.CASES.items() if case.remedy is not None},
    **{f"title/{name}": title for name, title in words.TITLES.items()},
    **{f"verdict/{name}": said for name, said in words.VERDICTS.items()},
    **{name: value for name, value in vars(words).items() if isinstance(value, words.Words)},
    "progress": DOING,
}
NASTY = "<script>alert('&')</script>"
BUFFERED = Judgement(
    "buffering",
    "fault",
    "buffering.held",
    {
        "count": 20,
        "span_s": 0.01,
        "written_s": 1.9,
        "first_s": 2.0,
        "method": "GET",
        "other": "",
        "who": "nginx/1.22.1",
    },
    "buffering",
)
GOOD = Judgement("content_type", "ok", "content_type.good", {"got": "text/event-stream"})
SKIPPED = Judgement("cors", "skipped", "skipped.no_origin")
WARNED = Judgement(
    "idle", "warning", "idle.tight", {"lived_s": 30.1, "heartbeat_s": 20.0, "status": 200, "safe_s": 12.0}, "idle"
)
REPORT = Report("https://a.example", (GOOD, BUFFERED, WARNED, SKIPPED), ("nginx",))


def places(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def codes_of_verdicts():
    """Every code that a verdict can give, read from the source."""
    found = set()
    for file in Path(verdicts.__file__).parent.glob("*.py"):
        for call in (node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)):
            name = getattr(call.func, "id", "")
            texts = [
                node.value for node in ast.walk(call) if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
            if name in {"ok", "warning", "fault"}:
                found |= {text for text in texts if re.fullmatch(r"[a-z_]+\.[a-z_0-9]+", text)}
            elif name == "skipped":
                found |= {f"skipped.{text}" for text in texts[1:]}
    return found


@pytest.mark.parametrize("name", EVERYTHING)
def test_words_are_there_in_both_languages_with_the_same_places(name):
    said = EVERYTHING[name]
    assert places(said.en) == places(said.ar)
    assert said.en.count("`") % 2 == said.ar.count("`") % 2 == 0
    assert "\u200e" not in said.ar, "what is typed stands in backticks, which keep its direction"
    assert said.en.isascii()
    if name.removesuffix("/seen") not in VALUE_ONLY and name not in {"title/websocket", "AT"}:
        assert ARABIC.search(said.ar)


def test_every_verdict_has_words_and_every_probe_a_title():
    assert codes_of_verdicts() <= set(words.CASES)
    assert set(words.TITLES) == set(PROBES)


def test_every_fault_says_what_to_do():
    for code, case in words.CASES.items():
        source = "".join(path.read_text("utf-8") for path in Path(verdicts.__file__).parent.glob("*.py"))
        if re.search(rf"(fault|warning)\(\s*f?\"{re.escape(code)}\"", source):
            assert case.remedy is not None, code


@pytest.mark.parametrize("topic", LINES)
def test_lines_to_paste_are_for_the_programs_that_were_found(topic):
    known = [name for name in LINES[topic] if name]
    assert dict(lines_for(topic, [known[0], "Squid"])) == {known[0]: LINES[topic][known[0]]}
    unnamed = [name for name, _ in lines_for(topic, [])]
    assert all(name in {*COMMON, ""} for name in unnamed)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 300])
@pytest.mark.parametrize("lang", ["en", "ar"])
def test_a_terminal_of_any_width(width, lang):
    pasted = {part for topic in LINES.values() for lines in topic.values() for part in lines.splitlines()}
    text = render(REPORT.translated(lang), width=width)
    assert "\x1b" not in text
    longest_word = max(
        columns(word) for finding in REPORT.translated(lang).findings for word in finding.evidence.split()
    )
    for shown in text.splitlines():
        if shown.strip() not in pasted:
            assert columns(shown) <= max(width, 40, longest_word + 30)
    assert "proxy_buffering off;" in text


def test_the_columns_stand_under_each_other_in_arabic_too():
    lines = render(REPORT.translated("ar"), width=100).splitlines()
    at = {
        columns(row[: row.index(found)])
        for row in lines
        for found in ("text/event-stream", "البث محتجز")
        if found in row
    }
    assert len(at) == 1


def test_colour_is_for_terminals_whose_user_wants_it(monkeypatch):
    class Terminal:
        def isatty(self):
            return True

    assert wants_colour(Terminal(), {})
    assert not wants_colour(Terminal(), {"NO_COLOR": "1"})
    assert wants_colour(Terminal(), {"NO_COLOR": ""})
    assert not wants_colour(Terminal(), {"TERM": "dumb"})
    assert not wants_colour(None, {})
    assert "\x1b[31;1m✗\x1b[0m" in render(REPORT, colour=True)


def test_wrapping_counts_columns_and_loses_no_word():
    text = "流 a بُثّ 流流流流流流 bb"
    lines = list(wrapped(text, 6))
    assert " ".join(lines) == text
    assert all(columns(found) <= 6 or " " not in found for found in lines)


def test_nothing_from_the_wire_steers_a_terminal():
    nasty = msgspec.structs.replace(BUFFERED, figures={**BUFFERED.figures, "who": "\x1b]0;x\x07\x9b31m\u202e`n`\nx"})
    text = render(Report("https://a.example", (nasty,)), colour=False)
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(text)


def test_html_escapes_what_came_over_the_wire():
    nasty = msgspec.structs.replace(BUFFERED, figures={**BUFFERED.figures, "who": NASTY})
    report = Report(f"https://a.example/{NASTY}", (nasty,), behind=(Report(NASTY, (nasty,)),))
    html = as_html(report)
    assert "<script" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(("lang", "direction"), [("en", "ltr"), ("ar", "rtl")])
def test_html_is_well_formed_and_has_its_direction(lang, direction):
    class Balance(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open, self.tags = [], []

        def handle_starttag(self, tag, attrs):
            self.tags.append((tag, dict(attrs)))
            if tag != "br":
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    parser = Balance()
    parser.feed(msgspec.structs.replace(REPORT, behind=(REPORT,)).translated(lang)._repr_html_())
    assert parser.open == []
    assert parser.tags[0] == ("div", {"class": "sse-doctor", "dir": direction, "lang": lang})
    assert all(attrs["dir"] == "ltr" for tag, attrs in parser.tags if tag == "pre")


def test_a_report_is_plain_data_for_programs():
    data = json.loads(json.dumps(REPORT.as_dict()))
    assert data["culprit"] == "buffering"
    assert data["ok"] is False
    found = {finding["probe"]: finding for finding in data["findings"]}
    assert found["buffering"]["figures"]["written_s"] == 1.9
    assert found["buffering"]["config"][0]["for"] == "nginx"
    assert found["idle"]["verdict"] == "warning"


def test_the_summary_names_culprit_and_hop():
    assert summary(REPORT) == "Culprit: Buffering, at nginx/1.22.1 (faults: 1, warnings: 1)"
    assert summary(Report("u", (WARNED,))).startswith("Worth a look: Idle time-out")
    assert summary(Report("u", (GOOD,))) == "No fault."
    assert "Interrupted" in summary(Report("u", (GOOD,), complete=False))


def test_a_chain_says_where_a_fault_comes_in():
    placed = msgspec.structs.replace(BUFFERED, hop=("https://a.example", "http://b.example"))
    text = str(Report("https://a.example", (placed,), behind=(Report("http://b.example", (GOOD,)),)))
    assert "between https://a.example and http://b.example" in " ".join(text.split())
    assert "Behind it: http://b.example" in text


@pytest.mark.parametrize(
    ("tag", "environment", "lang"),
    [
        ("", {"LANG": "ar_EG.UTF-8"}, "ar"),
        ("", {"LC_ALL": "C", "LANG": "ar_EG.UTF-8"}, "en"),
        ("", {}, "en"),
        ("ar-SA", {"LANG": "en_US"}, "ar"),
        ("en", {"LANG": "ar"}, "en"),
        ("", {"LANG": "arn_CL"}, "en"),
    ],
)
def test_the_language_is_the_given_one_else_the_locales(tag, environment, lang):
    assert preferred_lang(tag, environment) == lang


def test_progress_is_said_in_both_languages():
    progress = Progress(("idle", "websocket"), 12.0, 60.0)
    assert line(progress, "en") == "12 s of at most 60 s: Idle time-out, WebSocket"
    assert ARABIC.search(line(progress, "ar"))


def test_the_public_names():
    assert diagnosis.doctor.__module__ == "sse_widget.diagnosis"
