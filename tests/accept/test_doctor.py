"""The doctor before a time-out of the length that proxies really have, and in a notebook."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest
from playwright.sync_api import expect

from rig import faults
from rig.nginx import nginx
from rig.process import ServerProcess
from sse_widget.diagnosis import Order, examined

TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    """Examine servers of different habits behind `proxy_read_timeout 30s`, all at once."""

    async def together(orders):
        return await asyncio.gather(*(examined(order) for order in orders))

    with ExitStack() as stack:
        orders = []
        for heartbeat_s in (60, 20, 10):
            server = ServerProcess(
                tmp_path_factory.mktemp("server"), ("--model=synthetic:", f"--heartbeat-s={heartbeat_s}")
            )
            stack.callback(server.end)
            block = faults.idling(server.url, f"{TIMEOUT_S:.0f}s")
            orders.append(Order(stack.enter_context(nginx(tmp_path_factory.mktemp("nginx"), block))))
        return asyncio.run(together(orders))


@pytest.mark.parametrize(
    ("place", "verdict", "code"),
    [(0, "fault", "idle.cut"), (1, "warning", "idle.tight"), (2, "ok", "idle.covered")],
    ids=["60 s", "20 s", "10 s"],
)
def test_a_silent_connection_is_cut_after_30_s_which_the_heartbeat_must_beat(behind, place, verdict, code):
    report = behind[place]
    print(report)
    (found,) = [finding for finding in report.findings if finding.probe == "idle"]
    assert (found.verdict, found.code) == (verdict, code)
    assert TIMEOUT_S - 1 < found.figures["lived_s"] < TIMEOUT_S + 5
    assert report.culprit == (None if verdict == "ok" else found)
    assert report.ok == (verdict != "fault")


def test_in_a_notebook_it_is_a_table_and_progress_goes_away(lab, fresh_page):
    lab.write(
        "doctor.ipynb",
        ["import sse_widget as sw\nsw.doctor(idle_s=1)", "sw.doctor('http://127.0.0.1:1', lang='ar')"],
    )
    lab.open(fresh_page, "doctor.ipynb")
    lab.run(fresh_page, 0)
    tables = fresh_page.locator(".sse-doctor")
    expect(tables.first.locator("tbody tr")).to_have_count(18, timeout=60_000)
    assert "fault" not in tables.first.locator("tbody").inner_text()
    assert "In the browser" in tables.first.inner_text()
    lab.run(fresh_page, 1)
    expect(tables.nth(1)).to_have_attribute("dir", "rtl", timeout=60_000)
    expect(tables.nth(1)).to_contain_text("لا شيء يستمع")
    fresh_page.get_by_text("s of at most").wait_for(state="detached")
    assert fresh_page.locator(".jp-OutputArea-output[data-mime-type*=stderr]").count() == 0
