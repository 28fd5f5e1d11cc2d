"""A delay of 80 ms in one stage shows up in that stage of the frame and in no other, within 10 ms at the median.

Here the stages of the server and the network, as a kernel without a page sees them.
"""

from __future__ import annotations

import pytest

import sse_widget as sw
from rig.delays import KNOBS, MODEL, SERVER_STAGES, check, delayed, medians
from rig.serving import PATIENCE_S

STAGES = ["source_ms", "chunk_ms", "append_ms", "write_ms", "network_ms", "parse_ms"]
WHERE = {**SERVER_STAGES, "network": "network_ms"}


def run_of(url):
    """Return the frame of a run, after a first one that opens the sockets and loads what is loaded once."""
    widget = sw.StreamWidget(url=url, model=MODEL)
    widget.ask("Warm up.", max_tokens=1).wait(PATIENCE_S)
    frame = widget.ask("How long?", **KNOBS).wait(PATIENCE_S).frame()
    widget.close()
    return frame


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The medians of a run that nothing delays."""
    with delayed("", tmp_path_factory.mktemp("plain") / "server") as url:
        return medians(run_of(url), STAGES)


@pytest.mark.parametrize("stage", WHERE)
def test_a_delay_shows_in_its_own_stage_alone(plain, stage, tmp_path):
    with delayed(stage, tmp_path / "server") as url:
        frame = run_of(url)
    slow = medians(frame, STAGES)
    print({name: (round(plain[name], 2), round(slow[name], 2)) for name in STAGES})
    check(plain, slow, WHERE[stage])
    assert frame.attrs["kernel_error_ms"] < 10
    least_ms = -frame.attrs["kernel_error_ms"]
    assert (frame.loc[frame["kind"] == "delta", STAGES] >= least_ms).all(axis=None)
