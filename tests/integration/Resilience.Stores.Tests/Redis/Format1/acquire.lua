-- Claims a record, or says why not.
-- ARGV: fingerprint, nonce, lease and retention in microseconds, most attempts
-- Answers: A fence attempt | P fence left | C state payload | M | X | ? (no record of ours)
local key, print, nonce = KEYS[1], ARGV[1], ARGV[2]
local lease, retention, most = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local now = clock()
local record = read(key)
if record == false then return {'?'} end

local attempt = 1
if not is_absent(record, now) then
  if record.print ~= print then return {'M'} end
  if record.state ~= '1' then return {'C', record.state, redis.call('HGET', key, 'payload')} end
  if record.nonce == nonce then
    -- The reply to this very claim was lost: the claim stands, and its lease begins anew.
    redis.call('HSET', key, 'lease', text(now + lease), 'expires', text(now + retention))
    collect(key, retention)
    return {'A', text(record.fence), text(record.attempt)}
  end
  if record.lease > now then return {'P', text(record.fence), text(record.lease - now)} end
  if record.attempt >= most then return {'X'} end
  attempt = record.attempt + 1
end

local fence = math.max(now, record and record.fence + 1 or 0)
if record then redis.call('DEL', key) end
redis.call('HSET', key, 'state', '1', 'fence', text(fence), 'attempt', text(attempt), 'nonce', nonce, 'print', print,
  'lease', text(now + lease), 'expires', text(now + retention))
collect(key, retention)
return {'A', text(fence), text(attempt)}
