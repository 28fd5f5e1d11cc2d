"""What was received as a table; the only module that knows pandas, which need not be installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sse_widget.measure.graphemes import segment
from sse_widget.measure.spans import added_chars

if TYPE_CHECKING:
    import pandas as pd

    from sse_widget.measure.spans import Received

    Frame = pd.DataFrame

COLUMNS = (
    "seq",
    "text",
    "code_points",
    "chars",
    "received_s",
    "gap_ms",
    "shown_s",
    "painted_s",
    "displayed_gap_ms",
    "lag_ms",
)


def frame_of(received: Received) -> Frame:
    """Return one row a delta; raises ImportError when pandas is not installed.

    | column | is |
    |---|---|
    | `seq` | the delta's number in the stream |
    | `text`, `code_points`, `chars` | its text; how many code points it has and how many grapheme clusters it adds |
    | `received_s` | when it was delivered, in seconds since the question |
    | `gap_ms` | from the delivery of the delta before to its own; missing for the first |
    | `shown_s`, `painted_s` | when its first and its last character were displayed, in seconds since the question |
    | `displayed_gap_ms` | from `painted_s` of the delta before to its own; missing where either is |
    | `lag_ms` | from `received_s` to `painted_s` |

    What was not displayed, or of which nobody knows when, is missing (NaN).
    """
    try:
        import pandas as pd  # noqa: PLC0415 - an optional extra, and slow to load
    except ImportError as error:
        raise ImportError("a frame needs pandas: pip install 'sse-widget[measure]'") from error
    spans = received.spans
    received_s = pd.Series([span.received_s for span in spans], dtype="float64") - received.asked_s
    painted_s = pd.Series([span.painted_s for span in spans], dtype="float64") - received.asked_s
    return pd.DataFrame(
        {
            "seq": pd.Series([span.seq for span in spans], dtype="int64"),
            "text": pd.Series([span.text for span in spans], dtype="str"),
            "code_points": pd.Series([len(span.text) for span in spans], dtype="int64"),
            "chars": pd.Series(list(added_chars((span.text for span in spans), segment)), dtype="int64"),
            "received_s": received_s,
            "gap_ms": received_s.diff() * 1000.0,
            "shown_s": pd.Series([span.shown_s for span in spans], dtype="float64") - received.asked_s,
            "painted_s": painted_s,
            "displayed_gap_ms": painted_s.diff() * 1000.0,
            "lag_ms": (painted_s - received_s) * 1000.0,
        },
        columns=list(COLUMNS),
    )
