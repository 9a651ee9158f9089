-- Keeps how the deed ended.
-- ARGV: fence, state, payload, retention in microseconds
-- Answers: 1 | 0 the claim is lost | -1 no record of ours
local key, fence, state, payload, retention = KEYS[1], tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4])
local record = read(key)
if record == false then return -1 end
if not record or record.fence ~= fence then return 0 end
if record.state == state then
  -- The reply was lost. The same is written over the same, so that whoever waits for replicas has something to wait for.
  redis.call('HSET', key, 'state', state)
  return 1
end
if record.state ~= '1' then return 0 end
redis.call('HSET', key, 'state', state, 'payload', payload, 'expires', text(clock() + retention))
redis.call('HDEL', key, 'nonce', 'lease')
collect(key, retention)
return 1
