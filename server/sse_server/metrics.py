"""The figures of a server in Prometheus's text format; the only module that knows prometheus_client.

Units are base units. Every label comes from a fixed set: no name that a user gave is ever one.

| metric | type | labels | what |
|---|---|---|---|
| `sse_server_info` | gauge | version, node, log | 1; what this process is |
| `sse_ready` | gauge | | 1 when `/ready` would say so |
| `sse_connections` | gauge | transport | connections that stream now: sse, websocket (streams on sockets), poll |
| `sse_websockets` | gauge | | open WebSockets |
| `sse_connection_duration_seconds` | histogram | transport | how long a connection streamed |
| `sse_runs` | gauge | | runs that go on |
| `sse_runs_started_total` | counter | kind | questions that went to a model: local, openai, anthropic, synthetic, ... |
| `sse_stream_duration_seconds` | histogram | ending | from a run's start to its end: stop, length, stopped, error |
| `sse_time_to_first_token_seconds` | histogram | kind | from a run's start to the model's first token |
| `sse_errors_total` | counter | code, place | errors said to clients; place: request (refusal), stream (its end) |
| `sse_reconnects_total` | counter | reason | connections that came again, by what the client says in X-SSE-Reconnect |
| `sse_pings_due_total` | counter | | heartbeats that had to be sent |
| `sse_pings_sent_total` | counter | | heartbeats that were sent |
| `sse_pings_dropped_total` | counter | | heartbeats sent too late, or never; over due it is the heartbeat drop rate |
| `sse_slow_readers_total` | counter | | readers given up because they took no bytes |
| `sse_events_sent_total` | counter | | events of streams, each time one is sent to a reader |
| `sse_sent_bytes_total` | counter | | bytes of streams sent to readers |
| `sse_writes_total` | counter | | writes in which they went out |
| `sse_log_bytes`, `sse_log_streams` | gauge | | what the event log holds, of all processes that share it |
| `sse_event_loop_lag_seconds` | histogram | | how late the event loop runs what is due, sampled four times a second |
| `process_*`, `python_info` | | | CPU, memory, open files, start time; the interpreter |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client.metrics_core import Metric

    from sse_server.counters import Counters, Histogram


class State(msgspec.Struct, frozen=True):
    """What is not counted but looked up for each scrape. `log_bytes` and `log_streams` are None where unknown."""

    runs: int
    ready: bool
    log_bytes: int | None = None
    log_streams: int | None = None


class Metrics:
    """The metrics of one server, in a registry of its own: a process may have many servers."""

    def __init__(self, counters: Counters, info: Mapping[str, str]) -> None:
        self._figures = _Figures(counters, info)
        self._registry = CollectorRegistry()
        self._registry.register(self._figures)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def text(self, accept: str, state: State) -> tuple[bytes, str]:
        """Return body and Content-Type, in the format that an Accept header asks for: Prometheus's or OpenMetrics."""
        encode, content_type = choose_encoder(accept)
        self._figures.state = state
        return encode(self._registry), content_type


class _Figures(Collector):
    """Makes metric families of the counters when it is asked; counting itself knows nothing of them."""

    def __init__(self, counters: Counters, info: Mapping[str, str]) -> None:
        self._counters = counters
        self._info = info
        self.state = State(0, ready=False)

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self._gauges()
        yield from self._connections()
        yield from self._runs()
        yield from self._totals()
        lag = _Histograms("sse_event_loop_lag_seconds", "How late the event loop runs what is due, sampled.")
        yield lag.of([((), self._counters.loop_lag_s)])

    def _gauges(self) -> Iterator[Metric]:
        state = self.state
        info = GaugeMetricFamily("sse_server_info", "What this process is.", labels=list(self._info))
        info.add_metric(list(self._info.values()), 1)
        yield info
        yield GaugeMetricFamily("sse_ready", "Whether this process takes new readers and runs.", int(state.ready))
        yield GaugeMetricFamily("sse_runs", "Runs that go on.", state.runs)
        yield GaugeMetricFamily("sse_websockets", "Open WebSockets.", self._counters.sockets)
        if state.log_bytes is not None:
            yield GaugeMetricFamily("sse_log_bytes", "Bytes that the event log holds.", state.log_bytes)
        if state.log_streams is not None:
            yield GaugeMetricFamily("sse_log_streams", "Streams that the event log holds.", state.log_streams)

    def _connections(self) -> Iterator[Metric]:
        counters = self._counters
        now = GaugeMetricFamily("sse_connections", "Connections that stream now.", labels=["transport"])
        for transport, count in counters.connected_by.items():
            now.add_metric([transport], count)
        yield now
        took = _Histograms("sse_connection_duration_seconds", "How long a connection streamed.", "transport")
        yield took.of(((transport,), one) for transport, one in counters.connection_s.items())
        again = CounterMetricFamily(
            "sse_reconnects", "Connections that came again, by the reason that the client gives.", labels=["reason"]
        )
        for reason, count in counters.reconnects.items():
            again.add_metric([reason], count)
        yield again

    def _runs(self) -> Iterator[Metric]:
        counters = self._counters
        started = CounterMetricFamily("sse_runs_started", "Questions that went to a model.", labels=["kind"])
        for kind, count in counters.runs_started.items():
            started.add_metric([kind], count)
        yield started
        first = _Histograms("sse_time_to_first_token_seconds", "From a run's start to its model's first token.", "kind")
        yield first.of(((kind,), one) for kind, one in counters.first_token_s.items())
        took = _Histograms("sse_stream_duration_seconds", "From a run's start to its terminal event.", "ending")
        yield took.of(((ending,), one) for ending, one in counters.stream_s.items())
        errors = CounterMetricFamily("sse_errors", "Errors that were said to clients.", labels=["code", "place"])
        for (code, place), count in counters.errors.items():
            errors.add_metric([code, place], count)
        yield errors

    def _totals(self) -> Iterator[Metric]:
        counters = self._counters
        late = (
            "Heartbeats sent later than a quarter of heartbeat_s after they were due, or never, to a reader still here."
        )
        for name, value, what in (
            ("sse_pings_due", counters.pings_due, "Heartbeats that had to be sent."),
            ("sse_pings_sent", counters.pings, "Heartbeats that were sent."),
            ("sse_pings_dropped", counters.pings_dropped, late),
            ("sse_slow_readers", counters.slow_readers, "Readers given up because they took no bytes."),
            ("sse_events_sent", counters.events, "Events of streams, each time one is sent to a reader."),
            ("sse_sent_bytes", counters.bytes_written, "Bytes of streams sent to readers."),
            ("sse_writes", counters.writes, "Writes in which they went out."),
        ):
            yield CounterMetricFamily(name, what, value)


class _Histograms:
    """One family of histograms, by a label or without one."""

    def __init__(self, name: str, what: str, *labels: str) -> None:
        self._family = HistogramMetricFamily(name, what, labels=labels)

    def of(self, observed: Iterable[tuple[tuple[str, ...], Histogram]]) -> HistogramMetricFamily:
        """Return the family with these: counts add up from bound to bound in this format."""
        for labels, one in observed:
            total = 0
            buckets = []
            for bound, count in zip((*map(str, one.bounds), "+Inf"), one.counts, strict=True):
                total += count
                buckets.append((bound, float(total)))
            self._family.add_metric(labels, buckets, one.sum)
        return self._family
