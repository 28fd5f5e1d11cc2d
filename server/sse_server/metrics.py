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
| `sse_stream_duration_seconds` | histogram | ending | from a run's start to its terminal event: stop, length, stopped, error |
| `sse_time_to_first_token_seconds` | histogram | kind | from a run's start to the model's first token |
| `sse_errors_total` | counter | code, place | errors said to clients; place: request (a refusal), stream (a terminal event) |
| `sse_reconnects_total` | counter | reason | connections that came again, by what the client says in X-SSE-Reconnect |
| `sse_pings_due_total` | counter | | heartbeats that had to be sent |
| `sse_pings_sent_total` | counter | | heartbeats that were sent |
| `sse_pings_dropped_total` | counter | | heartbeats sent too late, or never; over due it is the heartbeat drop rate |
| `sse_slow_readers_total` | counter | | readers given up because they took no bytes |
| `sse_events_sent_total` | counter | | events of streams, each time one is sent to a reader |
| `sse_sent_bytes_total` | counter | | bytes of streams sent to readers |
| `sse_writes_total` | counter | | writes in which they went out |
| `sse_log_bytes`, `sse_log_streams` | gauge | | what the event log holds, where it can tell |
| `sse_event_loop_lag_seconds` | histogram | | how late the event loop runs what is due, sampled four times a second |
| `process_*`, `python_info` | | | CPU, memory, open files, start time; the interpreter |
"""
