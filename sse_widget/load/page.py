"""The report as a page of its own: nothing is loaded from anywhere, light or dark as the reader's system is."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import msgspec

from sse_widget.load.style import STYLE
from sse_widget.load.words import COLUMNS, FIGURES, Words, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sse_widget.load.report import Report
    from sse_widget.plots import Picture

MOST_ROWS = 500
_MOST_POINTS = 1000
_FEW = 3


def needed() -> None:
    """Load what pages need. Raises ImportError when matplotlib or pandas is not installed."""
    from sse_widget import plots  # noqa: F401, PLC0415 - slow to load
    from sse_widget.load.frame import frame_of  # noqa: PLC0415

    frame_of(())


def page(report: Report, lang: str = "en") -> str:
    """Return the page in a language, with plots. Raises ImportError without matplotlib and pandas."""
    words = words_of(lang)
    title = escape(words.title.format(url=report.subject.url))
    return (
        f'<!DOCTYPE html>\n<html lang="{words.lang}" dir="{words.direction}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main class='sse-load'>\n"
        f"{_body(report, words, plotted=True)}\n</main>\n</body>\n</html>\n"
    )


def fragment(report: Report, lang: str = "en") -> str:
    """Return the tables alone, for a notebook."""
    words = words_of(lang)
    return (
        f"<div class='sse-load' lang='{words.lang}' dir='{words.direction}'><style>{STYLE}</style>"
        f"{_body(report, words, plotted=False)}</div>"
    )


def _body(report: Report, words: Words, *, plotted: bool) -> str:
    parts = [_head(report, words), _tiles(report, words), _spreads(report, words), _errors(report, words)]
    if plotted:
        parts += [*_plots(report, words), _conditions(report, words), _requests(report, words)]
    return "\n".join(part for part in parts if part)


def _head(report: Report, words: Words) -> str:
    subject, plan = report.subject, report.plan
    closed = plan.arrivals == "closed"
    load = (words.closed if closed else words.opened[plan.arrivals]).format(
        concurrency=plan.concurrency, rate=f"{plan.rate or 0:g}"
    )
    model = f" · <bdi>{escape(subject.model)}</bdi>" if subject.model else ""
    stopped = f" · <strong>{escape(words.interrupted)}</strong>" if report.interrupted else ""
    return (
        f"<header><h1>{escape(words.heading)}</h1>"
        f"<p><bdi dir='ltr'>{escape(subject.url)}</bdi>{model}</p>"
        f"<p>{escape(load)} · <bdi dir='ltr'>{escape(report.created)}</bdi>{stopped}</p></header>"
    )


def _tiles(report: Report, words: Words) -> str:
    summary, spreads = report.summary, report.summary.spreads
    ttft = spreads.get("ttft_ms")
    tiles = [
        (f"{summary.done} / {summary.requests}", words.done),
        (_number(summary.requests_per_s), words.requests_per_s),
        (_number(summary.tokens_per_s), words.tokens_per_s),
        (_number(summary.chars_per_s), words.chars_per_s),
        (f"{_number(ttft.p50)} / {_number(ttft.p95)}" if ttft else "–", words.ttft),
        (_number(summary.goodput_per_s), words.goodput) if summary.good is not None else ("", ""),
        (str(summary.reconnects), words.reconnects) if summary.reconnects else ("", ""),
        (str(summary.unsent), words.unsent) if summary.unsent else ("", ""),
    ]
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd dir='ltr'>{escape(value)}</dd></div>" for value, name in tiles if name
    )
    return f"<dl class='sse-load-tiles'>{cells}</dl>"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _spreads(report: Report, words: Words) -> str:
    spreads = report.summary.spreads
    rows = [(figure, spreads[name]) for name, figure in FIGURES.items() if name in spreads]
    if not rows:
        return f"<p>{escape(words.nothing)}</p>"
    body = [[figure.name(words.lang), *(figure.shown(getattr(of, at)) for at in COLUMNS)] for figure, of in rows]
    return _table(words.figures, [words.figure, *(words.columns[name] for name in COLUMNS)], body) + _notes(
        report, words
    )


def _notes(report: Report, words: Words) -> str:
    notes = [words.note_done, words.note_tpot]
    if report.plan.arrivals != "closed":
        notes.append(words.note_due)
    if report.summary.driver_lag_p99_ms is not None:
        notes.append(words.note_lag.format(lag=f"{report.summary.driver_lag_p99_ms:.1f}"))
    return "".join(f"<p class='sse-load-note'>{escape(note)}</p>" for note in notes)


def _errors(report: Report, words: Words) -> str:
    if not report.summary.errors:
        return ""
    said = {sample.code: sample.message for sample in reversed(report.samples) if not sample.ok}
    rows = [[str(times), code, said.get(code, "")] for code, times in report.summary.errors.items()]
    return _table(words.errors, words.error_columns, rows, texts=(1, 2))


def _plots(report: Report, words: Words) -> Iterable[str]:
    """Yield figures; those without anything to draw are left out. What is written in them is English."""
    from sse_widget import plots  # noqa: PLC0415 - matplotlib is slow to load

    if report.samples:
        yield _figure(plots.requests(report.frame(), title="Requests over time"), words.requests_plot, words)
    waits = [
        _figure(plots.distribution(known, kind="ecdf", title=title), heading, words)
        for name, title, heading in (
            ("ttft_ms", "Waiting for the first text", words.ttft_plot),
            ("delivered_total_ms", "Waiting for the whole text", words.total_plot),
        )
        if (known := _waits(report, name))
    ]
    yield f"<div class='sse-load-pair'>{''.join(waits)}</div>"
    if report.gaps_ms:
        drawn = plots.distribution({"gaps": thinned(report.gaps_ms)}, title="Gaps between deliveries")
        yield _figure(drawn, words.gaps_plot, words)


def _waits(report: Report, name: str) -> dict[str, list[float]]:
    whole = [sample for sample in report.samples if sample.ok]
    sent = [value for sample in whole if (value := getattr(sample.metrics, name)) is not None]
    if not sent:
        return {}
    if report.plan.arrivals == "closed":
        return {"from when sent": thinned(sent)}
    due = [value for sample in whole if (value := _due(sample, name)) is not None]
    return {"from when sent": thinned(sent), "from when due": thinned(due)}


def _due(sample: Any, name: str) -> float | None:
    value: float | None = getattr(sample.metrics, name)
    return None if value is None else value + sample.late_ms


def thinned(values: Sequence[float], most: int = _MOST_POINTS) -> list[float]:
    """Return at most so many of the values, evenly over their order: a curve of them looks the same."""
    ordered = sorted(values)
    if len(ordered) <= most:
        return ordered
    return [ordered[round(place * (len(ordered) - 1) / (most - 1))] for place in range(most)]


def _figure(picture: Picture, heading: str, words: Words) -> str:
    width = round(picture.figure.get_figwidth() * 96)
    for axes in picture.figure.axes:
        if (legend := axes.get_legend()) is not None and len(axes.get_legend_handles_labels()[0]) < _FEW:
            legend.set_loc("best")
    named = f"<figcaption>{escape(heading)}</figcaption>" if words.lang != "en" else ""
    return (
        f"<figure>{named}<div class='sse-load-drawn' tabindex='0' role='region' aria-label='{escape(heading)}'>"
        f"<div style='min-width: {0.75 * width:.0f}px'>{picture.svg()}</div></div></figure>"
    )


def _conditions(report: Report, words: Words) -> str:
    plan = {name: value for name, value in msgspec.structs.asdict(report.plan).items() if value not in (None, {})}
    rows = [*plan.items(), *report.subject.params.items(), *msgspec.structs.asdict(report.environment).items()]
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(_plain(value))}</dd></div>" for name, value in rows)
    asked = "".join(f"<li><bdi>{escape(question)}</bdi></li>" for question in report.subject.questions[:MOST_ROWS])
    return (
        f"<h2>{escape(words.conditions)}</h2><dl class='sse-load-list' dir='ltr'>{cells}</dl>"
        f"<details><summary>{escape(words.questions)}</summary><ol>{asked}</ol></details>"
    )


def _plain(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _requests(report: Report, words: Words) -> str:
    rows = [
        [
            str(sample.number),
            *(f"{value:.3f}" for value in (sample.started_s, sample.ended_s)),
            *(_number(value) for value in (sample.metrics.ttft_ms, sample.metrics.delivered_total_ms)),
            str(sample.metrics.chars),
            sample.code or sample.state,
        ]
        for sample in report.samples[:MOST_ROWS]
    ]
    if not rows:
        return ""
    more = words.more.format(shown=len(rows), all=len(report.samples)) if len(report.samples) > len(rows) else ""
    table = _table("", words.request_columns, rows, texts=(6,))
    return f"<details><summary>{escape(words.each)}</summary><p>{escape(more)}</p>{table}</details>"


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], texts: tuple[int, ...] = ()) -> str:
    heads = "".join(f"<th scope='col'>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(_cells(row, texts))}</tr>" for row in rows)
    named = f"<h2>{escape(caption)}</h2>" if caption else ""
    return (
        f"{named}<div class='sse-load-wide' tabindex='0' role='region' aria-label='{escape(caption or head[0])}'>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(row: Sequence[str], texts: tuple[int, ...]) -> Iterable[str]:
    for place, cell in enumerate(row):
        if place == 0:
            yield f"<th scope='row'><bdi>{escape(cell)}</bdi></th>"
        else:
            kind = "class='sse-load-text' dir='auto'" if place in texts else "dir='ltr'"
            yield f"<td {kind}>{escape(cell)}</td>"
