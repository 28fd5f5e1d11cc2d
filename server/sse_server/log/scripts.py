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

_COMMON = """
local P = KEYS[1]
local function whole(n) return string.format('%.0f', n) end
local function time(given)
  if given ~= '' then return tonumber(given) end
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function tell(id, first, ended, frames)
  local head = {whole(first), ended and '1' or '0'}
  for i = 1, #frames do head[i + 2] = whole(#frames[i]) end
  redis.call('PUBLISH', P .. 'n:' .. id, table.concat(head, ' ') .. '\\n' .. table.concat(frames))
end
local function grow(id, size)
  if size == 0 then return end
  redis.call('HINCRBY', P .. 's:' .. id, 'size', size)
  redis.call('INCRBY', P .. 'bytes', size)
end
local function finish(id, t)
  redis.call('HSET', P .. 's:' .. id, 'ended_at', whole(t))
  redis.call('ZREM', P .. 'leases', id)
  redis.call('ZADD', P .. 'done', whole(t), id)
end
local function drop_text(id)
  grow(id, -redis.call('STRLEN', P .. 't:' .. id))
  redis.call('HSET', P .. 's:' .. id, 'no_text', 1, 'text_seq', 0)
  redis.call('UNLINK', P .. 't:' .. id)
end
local function forget(id)
  redis.call('DECRBY', P .. 'bytes', redis.call('HGET', P .. 's:' .. id, 'size') or 0)
  redis.call('UNLINK', P .. 's:' .. id, P .. 'e:' .. id, P .. 't:' .. id, P .. 'c:' .. id)
  for _, set in ipairs({'leases', 'done', 'read'}) do redis.call('ZREM', P .. set, id) end
  redis.call('PUBLISH', P .. 'n:' .. id, '')
end
"""

CREATE = (
    _COMMON
    + """
local id, key, now, lease_ms = ARGV[1], ARGV[2], time(ARGV[3]), tonumber(ARGV[4])
if key ~= '' then
  local known = redis.call('GET', P .. 'k:' .. key)
  if known then return {known, 0} end
  redis.call('SET', P .. 'k:' .. key, id)
end
redis.call('HSET', P .. 's:' .. id, 'key', key, 'first', 1, 'last', 0, 'size', 0, 'text_seq', 0,
  'node', ARGV[5], 'machine', ARGV[6], 'owner', ARGV[7], 'model', ARGV[8], 'talk', ARGV[9])
redis.call('ZADD', P .. 'leases', whole(now + lease_ms), id)
redis.call('ZADD', P .. 'read', whole(now), id)
return {id, 1}
"""
)
"""id, key digest, now, lease, node, machine, owner, model, conversation -> [id, created]."""

APPEND = (
    _COMMON
    + """
local id, node, from, now = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local s = P .. 's:' .. id
local m = redis.call('HMGET', s, 'owner', 'gone', 'node', 'ended_at', 'last', 'no_text')
if not m[1] then return {'unknown'} end
if m[2] then return {'expired', m[1]} end
if m[3] ~= node then return {'lost'} end
if from >= 0 and tonumber(m[5]) ~= from then return {'moved', tonumber(m[5])} end
if m[4] then return {'ended'} end
if from < 0 then return {'lost'} end
local ends, text, text_seq = ARGV[5] == '1', ARGV[6], ARGV[7]
local frames, size, seq = {}, 0, from
for i = 9, #ARGV, 2 do
  seq = seq + 1
  frames[#frames + 1] = ARGV[i]
  size = size + #ARGV[i] + #ARGV[i + 1]
  redis.call('XADD', P .. 'e:' .. id, whole(seq) .. '-0', 'f', ARGV[i], 't', ARGV[i + 1])
end
if seq == from then return {'ok', seq} end
redis.call('HSET', s, 'last', whole(seq))
grow(id, size)
if text_seq ~= '' and not m[6] then
  grow(id, #text)
  redis.call('HSET', s, 'text_seq', text_seq)
  if redis.call('APPEND', P .. 't:' .. id, text) > tonumber(ARGV[8]) then drop_text(id) end
end
if ends then finish(id, time(now)) end
tell(id, from + 1, ends, frames)
return {'ok', seq}
"""
)
"""id, node, last seq known, now, ends, text, text_seq, longest text, then frame and stamps of each -> [verdict, ...].

Only the holder of the lease may, and only if it knows the last event: what it sent before and got no answer to has
landed or has not, and it finds out by `moved` before it sends anything twice.
"""

