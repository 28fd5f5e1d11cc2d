"""The doctor before staged faults: a real server behind a real nginx that breaks streams in one way or in two."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from rig import faults
from rig.nginx import nginx, proxy, unused_port
from rig.process import ServerProcess
from sse_widget.diagnosis import Order, examined

IDLE_S = 2.5
PAGE, FOREIGN_PAGE = "http://localhost:8888", "https://elsewhere.example"

# name: (server block from the server's URL, origin of the page, probes with a fault in the report's order)
STAGES = {
    "healthy": (faults.healthy, PAGE, []),
    "no page": (faults.healthy, "", []),
    "buffering": (faults.buffering, PAGE, ["buffering"]),
    "gzip": (faults.packing, PAGE, ["compression"]),
    "idle": (lambda url: faults.idling(url, "1s"), PAGE, ["idle"]),
    "stripped": (lambda url: proxy(url, faults.STRIP), PAGE, ["resume"]),
    "content type": (lambda url: proxy(url, faults.RETYPE), PAGE, ["content_type"]),
    "cors": (faults.healthy, FOREIGN_PAGE, ["cors"]),
    "websocket": (lambda url: proxy(url, websocket=False), PAGE, ["websocket"]),
    "dead": (lambda _: proxy(f"http://127.0.0.1:{unused_port()}"), PAGE, ["upstream"]),
    "buffering, stripped": (lambda url: faults.buffering(url, faults.STRIP), PAGE, ["buffering", "resume"]),
    "content type, gzip": (
        lambda url: faults.packing(url, faults.RETYPE, types="*"),
        "",
        ["content_type", "compression"],
    ),
    "cors twice": (lambda url: proxy(url, "add_header Access-Control-Allow-Origin * always;"), PAGE, ["cors"]),
    "no preflight": (lambda url: proxy(url, "if ($request_method = OPTIONS) { return 405; }"), PAGE, ["cors"]),
    "no query": (lambda url: proxy(url, "set $args '';"), PAGE, ["resume"]),
    "cached": (lambda url: proxy(url, "add_header X-Cache HIT;"), PAGE, ["headers"]),
    "no POST": (lambda url: proxy(url, "limit_except GET OPTIONS { deny all; }"), PAGE, ["access"]),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    process = ServerProcess(tmp_path_factory.mktemp("server"), ("--model=synthetic:", f"--allow-origin={PAGE}"))
    yield process
    process.end()


@pytest.fixture(scope="module")
def reports(tmp_path_factory, server):
    """Stage all faults at once: most of an examination is waiting."""

    async def all_examined(orders):
        return await asyncio.gather(*(examined(order) for order in orders))

    with ExitStack() as stack:
        orders = []
        for block, origin, _ in STAGES.values():
            url = stack.enter_context(nginx(tmp_path_factory.mktemp("nginx"), block(server.url)))
            orders.append(Order(url, origin=origin, idle_s=IDLE_S))
        return dict(zip(STAGES, asyncio.run(all_examined(orders)), strict=True))


@pytest.mark.parametrize("stage", STAGES)
def test_the_doctor_names_the_culprits_and_nothing_else(reports, stage):
    report, expected = reports[stage], STAGES[stage][2]
    print(report)
    assert [finding.probe for finding in report.faults] == expected
    assert report.ok == (expected == [])
    assert report.complete
