"""The figures of a load against values worked out by hand, and its report in every form."""

from __future__ import annotations

import errno
import io
import json
import re
import threading
from html.parser import HTMLParser

import msgspec
import pytest

from rig.serving import PATIENCE_S
from sse_widget.errors import ConnectError
from sse_widget.load import planned
from sse_widget.load.advice import advised
from sse_widget.load.drive import Progress
from sse_widget.load.plan import Plan, keeps
from sse_widget.load.progress import Bar
from sse_widget.load.questions import QUESTIONS, questions_of
from sse_widget.load.reading import Reading
from sse_widget.load.report import Report, Subject, environment
from sse_widget.load.sample import Sample
from sse_widget.load.summary import summary_of
from sse_widget.load.table import render
from sse_widget.load.target import Target
from sse_widget.measure.metrics import Metrics
from sse_widget.plots.requests import requests
from sse_widget.protocol.sse import Event

HOSTILE = "<script>alert('x')</script> & \"more\""


def sample(number, *, ttft_ms=100.0, total_ms=1000.0, **fields):
    metrics = Metrics(
        deltas=3, chars=50, tokens=10, ttft_ms=ttft_ms, delivered_total_ms=total_ms, delivered_chars_per_s=40.0
    )
    given = {"state": "done", "question": 0, "started_s": float(number), "ended_s": number + 1.0, **fields}
    return Sample(number=number, metrics=given.pop("metrics", metrics), **given)


FAILED = sample(4, state="error", code="overloaded", message=HOSTILE, metrics=Metrics(deltas=0, chars=0))
SAMPLES = [sample(number, ttft_ms=100.0 * (number + 1)) for number in range(4)] + [FAILED]


def report_of(samples=SAMPLES, gaps_ms=(10.0, 20.0, 30.0), **plan):
    settled = Plan(**plan)
    return Report(
        created="2026-01-02T03:04:05Z",
        subject=Subject(url="http://127.0.0.1:1/v1", kind="openai", model=HOSTILE, questions=(HOSTILE, "ما البث؟")),
        plan=settled,
        environment=environment(),
        summary=summary_of(
            settled, samples, gaps_ms=gaps_ms, elapsed_s=5.0, peak_open=2, lags_ms=[0.0, 1.0, 2.0] if samples else []
        ),
        samples=tuple(samples),
        gaps_ms=tuple(gaps_ms),
    )


def test_the_figures_of_a_load_are_those_worked_out_by_hand():
    summary = report_of(slo={"ttft_ms": 250.0}).summary
    assert (summary.requests, summary.done, summary.failed, summary.errors) == (5, 4, 1, {"overloaded": 1})
    assert (summary.requests_per_s, summary.tokens_per_s, summary.chars_per_s) == (4 / 5, 40 / 5, 200 / 5)
    assert (summary.good, summary.goodput_per_s) == (2, 2 / 5)
    ttft = summary.spreads["ttft_ms"]
    assert (ttft.count, ttft.mean, ttft.min, ttft.p50, ttft.max) == (4, 250.0, 100.0, 250.0, 400.0)
    assert (ttft.p90, ttft.p95, ttft.p99) == pytest.approx((370.0, 385.0, 397.0))
    assert summary.spreads["gap_ms"].p50 == 20.0
    assert summary.driver_lag_p99_ms == pytest.approx(1.98)
    assert "late_ms" not in summary.spreads
    assert "tpot_ms" not in summary.spreads


def test_tokens_that_one_server_did_not_tell_are_not_added_up():
    untold = msgspec.structs.replace(SAMPLES[0].metrics, tokens=None)
    summary = report_of([*SAMPLES, sample(5, metrics=untold)]).summary
    assert summary.tokens_per_s is None


@pytest.mark.parametrize(
    ("slo", "fields", "kept"),
    [
        ({}, {}, True),
        ({"ttft_ms": 100.0}, {}, True),
        ({"ttft_ms": 99.9}, {}, False),
        ({"ttft_ms": 600.0}, {"planned_s": 0.5, "number": 1}, True),
        ({"ttft_ms": 599.0}, {"planned_s": 0.5, "number": 1}, False),
        ({"delivered_chars_per_s": 40.0}, {}, True),
        ({"delivered_chars_per_s": 41.0}, {}, False),
        ({"ttft_ms": 100.0, "delivered_total_ms": 999.0}, {}, False),
        ({"tpot_ms": 50.0}, {}, False),
        ({"ttft_ms": 1000.0}, {"state": "error"}, False),
    ],
)
def test_a_level_is_kept_by_whole_answers_alone(slo, fields, kept):
    number = fields.pop("number", 0)
    assert keeps(sample(number, **fields), slo) is kept


