"""What was received as a table; the only module that knows pandas, which need not be installed."""

from __future__ import annotations

from heapq import merge
from typing import TYPE_CHECKING, Any

from sse_widget.measure.graphemes import segment
from sse_widget.measure.spans import Span, added_chars

if TYPE_CHECKING:
    import pandas as pd

    from sse_widget.measure.spans import Note, Received

    Frame = pd.DataFrame

_MOMENTS = {
    "at_s": "received_s",
    "model_first_s": "model_first_s",
    "model_last_s": "model_last_s",
    "chunk_s": "chunk_s",
    "append_s": "append_s",
    "write_s": "write_s",
    "receive_s": "received_s",
    "parse_s": "parse_s",
    "show_first_s": "shown_s",
    "show_last_s": "show_last_s",
    "paint_s": "painted_s",
    "kernel_s": "kernel_s",
}

STAGES = {
    "source_ms": ("", "model_first_s"),
    "chunk_ms": ("model_first_s", "chunk_s"),
    "append_ms": ("chunk_s", "append_s"),
    "write_ms": ("append_s", "write_s"),
    "network_ms": ("write_s", "receive_s"),
    "parse_ms": ("receive_s", "parse_s"),
    "show_ms": ("parse_s", "show_last_s"),
    "paint_ms": ("show_last_s", "paint_s"),
}
"""The columns of the stages, from one moment to another; the first begins with the question."""

COLUMNS = (
    "kind",
    "seq",
    "text",
    "code_points",
    "chars",
    "connection",
    "attempt",
    "state",
    "reason",
    *_MOMENTS,
    *STAGES,
    "gap_ms",
    "displayed_gap_ms",
    "lag_ms",
)


def frame_of(received: Received) -> Frame:
    """Return one row a delta, a heartbeat and a change of state; raises ImportError when pandas is not installed.

    | column | is |
    |---|---|
    | `kind` | `delta`; `snapshot`: the text so far, which a reader that came later had in one piece; `ping`; `state` |
    | `seq` | the number of the delta in the stream, or of the last one in the snapshot |
    | `text`, `code_points`, `chars` | its text; how many code points it has and how many grapheme clusters it adds |
    | `connection` | the reader's connections of this run, from 1 |
    | `attempt` | attempts to connect since the last progress; 0 for a first one |
    | `state`, `reason` | what the reader became (`connecting`, `open`, `waiting`, `done` ...), and why |
    | `at_s` | when the row happened: `receive_s` of a delta |
    | `model_first_s`, `model_last_s` | its first and its last token came from the source |
    | `chunk_s`, `append_s` | it was cut; it was in the server's log |
    | `write_s`, `receive_s` | the write that carries it began; its bytes were there |
    | `parse_s` | it was an event |
    | `show_first_s`, `show_last_s` | its first and its last character were put into the page |
    | `paint_s` | the frame with its last character was drawn |
    | `kernel_s` | the kernel had it |
    | `source_ms` | from the question to `model_first_s` |
    | `chunk_ms` | from there until it was cut: waiting for its other tokens, and for `delay_ms` |
    | `append_ms`, `write_ms` | into the log; until the connection wrote it |
    | `network_ms`, `parse_ms` | on the way; in the parser |
    | `show_ms`, `paint_ms` | in the typewriter; until the screen shows it |
    | `gap_ms`, `displayed_gap_ms` | from `receive_s`, and `paint_s`, of the delta before to its own |
    | `lag_ms` | from `receive_s` to `paint_s` |

    Times in s count from the question. The eight stages from `source_ms` to `paint_ms` add up to the time from the
    question to `paint_s`. What did not happen, or nobody knows, is missing (NaN, NA).

    `frame.attrs` has `reader`, the page whose times these are (None: they are the kernel's, which displays nothing),
    `readers`, all pages of which something is known, `asked_by`, whose time of the question it is, "page" or "kernel",
    and by how much times may be wrong against the server's: those of the page by `clock_error_ms`, those of the kernel
    by `kernel_error_ms` (None: unknown). Clocks drift after they were compared, some 50 µs a second at worst: the
    kernel's error has that in it, the page's does not, as it does not say when it asked for the time.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - an optional extra, and slow to load
    except ImportError as error:
        raise ImportError("a frame needs pandas: pip install 'sse-widget[measure]'") from error
    rows = _rows(received)
    frame = pd.DataFrame(
        {
            "kind": pd.Series([row.kind for row in rows], dtype="str"),
            "seq": _whole(pd, rows, "seq"),
            "text": _words(pd, rows, "text"),
            **_sizes(pd, rows),
            "connection": _whole(pd, rows, "connection"),
            "attempt": _whole(pd, rows, "attempt"),
            "state": _words(pd, rows, "state"),
            "reason": _words(pd, rows, "reason"),
        }
    )
    for column, field in _MOMENTS.items():
        at_s = pd.Series([getattr(row, field, None) for row in rows], dtype="float64")
        if column == "at_s":
            at_s = pd.Series([_at_s(row) for row in rows], dtype="float64")
        frame[column] = at_s - received.asked_s
    for column, (begin, end) in STAGES.items():
        frame[column] = 1000.0 * (frame[end] - (frame[begin] if begin else 0.0))
    texts = frame["text"].notna()
    frame["gap_ms"] = 1000.0 * frame.loc[texts, "receive_s"].diff()
    frame["displayed_gap_ms"] = 1000.0 * frame.loc[texts, "paint_s"].diff()
    frame["lag_ms"] = 1000.0 * (frame["paint_s"] - frame["receive_s"])
    frame.attrs = {
        "reader": received.reader,
        "readers": list(received.readers),
        "clock_error_ms": _ms(received.clock_error_s),
        "kernel_error_ms": _ms(received.kernel_error_s),
        "asked_by": received.asked_by,
    }
    return frame[list(COLUMNS)]


def _rows(received: Received) -> list[Span | Note]:
    """Return the deltas in the order of the text, and between them, by their time, what else happened."""
    spans: tuple[Span | Note, ...] = received.spans
    return list(merge(spans, received.notes, key=_at_s))


def _at_s(row: Span | Note) -> float:
    return row.received_s if isinstance(row, Span) else row.at_s


def _sizes(pd: Any, rows: list[Span | Note]) -> dict[str, Any]:
    added = iter(list(added_chars((row.text for row in rows if isinstance(row, Span)), segment)))
    chars = [next(added) if isinstance(row, Span) else None for row in rows]
    code_points = [len(row.text) if isinstance(row, Span) else None for row in rows]
    return {"code_points": pd.Series(code_points, dtype="Int64"), "chars": pd.Series(chars, dtype="Int64")}


def _whole(pd: Any, rows: list[Span | Note], name: str) -> Any:
    return pd.Series([getattr(row, name, None) for row in rows], dtype="Int64")


def _words(pd: Any, rows: list[Span | Note], name: str) -> Any:
    return pd.Series([getattr(row, name, None) for row in rows], dtype="str")


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1000.0 * seconds
