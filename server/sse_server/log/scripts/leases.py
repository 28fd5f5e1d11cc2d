"""Who produces, and who reads: leases are renewed and run out, streams are said to be read."""

from __future__ import annotations

from sse_server.log.scripts.common import COMMON

RENEW = (
    COMMON
    + """
local until_ms, lost = time(ARGV[1]) + tonumber(ARGV[2]), {}
for i = 4, #ARGV do
  local m = redis.call('HMGET', P .. 's:' .. ARGV[i], 'node', 'ended_at')
  if m[1] ~= ARGV[3] then
    lost[#lost + 1] = ARGV[i]
  elseif not m[2] then
    redis.call('ZADD', P .. 'leases', whole(until_ms), ARGV[i])
  end
end
return lost
"""
)
"""now, lease, node, ids ... -> ids that are not this node's any more."""

REAP = (
    COMMON
    + """
local now, lease_ms, ended = time(ARGV[1]), tonumber(ARGV[3]), {}
local looked, since = unpack(redis.call('HMGET', P .. 'vigil', 'looked', 'since'))
if not looked or now < tonumber(looked) or now - tonumber(looked) > lease_ms / 2 then
  since = now
  redis.call('HSET', P .. 'vigil', 'since', whole(now))
end
redis.call('HSET', P .. 'vigil', 'looked', whole(now))
if now - tonumber(since) < lease_ms then return ended end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'leases', '-inf', whole(now), 'LIMIT', 0, 128)) do
  local s = P .. 's:' .. id
  local last = redis.call('HGET', s, 'last')
  if last then
    local seq = tonumber(last) + 1
    local frame = ARGV[2] .. 'id: ' .. id .. ':' .. whole(seq) .. '\\n\\n'
    redis.call('XADD', P .. 'e:' .. id, whole(seq) .. '-0', 'f', frame, 't', '')
    redis.call('HSET', s, 'last', whole(seq), 'node', '')
    grow(id, #frame)
    finish(id, now)
    tell(id, seq, true, {frame})
    ended[#ended + 1] = id
  else
    redis.call('ZREM', P .. 'leases', id)
  end
end
return ended
"""
)
"""now, terminal event without its id, lease -> ids of the streams whose lease had run out, which have that event now.

Nodes look every third of a lease. Where none has looked for half of one, it may be that none could reach this Redis to
renew its leases (an outage, nodes that slept, a clock that was set): they have as long as a lease for it then.
"""

SEEN = (
    COMMON
    + """
local now = whole(time(ARGV[1]))
for i = 2, #ARGV do redis.call('ZADD', P .. 'read', 'XX', now, ARGV[i]) end
return 0
"""
)
"""now, ids ... that are being read."""
