"""What kernel and pages noted of one run, put together on rows made by hand.

The server's clock is 1000 s ahead of the kernel's; a page's starts when the kernel's is at 50 s. Asked is at 60 s.
Deltas 2, 3, 4 are made at 60.1, 60.2, 60.3 s, cut 10 ms later, in the log 1 ms after that, and written 2 ms later.
"""

from __future__ import annotations

import msgspec
import pandas as pd
import pytest

from sse_widget.measure.flight import Arrival, Flight, received_of
from sse_widget.measure.frame import COLUMNS, STAGES, frame_of
from sse_widget.measure.graphemes import segment
from sse_widget.measure.metrics import metrics_of
from sse_widget.measure.spans import Note
from sse_widget.protocol.trace import DeltaRow, PingRow, ReaderSpans, RunSpans, SnapshotRow, StateRow, Trace

AHEAD_NS = 1_000_000_000_000
PAGE_NS = AHEAD_NS + 50_000_000_000
TEXTS = ("The ", "text", ".")


def server_ns(kernel_s: float) -> int:
    return round(kernel_s * 1e9) + AHEAD_NS


def page_ms(kernel_s: float) -> float:
    return (kernel_s - 50) * 1000


def arrival(index: int) -> Arrival:
    made_s = 60.1 + index / 10
    return Arrival(
        seq=index + 2,
        text=TEXTS[index],
        kernel_s=made_s + 0.021,
        receive_s=made_s + 0.018,
        parse_s=made_s + 0.019,
        connection=1,
        attempt=0,
        trace=Trace(server_ns(made_s), server_ns(made_s + 0.008), server_ns(made_s + 0.010), server_ns(made_s + 0.011)),
        write_ns=server_ns(made_s + 0.013),
    )


def row(index: int, *, connection: int = 1, attempt: int = 0, painted: bool = True, late_s: float = 0.0) -> DeltaRow:
    """The page has it 4 ms after its write, parses 1 ms, shows after 5 and 25, paints 6 ms after that."""
    write_s = 60.113 + index / 10 + late_s
    return DeltaRow(
        index + 2,
        connection,
        attempt,
        server_ns(write_s),
        page_ms(write_s + 0.004),
        page_ms(write_s + 0.005),
        page_ms(write_s + 0.010) if painted else None,
        page_ms(write_s + 0.030) if painted else None,
        page_ms(write_s + 0.036) if painted else None,
    )


KERNEL_NOTES = (Note("state", 60.01, 1, 0, "open", ""),)
FLIGHT = Flight(
    60.0,
    tuple(arrival(index) for index in range(3)),
    KERNEL_NOTES,
    ended_s=60.4,
    wire_bytes=90,
    offset_ns=AHEAD_NS,
    error_ns=2_000_000,
    tokens=3,
)


def page(name: str, *rows: object, asked_s: float | None = None, over: bool = True, offset: bool = True) -> ReaderSpans:
    return ReaderSpans(
        reader=name,
        offset_ns=PAGE_NS if offset else None,
        error_ns=3_000_000 if offset else None,
        asked=None if asked_s is None else page_ms(asked_s),
        over=over,
        rows=rows,  # type: ignore[arg-type]
    )


def table(*pages: ReaderSpans, reader: str = "", flight: Flight = FLIGHT):
    return frame_of(received_of(flight, RunSpans(pages), reader))


def deltas(frame):
    return frame[frame["text"].notna()]


def test_without_a_page_the_times_are_the_kernels():
    frame = table()
    assert tuple(frame.columns) == COLUMNS
    assert frame["kind"].tolist() == ["state", "delta", "delta", "delta"]
    rows = deltas(frame)
    assert rows["receive_s"].tolist() == pytest.approx([0.118, 0.218, 0.318])
    assert rows["at_s"].tolist() == rows["receive_s"].tolist()
    assert rows["kernel_s"].tolist() == pytest.approx([0.121, 0.221, 0.321])
    for name, wanted_ms in {"chunk_ms": 10, "append_ms": 1, "write_ms": 2, "network_ms": 5, "parse_ms": 1}.items():
        assert rows[name].tolist() == pytest.approx([wanted_ms] * 3), name
    assert rows[["show_ms", "paint_ms", "lag_ms", "paint_s"]].isna().all(axis=None)
    assert frame.attrs == {
        "reader": None,
        "readers": [],
        "clock_error_ms": None,
        "kernel_error_ms": 2.0,
        "asked_by": "kernel",
    }


