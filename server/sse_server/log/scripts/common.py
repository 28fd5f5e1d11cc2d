"""What every script begins with: the prefix of all keys, and what several of them do."""

from __future__ import annotations

COMMON = """
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
