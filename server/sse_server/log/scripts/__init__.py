"""What the Redis log does in one step each, in Lua: Redis runs a script whole, with nothing in between.

Keys, all after one prefix: `s:ID` the facts of a stream (hash), `e:ID` its events (Redis Stream, entry `SEQ-0` with the
frame in `f` and stamps in `t`), `t:ID` its text, `c:ID` the commands to it, `k:DIGEST` the stream of an owner's key;
`leases`, `done` and `read` say of all streams when the lease runs out, when it ended, when it was last read (sorted
sets, ms), `bytes` how much all events take, and `vigil` when a node last looked for leases that have run out and since
when that was done without a gap (hash, ms). Channels: `n:ID` has every append as it happens, `h:NODE` the streams
that have commands for a node.

Scripts derive keys from ids, so one Redis (with replicas, if you like) is needed, not a cluster. Times are those of
Redis, so the clocks of the nodes need not agree, unless a test brings its own in `now`.
"""

from __future__ import annotations

from sse_server.log.scripts import events, leases, room

SCRIPTS = {
    "CREATE": events.CREATE,
    "APPEND": events.APPEND,
    "READ": events.READ,
    "INFO": events.INFO,
    "TRACES": events.TRACES,
    "COMMAND": events.COMMAND,
    "DELETE": events.DELETE,
    "RENEW": leases.RENEW,
    "REAP": leases.REAP,
    "SEEN": leases.SEEN,
    "EXPIRE": room.EXPIRE,
    "SIZE": room.SIZE,
}
