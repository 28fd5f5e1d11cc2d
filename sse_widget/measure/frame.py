"""What was received as a table; the only module that knows pandas, which need not be installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sse_widget.measure.graphemes import segment
from sse_widget.measure.metrics import Received, added_chars

if TYPE_CHECKING:
    import pandas as pd

    Frame = pd.DataFrame

COLUMNS = ("seq", "text", "code_points", "chars", "received_s", "gap_ms")


def frame_of(received: Received) -> Frame:
    """Return one row a delta.

    `seq` is its number in the stream, `chars` the grapheme clusters that it adds, `received_s` seconds since the
    question, `gap_ms` since the delta before, missing for the first. Raises ImportError when pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - an optional extra, and slow to load
    except ImportError as error:
        raise ImportError("a frame needs pandas: pip install 'sse-widget[measure]'") from error
    spans = received.spans
    times_s = [span.received_s - received.asked_s for span in spans]
    return pd.DataFrame(
        {
            "seq": pd.Series([span.seq for span in spans], dtype="int64"),
            "text": pd.Series([span.text for span in spans], dtype="str"),
            "code_points": pd.Series([len(span.text) for span in spans], dtype="int64"),
            "chars": pd.Series(list(added_chars((span.text for span in spans), segment)), dtype="int64"),
            "received_s": pd.Series(times_s, dtype="float64"),
            "gap_ms": pd.Series(times_s, dtype="float64").diff() * 1000.0,
        },
        columns=list(COLUMNS),
    )
