"""Events per CPU-second, latency and memory of the server beside others, in one run, the server on one core.

An event is one logged delta with its id, through the chunker (a delta for each token) and the memory log; the other
servers write theirs directly. The readers are other processes on the other core; `readers` says how busy they were, for
a figure is worth nothing where they were the bottleneck. Latency is from the making of a text to its bytes' arrival.
"""

from __future__ import annotations

import os
import time
from statistics import median

from rig.crowd import Crowd, Readers, may_open
from rig.rivals.nchan import Nchan, module
from rig.rivals.process import Rival

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, READER_CORE = CORES[0], CORES[-1]
OURS = "/api/v1/stream/chat?q=x&chunk_tokens=1&chunk_ms=0&model="
PEERS = ("starlette", "aiohttp_sse", "tornado_", "bare")
WARM_S, MEASURED_S = 2.0, 6.0
PAIRS = 5
"""So often the two that are judged against each other take turns, for the machine's speed drifts."""
IDLE = 5000
MUTE = 200
PRODUCED_BYTES = 1_000_000_000


def target(name: str, kind: str) -> str:
    """Return the path of a kind of stream; the readers of a shared one come with one key, which is one run."""
    if name != "ours":
        return f"/{kind}"
    key = {"shared": "&key=all", "idle": "&key=all"}.get(kind, "&key=NUMBER")
    return OURS + kind + key


def percentile(values: list[float], share: float) -> float:
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def verdict(*, holds: bool) -> str:
    return "holds" if holds else "DOES NOT HOLD"


def flat_out(name: str, readers: int, count: int) -> float:
    """Return the events a CPU-second of streams that end by themselves."""
    with Rival(name, core=SERVER_CORE, count=count) as server:
        with Crowd(Readers(server.port, target(name, "flat"), 1, READER_CORE)) as first:
            first.until_ended()
        before_s = server.cpu_s
        asking = target(name, "flat").replace("NUMBER", "again-NUMBER")
        with Crowd(Readers(server.port, asking, readers, READER_CORE)) as crowd:
            seen = crowd.until_ended()
        cpu_s = server.cpu_s - before_s
    assert seen.events >= readers * count, seen.events
    rate = readers * count / cpu_s
    print(f"  {name:12} {rate:9,.0f} events/CPU-s   (readers {100 * seen.cpu_s / seen.wall_s:.0f} % of their core)")
    return rate


def serving(name: str, rate: float) -> Nchan | Rival:
    """Return a server on its core; what is published to nchan comes from the readers' core."""
    if name == "nchan":
        return Nchan(core=SERVER_CORE, publisher_core=READER_CORE, rate=rate)
    return Rival(name, core=SERVER_CORE, rate=rate)


def steady(name: str, kind: str, readers: int, rate: float) -> tuple[float, list[float]]:
    """Return the events a CPU-second and the latencies (ms) of streams that go on."""
    with (
        serving(name, rate) as server,
        Crowd(Readers(server.port, target(name, kind), readers, READER_CORE)) as crowd,
    ):
        crowd.until_connected()
        time.sleep(WARM_S)
        crowd.seen()
        before_s = server.cpu_s
        time.sleep(MEASURED_S)
        cpu_s = server.cpu_s - before_s
        seen = crowd.seen()
    rate = seen.events / cpu_s
    p50, p99 = percentile(seen.latencies_ms, 0.5), percentile(seen.latencies_ms, 0.99)
    print(
        f"  {name:12} {rate:9,.0f} events/CPU-s, {seen.events / seen.wall_s:8,.0f}/s, latency p50 {p50:8.2f} ms, "
        f"p99 {p99:8.2f} ms   (server {cpu_s / seen.wall_s:.0%}, readers {seen.cpu_s / seen.wall_s:.0%})"
    )
    return rate, seen.latencies_ms