def test_where_a_page_was_its_times_count():
    received = received_of(FLIGHT, RunSpans((page("page-one", row(0), row(1), row(2)),)))
    frame = frame_of(received)
    assert frame["kind"].tolist() == ["delta"] * 3, "the kernel's own states are not the page's"
    wanted = {"source_ms": [100, 200, 300], "chunk_ms": [10] * 3, "append_ms": [1] * 3, "write_ms": [2] * 3}
    wanted |= {"network_ms": [4] * 3, "parse_ms": [1] * 3, "show_ms": [25] * 3, "paint_ms": [6] * 3}
    for name, values in wanted.items():
        assert frame[name].tolist() == pytest.approx(values), name
    assert frame["lag_ms"].tolist() == pytest.approx([32] * 3)
    assert frame["gap_ms"].tolist()[1:] == pytest.approx([100, 100])
    assert frame["displayed_gap_ms"].tolist()[1:] == pytest.approx([100, 100])
    assert frame["show_first_s"].tolist() == pytest.approx([0.123, 0.223, 0.323])
    assert frame["kernel_s"].tolist() == pytest.approx([0.121, 0.221, 0.321])
    assert (frame.attrs["reader"], frame.attrs["clock_error_ms"], frame.attrs["asked_by"]) == ("page-one", 3, "kernel")
    metrics = metrics_of(received, segment)
    assert metrics.ttft_ms == pytest.approx(117)
    assert metrics.ttfp_ms == pytest.approx(149)
    assert metrics.tail_ms == pytest.approx(32)
    assert (metrics.ended_ms, metrics.overhead) == (pytest.approx(400), 10)


def test_the_stages_add_up_to_what_the_page_alone_measured_from_its_question_to_its_paint():
    asked_s = 59.95
    frame = table(page("page-one", row(0), row(1), row(2), asked_s=asked_s))
    assert frame.attrs["asked_by"] == "page"
    by_page_alone_ms = [row(index).paint - page_ms(asked_s) for index in range(3)]
    assert frame[list(STAGES)].sum(axis=1).tolist() == pytest.approx(by_page_alone_ms)
    assert (1000 * frame["paint_s"]).tolist() == pytest.approx(by_page_alone_ms)
    assert frame["source_ms"].tolist() == pytest.approx([150, 250, 350])


def test_what_was_not_displayed_is_missing():
    received = received_of(FLIGHT, RunSpans((page("page-one", row(0), row(1, painted=False), row(2)),)))
    frame = frame_of(received)
    assert frame["paint_s"].isna().tolist() == [False, True, False]
    assert frame["receive_s"].notna().all()
    metrics = metrics_of(received, segment)
    assert (metrics.chars, metrics.displayed_chars) == (9, 5)


def test_a_page_that_joined_has_the_text_before_it_in_one_piece():
    snapshot = SnapshotRow(3, 1, 0, server_ns(60.25), page_ms(60.253), page_ms(60.254), page_ms(60.26), None, None)
    joined = page("joined-1", snapshot, row(2))
    frame = table(joined)
    assert frame["kind"].tolist() == ["snapshot", "delta"]
    assert frame["text"].tolist() == ["The text", "."]
    assert frame["seq"].tolist() == [3, 4]
    assert frame["model_first_s"].isna().tolist() == [True, False]
    assert frame["network_ms"].tolist() == pytest.approx([3, 4])
    assert "".join(frame["text"]) == "".join(TEXTS)


def test_of_a_page_that_joined_no_time_per_token_can_be_told():
    snapshot = SnapshotRow(2, 1, 0, server_ns(60.15), page_ms(60.153), page_ms(60.154), None, None, None)
    flight = msgspec.structs.replace(FLIGHT, tokens=6, first_tokens=1)
    early, late = page("page-one", row(0), row(1), row(2)), page("joined-1", snapshot, row(1), row(2))
    whole, joined = (metrics_of(received_of(flight, RunSpans((one,))), segment) for one in (early, late))
    assert (whole.tpot_ms, whole.tpot_vllm_ms) == pytest.approx((200 / 5, 200 / 5))
    assert joined.deltas == 3
    assert (joined.tpot_ms, joined.tpot_vllm_ms) == (None, None), "nobody knows how many tokens the snapshot has"


def test_a_page_that_only_had_a_snapshot_does_not_stand_for_the_run_unless_it_is_named():
    late = SnapshotRow(4, 1, 0, server_ns(99.0), page_ms(99.0), page_ms(99.0), page_ms(99.0), page_ms(99.0), None)
    frame = table(page("too-late", late))
    assert frame.attrs["reader"] is None
    assert frame.attrs["readers"] == ["too-late"]
    assert deltas(frame)["receive_s"].tolist() == pytest.approx([0.118, 0.218, 0.318])
    named = table(page("too-late", late), reader="too-late")
    assert (named["kind"].tolist(), named["at_s"].tolist()) == (["snapshot"], [39.0])


def test_a_page_that_was_left_has_the_kernels_times_from_there_on():
    frame = table(page("page-one", row(0), over=False))
    assert frame["receive_s"].tolist() == pytest.approx([0.117, 0.218, 0.318])
    assert frame["paint_s"].isna().tolist() == [False, True, True]