READ = (
    _COMMON
    + """
local id, at, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local m = redis.call('HMGET', P .. 's:' .. id, 'owner', 'gone', 'ended_at', 'last', 'first')
if not m[1] then return {'unknown'} end
if m[2] then return {'expired', m[1]} end
local last, first = tonumber(m[4]), tonumber(m[5])
if at + 1 < first or at > last then return {'trimmed'} end
local reply, size = {'ok', last, m[3] and 1 or 0}, 0
while size < limit and at < last do
  local entries = redis.call('XRANGE', P .. 'e:' .. id, whole(at + 1) .. '-0', '+', 'COUNT', 32)
  if #entries == 0 then return {'trimmed'} end
  for _, entry in ipairs(entries) do
    if size >= limit then break end
    at = at + 1
    reply[#reply + 1] = entry[2][2]
    size = size + #entry[2][2]
  end
end
return reply
"""
)
"""id, after, bytes -> ["ok", last, ended, frames ...].

It is `trimmed` also when Redis came back without the newest events.
"""

INFO = (
    _COMMON
    + """
local id = ARGV[1]
local s = P .. 's:' .. id
local m = redis.call('HMGET', s, 'owner', 'gone', 'model', 'talk', 'first', 'last', 'ended_at', 'text_seq', 'no_text')
if not m[1] then return {'unknown'} end
if m[2] then return {'expired', m[1]} end
local read = tonumber(redis.call('ZSCORE', P .. 'read', id) or 0)
local text = ARGV[3] == '1' and redis.call('GET', P .. 't:' .. id) or ''
local unread = time(ARGV[2]) - read
local ended, whole_text = m[7] and 1 or 0, m[9] and 0 or 1
return {'ok', m[1], m[3], m[4], tonumber(m[5]), tonumber(m[6]), ended, tonumber(m[8]), unread, text, whole_text}
"""
)
"""id, now, with text -> ["ok", owner, model, conversation, first, last, ended, text_seq, unread ms, text, whole]."""

TRACES = (
    _COMMON
    + """
local id = ARGV[1]
local m = redis.call('HMGET', P .. 's:' .. id, 'owner', 'gone', 'machine')
if not m[1] then return {'unknown'} end
if m[2] then return {'expired', m[1]} end
local reply = {'ok'}
for _, entry in ipairs(redis.call('XRANGE', P .. 'e:' .. id, ARGV[2] .. '-0', ARGV[3] .. '-0')) do
  reply[#reply + 1] = m[3] == ARGV[4] and entry[2][4] or ''
end
return reply
"""
)
"""id, first, last, machine -> ["ok", stamps ...]."""

COMMAND = (
    _COMMON
    + """
local id = ARGV[1]
local m = redis.call('HMGET', P .. 's:' .. id, 'owner', 'gone', 'node', 'ended_at')
if not m[1] then return {'unknown'} end
if m[2] then return {'expired', m[1]} end
if not m[4] then
  redis.call('XADD', P .. 'c:' .. id, 'MAXLEN', 256, '*', 'c', ARGV[2])
  redis.call('PUBLISH', P .. 'h:' .. m[3], id)
end
return {'ok'}
"""
)
"""id, command -> [verdict]. Of more than 256 that nobody has taken, the newest are kept."""

RENEW = (
    _COMMON
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
    _COMMON
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

EXPIRE = (
    _COMMON
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

DELETE = (
    _COMMON
    + """
local key = redis.call('HGET', P .. 's:' .. ARGV[1], 'key')
forget(ARGV[1])
if key and key ~= '' then redis.call('DEL', P .. 'k:' .. key) end
return {'ok'}
"""
)
"""id -> ["ok"]."""

SEEN = (
    _COMMON
    + """
local now = whole(time(ARGV[1]))
for i = 2, #ARGV do redis.call('ZADD', P .. 'read', 'XX', now, ARGV[i]) end
return 0
"""
)
"""now, ids ... that are being read."""

SIZE = (
    _COMMON
    + """
local streams = redis.call('ZCARD', P .. 'leases') + redis.call('ZCARD', P .. 'done')
return {tonumber(redis.call('GET', P .. 'bytes') or 0), streams}
"""
)
"""nothing -> [bytes, streams]."""
