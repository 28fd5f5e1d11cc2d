"""What happens to one stream: made, appended to, read, told of, sent commands, forgotten."""

from __future__ import annotations

from sse_server.log.scripts.common import COMMON

CREATE = (
    COMMON
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
    COMMON
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
    COMMON
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
    COMMON
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
    COMMON
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
    COMMON
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

DELETE = (
    COMMON
    + """
local key = redis.call('HGET', P .. 's:' .. ARGV[1], 'key')
forget(ARGV[1])
if key and key ~= '' then redis.call('DEL', P .. 'k:' .. key) end
return {'ok'}
"""
)
"""id -> ["ok"]."""