def test_fifty_streams_flat_out() -> None:
    print("\n(a) 50 streams flat out")
    rates = {name: flat_out(name, 50, 4000) for name in ("ours", *PEERS)}
    times = rates["ours"] / rates["starlette"]
    print(f"  {times:.2f} x sse-starlette (threshold 3): {verdict(holds=times >= 3)}")


def test_a_thousand_streams_at_fifty_a_second() -> None:
    print("\n(b) 1,000 streams at 50 events/s each")
    may_open(4000)
    pairs = [{name: steady(name, "paced", 1000, 50) for name in ("ours", "starlette")} for _ in range(PAIRS)]
    for name in PEERS[1:]:
        steady(name, "paced", 1000, 50)
    ratios = sorted(pair["ours"][0] / pair["starlette"][0] for pair in pairs)
    times = median(ratios)
    p99 = max(percentile(pair["ours"][1], 0.99) for pair in pairs)
    print(f"  {PAIRS} pairs in turn: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
    print(f"  {times:.2f} x sse-starlette, the median (threshold 1.5): {verdict(holds=times >= 1.5)}")
    print(f"  p99 {p99:.2f} ms (threshold 10 ms): {verdict(holds=p99 < 10)}")


def test_one_stream_to_a_thousand_readers() -> None:
    print("\n(c) one stream to 1,000 readers")
    may_open(4000)
    ours, _ = steady("ours", "shared", 1000, 100)
    if module() is None:
        print("  nchan        not measured: nginx has no nchan module here, so this figure is not judged")
    else:
        times = ours / steady("nchan", "shared", 1000, 100)[0]
        print(f"  {times:.2f} x nchan (threshold 0.5): {verdict(holds=times >= 0.5)}")
    for name in PEERS:
        steady(name, "shared", 1000, 100)


def test_memory_of_idle_connections() -> None:
    print(f"\nmemory of {IDLE:,} idle connections")
    may_open(IDLE + 1000)
    held = {}
    for name in ("ours", "tornado_", "starlette", "aiohttp_sse", "bare"):
        with (
            Rival(name, core=SERVER_CORE) as server,
            Crowd(Readers(server.port, target(name, "idle"), 100, READER_CORE)) as crowd,
        ):
            crowd.until_connected()
            few = server.rss_bytes
            with Crowd(Readers(server.port, target(name, "idle"), IDLE, READER_CORE)) as many:
                many.until_connected()
                held[name] = (server.rss_bytes - few) / IDLE
        print(f"  {name:12} {held[name] / 1024:6.1f} KiB a connection")
    times = held["ours"] / held["tornado_"]
    print(f"  {times:.2f} x a bare Tornado handler (threshold 1.5): {verdict(holds=times <= 1.5)}")


def test_readers_beside_those_who_never_read() -> None:
    print(f"\n{MUTE} readers that never read, {PRODUCED_BYTES / 1e9:.0f} GB of events, and 50 that read 50 events/s")
    may_open(4000)
    loud = "/api/v1/stream/chat?q=x&chunk_tokens=1&model=loud&key=MUTE-NUMBER"
    with (
        Rival("ours", core=SERVER_CORE, rate=50, loud_bytes=PRODUCED_BYTES // MUTE) as server,
        Crowd(Readers(server.port, target("ours", "paced"), 50, READER_CORE, 1)) as readers,
    ):
        readers.until_connected()
        readers.seen()
        before = server.rss_bytes
        most = 0
        with Crowd(Readers(server.port, loud, MUTE, READER_CORE, mute=True)) as mute:
            mute.until_connected()
            while server.health["runs"] > 50:
                most = max(most, server.rss_bytes - before)
                time.sleep(0.1)
            seen = readers.seen()
    p99 = percentile(seen.latencies_ms, 0.99)
    print(f"  server memory +{most / 1e6:.0f} MB (threshold 100 MB): {verdict(holds=most < 100e6)}")
    print(f"  the others' latency p50 {percentile(seen.latencies_ms, 0.5):.2f} ms")
    print(f"  the others' latency p99 {p99:.2f} ms (threshold 50 ms): {verdict(holds=p99 < 50)}")