def test_a_reload_is_another_page_and_who_saw_more_of_the_text_come_stands_for_the_run():
    snapshot = SnapshotRow(2, 1, 0, server_ns(60.15), page_ms(60.15), page_ms(60.15), None, None, None)
    before, after = page("before-1", row(0), asked_s=60.0, over=False), page("after-01", snapshot, row(1), row(2))
    frame = table(before, after)
    assert frame.attrs["reader"] == "after-01", "5 of 9 characters, the other 4"
    assert frame.attrs["asked_by"] == "page", "the question is still that of the page before"
    assert table(before, after, reader="before-1").attrs["reader"] == "before-1"


def test_of_two_pages_the_one_that_asked_counts_else_the_first():
    rows = row(0), row(1), row(2)
    first, second = page("page-one", *rows), page("page-two", *rows)
    assert table(first, second).attrs["reader"] == "page-one"
    assert table(first, page("page-two", *rows, asked_s=60.0)).attrs["reader"] == "page-two"
    assert table(first, page("page-two", *rows[:2], asked_s=60.0)).attrs["reader"] == "page-one"


def test_a_reader_that_nobody_knows_is_an_error_that_names_the_others():
    with pytest.raises(ValueError, match=r"'nobody-1'; known: page-one"):
        received_of(FLIGHT, RunSpans((page("page-one", row(0)),)), "nobody-1")


def test_a_text_that_was_read_again_has_its_last_times():
    again = row(0, connection=2, attempt=1, late_s=0.5)
    frame = table(page("page-one", row(0), again, row(1, late_s=0.5), row(2, late_s=0.5)))
    assert frame["connection"].tolist() == [2, 1, 1]
    assert frame["attempt"].tolist() == [1, 0, 0]
    assert frame["receive_s"].iloc[0] == pytest.approx(0.617)


def test_heartbeats_and_states_stand_between_the_deltas():
    notes = [
        StateRow(1, 0, page_ms(60.01), "connecting", ""),
        PingRow(1, page_ms(60.2)),
        StateRow(1, 1, page_ms(60.25), "waiting", "cut"),
        StateRow(2, 1, page_ms(60.6), "done", ""),
    ]
    received = received_of(FLIGHT, RunSpans((page("page-one", row(0), row(1), *notes, row(2)),)))
    frame = frame_of(received)
    assert frame["kind"].tolist() == ["state", "delta", "ping", "delta", "state", "delta", "state"]
    assert frame["at_s"].is_monotonic_increasing
    assert frame["state"].dropna().tolist() == ["connecting", "waiting", "done"]
    assert frame["reason"].dropna().tolist() == ["", "cut", ""]
    assert frame["seq"].dropna().tolist() == [2, 3, 4]
    assert frame["gap_ms"].dropna().tolist() == pytest.approx([100, 100]), "between deltas, whatever stands there"
    assert received.ended_s == pytest.approx(60.6), "when the page knew of it"


@pytest.mark.parametrize("state", ["interrupted", "closed"])
def test_a_page_that_left_off_does_not_end_the_run(state):
    left = page("page-one", row(0), StateRow(1, 0, page_ms(60.2), state, ""))
    assert received_of(FLIGHT, RunSpans((left,))).ended_s == 60.4, "when the kernel knew of it"
    going_on = msgspec.structs.replace(FLIGHT, ended_s=None)
    assert received_of(going_on, RunSpans((left,))).ended_s is None


@pytest.mark.parametrize("lost", ["the kernel's clock", "the page's clock"])
def test_without_the_offset_of_a_clock_the_kernels_own_times_are_left(lost):
    flight = FLIGHT if "page" in lost else msgspec.structs.replace(FLIGHT, offset_ns=None, error_ns=None)
    frame = table(page("page-one", row(0), row(1), row(2), asked_s=60, offset="page" not in lost), flight=flight)
    assert (frame.attrs["reader"], frame.attrs["asked_by"]) == (None, "kernel")
    assert deltas(frame)["receive_s"].tolist() == pytest.approx([0.118, 0.218, 0.318])
    assert deltas(frame)["write_s"].notna().all() == ("page" in lost)


def test_rows_of_deltas_that_the_kernel_never_had_are_left_out():
    short = msgspec.structs.replace(FLIGHT, arrivals=FLIGHT.arrivals[:1])
    assert table(page("page-one", row(0), row(1)), flight=short)["seq"].tolist() == [2]


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_frame_can_be_kept(form, tmp_path):
    notes = PingRow(1, page_ms(60.2)), StateRow(2, 1, page_ms(60.6), "done", "")
    frame = table(page("page-one", row(0), row(1, painted=False), row(2), *notes, asked_s=60.0))
    path = tmp_path / f"run.{form}"
    if form == "parquet":
        frame.to_parquet(path)
        again = pd.read_parquet(path)
        assert again.attrs == frame.attrs
        pd.testing.assert_frame_equal(again, frame)
    else:
        frame.to_csv(path, index=False)
        again = pd.read_csv(
            path,
            dtype=frame.dtypes.to_dict(),
            keep_default_na=False,
            na_values={name: [""] for name in frame.columns if name != "reason"},
        )
        pd.testing.assert_frame_equal(again, frame.fillna({"reason": ""}))
