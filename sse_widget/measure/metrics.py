"""The figures of a run as one reader saw it (design.md section 10; twin of js/measure/figures.js). Pure.

The segmenter, which splits a text into grapheme clusters (UAX 29), is an argument. What is displayed is the browser's
to say: where nobody said it, those figures are None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sse_widget.measure.flow import Flow, flow_of
from sse_widget.measure.gaps import STALL_MS, percentiles
from sse_widget.measure.qoe import Reader
from sse_widget.measure.spans import Moment, added_chars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sse_widget.measure.spans import Received, Segment, Span

_ENGLISH = Reader()


class Metrics(msgspec.Struct, frozen=True, forbid_unknown_fields=True, repr_omit_defaults=True):
    """Times in ms, None where there is nothing to say; what is None is left out of the repr.

    Asked at t0, delta i of n has c_i characters (grapheme clusters), was delivered at r_i and displayed to its last
    character at p_i. Delivered and displayed figures come in pairs: pacing can make one look good at the cost of the
    other. Where only some deltas are known to be displayed, displayed figures are of these (see `flow`).

    | figure | is |
    |---|---|
    | `deltas`, `chars`, `tokens` | n; the sum of c_i; tokens of the text, if it was said |
    | `displayed_chars` | the sum of c_i of the deltas with a p_i |
    | `ttft_ms`, `ttfp_ms` | time to first token r_1 - t0, and to first paint p_1 - t0 |
    | `tpot_ms` | time per output token after the first delta, (r_n - r_1) / (tokens - tokens in delta 1) |
    | `tpot_vllm_ms` | (r_n - r_1) / (tokens - 1); None, as `tpot_ms`, for who came late: delta 1 is a snapshot then |
    | `lag_…` | p_i - r_i: median, 95th percentile, greatest |
    | `tail_ms` | p_n - r_n, what pacing adds to the whole |
    | `ended_ms` | when the end was known, after t0 |
    | `overhead` | bytes on the wire / bytes of the text in UTF-8 |
    | `…_total_ms` | r_n - t0; p_n - t0 |
    | `…_gap_…` | percentiles of r_i - r_(i-1), of p_i - p_(i-1): linear between neighbours, as NumPy does |
    | `…_jitter_ms` | mean absolute difference of consecutive gaps: `gaps.jitter_ms` says why |
    | `…_stalls` | how many pauses are longer than 1 s: `gaps.stalls_of` |
    | `…_stall_ms`, `…_stall_share` | the time in these beyond 1 s, and its share of r_n - r_1, p_n - p_1 |
    | `…_stall_ratio` | the share of pauses longer than 200 ms, after Eloquent: `gaps.stalls_of` |
    | `…_chars_per_s` | characters after the first delta, over r_n - r_1, p_n - p_1 |
    | `…_goodput_chars_per_s` | all characters, over r_n - t0, p_n - t0: what reached the reader, waiting included |
    | `…_qoe` | quality of experience after Andes, from 0 to 1: `qoe.qoe_of` |

    A pause is the time without new text: from the last character of a delta to the first of the next, and from the last
    one of all to the end of the run where that is known.

    Beside others of these names: vLLM's benchmark (`vllm bench serve`) has TPOT = (latency - TTFT) / (output_len - 1),
    aiperf inter token latency = (request latency - TTFT) / (output length - tokens of the first chunk), with 1 for the
    last number where the server does not tell it. Both leave out the first token; they differ in what comes with it. So
    `tpot_ms` is aiperf's where the server tells, `tpot_vllm_ms` is vLLM's and else aiperf's, and all are one where the
    first delta is one token. The latency of vLLM's chat benchmark may end with a chunk of usage, after the last text;
    aiperf's and ours end with text. vLLM's ITL and aiperf's inter chunk latency are the delivered gaps. TTFT is one in
    all where the first chunk has text; where it has none, vLLM takes it all the same, aiperf the first that has. To
    aiperf, reasoning and tool calls are text too; here the answer's text alone is. `tests/accept/test_aiperf.py` holds
    these figures against aiperf's own of the same requests.
    Goodput is networking's word here; in serving it is the requests a second that keep their service level (vLLM
    `--goodput`, aiperf), which no single run has.
    """

    deltas: int
    chars: int
    tokens: int | None = None
    ttft_ms: float | None = None
    ttfp_ms: float | None = None
    tpot_ms: float | None = None
    tpot_vllm_ms: float | None = None
    lag_p50_ms: float | None = None
    lag_p95_ms: float | None = None
    lag_max_ms: float | None = None
    tail_ms: float | None = None
    ended_ms: float | None = None
    overhead: float | None = None
    delivered_total_ms: float | None = None
    delivered_gap_p50_ms: float | None = None
    delivered_gap_p90_ms: float | None = None
    delivered_gap_p95_ms: float | None = None
    delivered_gap_p99_ms: float | None = None
    delivered_jitter_ms: float | None = None
    delivered_stalls: int | None = None
    delivered_stall_ms: float | None = None
    delivered_stall_share: float | None = None
    delivered_stall_ratio: float | None = None
    delivered_chars_per_s: float | None = None
    delivered_goodput_chars_per_s: float | None = None
    delivered_qoe: float | None = None
    displayed_chars: int | None = None
    displayed_total_ms: float | None = None
    displayed_gap_p50_ms: float | None = None
    displayed_gap_p90_ms: float | None = None
    displayed_gap_p95_ms: float | None = None
    displayed_gap_p99_ms: float | None = None
    displayed_jitter_ms: float | None = None
    displayed_stalls: int | None = None
    displayed_stall_ms: float | None = None
    displayed_stall_share: float | None = None
    displayed_stall_ratio: float | None = None
    displayed_chars_per_s: float | None = None
    displayed_goodput_chars_per_s: float | None = None
    displayed_qoe: float | None = None


def metrics_of(
    received: Received, segment: Segment, reader: Reader = _ENGLISH, stall_threshold_ms: float = STALL_MS
) -> Metrics:
    """Return the figures of what was received, for a reader of that speed."""
    chars = list(added_chars((span.text for span in received.spans), segment))
    figures = {
        **delivered_of(received, chars, reader, stall_threshold_ms),
        **displayed_of(received, chars, reader, stall_threshold_ms),
    }
    return msgspec.convert(figures, Metrics)


def delivered_of(
    received: Received, chars: Sequence[int], reader: Reader = _ENGLISH, stall_threshold_ms: float = STALL_MS
) -> dict[str, float | None]:
    """Return the figures that do not depend on the display, by name; `chars` is how many each delta adds."""
    asked_s, ended_s, spans = received.asked_s, received.ended_s, received.spans
    deliveries = [Moment(span.received_s, span.received_s, count) for span, count in zip(spans, chars, strict=True)]
    return {
        "deltas": len(spans),
        "chars": sum(chars),
        "tokens": received.tokens,
        "ttft_ms": _since(asked_s, deliveries[0].last_s if spans else None),
        "tpot_ms": _tpot_ms(received, received.first_tokens),
        "tpot_vllm_ms": _tpot_ms(received, 1),
        "ended_ms": _since(asked_s, ended_s),
        "overhead": _overhead(received),
        **_named("delivered", flow_of(deliveries, asked_s, ended_s, reader, stall_threshold_ms)),
    }


def displayed_of(
    received: Received, chars: Sequence[int], reader: Reader = _ENGLISH, stall_threshold_ms: float = STALL_MS
) -> dict[str, float | None]:
    """Return the others."""
    asked_s, ended_s, spans = received.asked_s, received.ended_s, received.spans
    displays = [_display(span, count) for span, count in zip(spans, chars, strict=True)]
    shown = [moment.chars for moment in displays if moment is not None]
    return {
        "displayed_chars": sum(shown) if shown else None,
        "ttfp_ms": _since(asked_s, spans[0].painted_s if spans else None),
        **_lags(spans),
        **_named("displayed", flow_of(displays, asked_s, ended_s, reader, stall_threshold_ms)),
    }


def _display(span: Span, chars: int) -> Moment | None:
    if span.painted_s is None:
        return None
    return Moment(span.painted_s if span.shown_s is None else span.shown_s, span.painted_s, chars)


def _named(prefix: str, flow: Flow) -> dict[str, float | None]:
    return {f"{prefix}_{name}": value for name, value in msgspec.structs.asdict(flow).items()}


def _since(from_s: float, at_s: float | None) -> float | None:
    return None if at_s is None else 1000.0 * (at_s - from_s)


def _tpot_ms(received: Received, first_tokens: int | None) -> float | None:
    spans = received.spans
    if received.tokens is None or first_tokens is None or not spans or spans[0].kind == "snapshot":
        return None
    later = received.tokens - first_tokens
    return 1000.0 * (spans[-1].received_s - spans[0].received_s) / later if later > 0 else None


def _lags(spans: tuple[Span, ...]) -> dict[str, float | None]:
    lags_ms = [1000.0 * (span.painted_s - span.received_s) for span in spans if span.painted_s is not None]
    p50_ms, p95_ms = percentiles(lags_ms, (0.5, 0.95))
    return {
        "lag_p50_ms": p50_ms,
        "lag_p95_ms": p95_ms,
        "lag_max_ms": max(lags_ms, default=None),
        "tail_ms": lags_ms[-1] if spans and spans[-1].painted_s is not None else None,
    }


def _overhead(received: Received) -> float | None:
    if received.wire_bytes is None:
        return None
    text_bytes = sum(len(span.text.encode()) for span in received.spans)
    return received.wire_bytes / text_bytes if text_bytes else None
