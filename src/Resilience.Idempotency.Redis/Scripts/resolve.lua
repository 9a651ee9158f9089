-- Decides about a record whose outcome is unknown: 4, or in progress with a lease that has ended. A new fence shuts a late owner out.
-- ARGV: fence or 0, state (2, 3 or 4), nonce, payload, retention in microseconds
-- Answers: R fence | N 0 | P fence | C fence | F fence | ? (no record of ours)
local TOMBSTONE = 60000000
local key, expected, state, nonce, payload = KEYS[1], tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local retention = state == '3' and TOMBSTONE or tonumber(ARGV[5])
local record = read(key)
if record == false then return {'?'} end
local now = clock()
if record and record.state == state and record.nonce == nonce and now < record.expires then
  -- The reply was lost. The same is written over the same, so that a caller that waits for replicas has something to wait for.
  redis.call('HSET', key, 'state', state)
  return {'R', text(record.fence)}
end
if is_absent(record, now) then return {'N', '0'} end
if record.state == '2' then return {'C', text(record.fence)} end
if record.state == '1' and record.lease > now then return {'P', text(record.fence)} end
if expected ~= 0 and expected ~= record.fence then return {'F', text(record.fence)} end

local fence = math.max(now, record.fence + 1)
redis.call('HSET', key, 'state', state, 'fence', text(fence), 'nonce', nonce, 'expires', text(now + retention))
redis.call('HDEL', key, 'lease')
if state == '3' then
  redis.call('HDEL', key, 'attempt', 'print', 'payload')
else
  redis.call('HSET', key, 'payload', payload)
end
collect(key, retention)
return {'R', text(fence)}