@pytest.mark.parametrize(
    "settings",
    [
        {"rate": 0.0, "arrivals": "poisson"},
        {"arrivals": "constant"},
        {"rate": 3.0, "arrivals": "closed"},
        {"concurrency": 0},
        {"requests": 0},
        {"requests": 10**9},
        {"duration_s": 0.0},
        {"warmup": -1},
        {"timeout_s": 0.0},
        {"slo": {"ttft": 3.0}},
        {"slo": {"displayed_qoe": 3.0}},
    ],
)
def test_a_plan_that_cannot_be_is_refused(settings):
    with pytest.raises(ValueError, match=r"\w"):
        Plan(**settings)


def test_settings_that_are_not_given_have_sensible_values():
    assert planned(requests=None, rate=None) == Plan(requests=20)
    assert planned(rate=2.0) == Plan(arrivals="poisson", rate=2.0, requests=20, concurrency=1000)
    assert planned(rate=2.0, concurrency=4).concurrency == 4
    with pytest.raises(ValueError, match="concurrency must be"):
        planned(concurrency=0)
    assert planned(duration_s=3.0).requests > 1000


class Terminal(io.StringIO):
    gone = False

    def isatty(self):
        return True

    def write(self, text):
        if self.gone:
            raise BrokenPipeError(errno.EPIPE, "gone")
        return super().write(text)


def test_a_bar_whose_terminal_has_gone_is_no_error():
    stream = Terminal()
    bar = Bar(Plan(requests=5), stream)
    assert "0/5" in stream.getvalue()
    stream.gone = True
    bar.tell(Progress(ended=3))
    bar.done()
    other = threading.Thread(target=lambda: Bar(Plan(requests=5), Terminal()).done(), daemon=True)
    other.start()
    other.join(PATIENCE_S)
    assert not other.is_alive(), "another thread waits for a lock that the bar has kept"


def test_a_report_is_read_again_as_it_was_written(tmp_path):
    report = report_of(arrivals="constant", rate=2.0, slo={"ttft_ms": 250.0})
    report.save(tmp_path / "run.json")
    assert Report.load(tmp_path / "run.json") == report
    written = json.loads((tmp_path / "run.json").read_text("utf-8"))
    assert written["format"] == 1
    assert written["summary"]["spreads"]["ttft_ms"]["p50"] == 250.0
    assert [row["state"] for row in written["samples"]] == ["done"] * 4 + ["error"]
    with pytest.raises(ValueError, match=r"\.json or \.html"):
        report.save(tmp_path / "run.txt")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="no report"):
        Report.load(tmp_path / "other.json")


def test_the_frame_has_a_row_a_request_and_the_figures_of_each():
    frame = report_of().frame()
    assert list(frame["number"]) == [0, 1, 2, 3, 4]
    assert list(frame["ttft_ms"][:4]) == [100.0, 200.0, 300.0, 400.0]
    assert frame["ttft_ms"].isna()[4]
    assert list(frame["tokens"][:2]) == [10, 10]
    assert frame["code"][4] == "overloaded"
    assert len(report_of([], ()).frame()) == 0


@pytest.mark.parametrize("width", [30, 50, 60, 80, 100, 200])
def test_the_table_fits_the_terminal(width):
    report = report_of(arrivals="poisson", rate=2.0, slo={"ttft_ms": 250.0})
    lines = render(report, width).split("\n")
    table = [line for line in lines if line.startswith(("TTFT", "gap"))]
    assert len(table) == 3
    assert len({len(line) for line in table}) == 1
    assert all("p50" in line and "p95" in line for line in lines if "p50" in line)
    if width >= 50:
        assert all(len(line) <= width for line in lines[2:])


def test_a_server_cannot_command_the_terminal():
    failed = msgspec.structs.replace(FAILED, code="x\x1b[2J", message="a\x1b]0;b\x07\nc \u202eما البث؟")
    said = render(report_of([failed]), 200).split("\n")[-1]
    assert said == "1 x x\ufffd[2J: a\ufffd]0;b\ufffd\ufffdc \ufffdما البث؟"


def test_requests_that_were_never_sent_are_told_of(tmp_path):
    report = report_of()
    assert "never sent" not in render(report, 200)
    summary = msgspec.structs.replace(report.summary, unsent=321)
    report = msgspec.structs.replace(report, summary=summary)
    assert "321 due and never sent" in render(report, 200)
    report.save(tmp_path / "run.json")
    assert Report.load(tmp_path / "run.json").summary.unsent == 321
    for lang, said in (("en", "due and never sent"), ("ar", "لم تُرسل")):
        report.save(tmp_path / "run.html", lang=lang)
        text = (tmp_path / "run.html").read_text("utf-8")
        assert said in text
        assert "<dd dir='ltr'>321</dd>" in text


def test_a_report_names_itself_shortly():
    assert repr(report_of()) == "<Report: 4 of 5 requests to http://127.0.0.1:1/v1 done, 2026-01-02T03:04:05Z>"


