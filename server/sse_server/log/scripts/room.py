"""What all streams take, and what goes when it is too much or too old."""

from __future__ import annotations

from sse_server.log.scripts.common import COMMON

EXPIRE = (
    COMMON
    + """
local now, gone = time(ARGV[1]), {}
local function drop(id)
  local m = redis.call('HMGET', P .. 's:' .. id, 'owner', 'key')
  forget(id)
  redis.call('HSET', P .. 's:' .. id, 'owner', m[1] or '', 'gone', 1)
  redis.call('PEXPIRE', P .. 's:' .. id, ARGV[4])
  if m[2] and m[2] ~= '' then redis.call('PEXPIRE', P .. 'k:' .. m[2], ARGV[4]) end
  gone[#gone + 1] = id
end
local old = whole(now - tonumber(ARGV[2]))
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'done', '-inf', old, 'LIMIT', 0, 256)) do
  drop(id)
end
local function over() return tonumber(redis.call('GET', P .. 'bytes') or 0) - tonumber(ARGV[3]) end
if over() > 0 then
  for _, id in ipairs(redis.call('ZRANGE', P .. 'done', 0, 255)) do
    if over() <= 0 then break end
    drop(id)
  end
end
local running = over() > 0 and redis.call('ZRANGE', P .. 'leases', 0, -1) or {}
local share = math.floor(tonumber(ARGV[3]) / math.max(1, #running))
local target = share - math.floor(share / 8)
for _, id in ipairs(running) do
  local s, e = P .. 's:' .. id, P .. 'e:' .. id
  local m = redis.call('HMGET', s, 'size', 'first')
  local size, first, freed = tonumber(m[1] or 0), tonumber(m[2] or 1), 0
  if size > share then
    local text = redis.call('STRLEN', P .. 't:' .. id)
    if text > target / 2 then
      drop_text(id)
      size = size - text
    end
    while size - freed > target do
      local entries = redis.call('XRANGE', e, whole(first) .. '-0', '+', 'COUNT', 32)
      if #entries < 2 then break end
      for i = 1, #entries - 1 do
        if size - freed <= target then break end
        freed = freed + #entries[i][2][2] + #entries[i][2][4]
        first = first + 1
      end
    end
    redis.call('XTRIM', e, 'MINID', whole(first) .. '-0')
    redis.call('HSET', s, 'first', whole(first))
    grow(id, -freed)
  end
end
return gone
"""
)
"""now, age of finished streams, most bytes, how long ids are remembered -> ids that are gone.

Finished streams go first, the oldest of them first; then the oldest events of those that go on and have more than an
equal share each. What is trimmed goes an eighth below the share, and its text may take half of that.
"""

SIZE = (
    COMMON
    + """
local streams = redis.call('ZCARD', P .. 'leases') + redis.call('ZCARD', P .. 'done')
return {tonumber(redis.call('GET', P .. 'bytes') or 0), streams}
"""
)
"""nothing -> [bytes, streams]."""