def test_a_load_without_answers_says_so():
    assert "nothing was measured" in render(report_of([], ()), 80)


class Page(HTMLParser):
    """What a page loads, its elements, and whether they nest."""

    VOID = frozenset({"meta", "br", "link", "img"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.loads, self.ids = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        named = dict(attrs)
        self.ids += [named["id"]] if "id" in named else []
        self.loads += [
            named[name] for name in ("src", "href", "xlink:href") if named.get(name) and not named[name].startswith("#")
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()


@pytest.mark.parametrize(("lang", "direction"), [("en", "ltr"), ("ar", "rtl")])
@pytest.mark.parametrize("samples", [SAMPLES, [FAILED], []])
def test_the_page_is_whole_and_loads_nothing(tmp_path, lang, direction, samples):
    gaps_ms = (10.0, 20.0) if samples else ()
    report_of(samples, gaps_ms, arrivals="poisson", rate=1.0).save(tmp_path / "run.html", lang=lang)
    text = (tmp_path / "run.html").read_text("utf-8")
    assert f'<html lang="{lang}" dir="{direction}">' in text
    page = Page(text)
    assert page.open == []
    assert page.loads == []
    assert len(set(page.ids)) == len(page.ids)
    assert "script" not in page.tags
    assert not re.search(r"@import|url\((?!#)", text)
    assert page.tags.count("svg") == ({5: 4, 1: 2, 0: 0}[len(samples)])


def test_a_page_has_two_languages_only(tmp_path):
    with pytest.raises(ValueError, match="'en' or 'ar'"):
        report_of().save(tmp_path / "run.html", lang="fr")


def test_a_picture_of_many_requests_stays_small():
    many = [sample(number) for number in range(1000)]
    drawn = requests(report_of(many).frame(), title="Load")
    assert drawn.description == "Load. 1000 requests in 1,000 s, 250 of them drawn, 0 of them failed."
    with pytest.raises(ValueError, match="no requests"):
        requests(report_of([], ()).frame())


def chunk(**fields):
    return Event("message", json.dumps({"object": "chat.completion.chunk", **fields}), "")


def said(text, finish=None, **fields):
    return chunk(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": finish}], **fields)


def test_tokens_come_from_the_usage_at_the_end():
    reading = Reading(iter(float(second) for second in range(99)).__next__)
    for event in (
        said(""),
        said("one "),
        said("two"),
        said("", "stop"),
        chunk(choices=[], usage={"completion_tokens": 7}),
    ):
        reading.take(event)
    reading.take(Event("message", "[DONE]", ""))
    received = reading.received()
    assert (received.tokens, received.first_tokens, reading.whole) == (7, None, True)
    assert [(span.text, span.received_s) for span in received.spans] == [("one ", 1.0), ("two", 2.0)]
    assert (received.asked_s, received.ended_s) == (0.0, 3.0)


def test_tokens_of_the_first_text_come_from_the_usage_beside_it():
    reading = Reading(lambda: 0.0)
    told = [("", 0), ("one two ", 3), ("three", 4)]
    for text, tokens in told:
        reading.take(said(text, usage={"completion_tokens": tokens}))
    received = reading.received()
    assert (received.tokens, received.first_tokens, reading.whole) == (4, 3, False)


@pytest.mark.parametrize("data", ["", "x", "[]", "{}", "null", '{"usage": 3}', '{"usage": {"completion_tokens": "x"}}'])
def test_what_is_no_chunk_is_passed_over(data):
    reading = Reading(lambda: 0.0)
    reading.take(Event("message", data, ""))
    assert (reading.text, reading.whole, reading.received().tokens) == ("", False, None)


def test_questions_come_from_the_lines_of_a_file(tmp_path):
    path = tmp_path / "questions.txt"
    path.write_bytes("\ufeffما البث؟\r\n\n  What?\u2028And?  \n".encode())
    assert questions_of(path) == ("ما البث؟", "What?\u2028And?")
    path.write_text("\n \n")
    with pytest.raises(ValueError, match="no question"):
        questions_of(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="UTF-8"):
        questions_of(path)
    assert len(QUESTIONS) == len(set(QUESTIONS))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ConnectError("no key", code="unauthorized", status=401), "--token-file"),
        (ConnectError("All attempts failed"), "sse-server"),
        (ConnectError("it answered 404", code="not_found", status=404), "ends in /v1"),
        (ConnectError("The model x does not exist", code="not_found", status=404), "--model"),
        (ConnectError("it answered 405", status=405), "ends in /v1"),
        (ConnectError("it answered 418", status=418), "418"),
    ],
)
def test_what_fails_says_how_to_mend_it(error, says):
    told = advised(error, Target("http://127.0.0.1:1/v1", model="x"))
    assert says in told.message
    assert (told.code, told.status) == (error.code, error.status)
