-- Gives the record back. Its fence is remembered for a minute: then the clock is far enough for the next one to be larger.
-- ARGV: fence
-- Answers: 1 | 0 the claim is lost, or completed | -1 no record of ours
local TOMBSTONE = 60000000
local key, fence = KEYS[1], tonumber(ARGV[1])
local record = read(key)
if record == false then return -1 end
if not record or record.fence ~= fence then return 0 end
if record.state == '3' then
  redis.call('HSET', key, 'state', '3') -- as it is, so that whoever waits for replicas has something to wait for
  return 1
end
if record.state ~= '1' then return 0 end
redis.call('HSET', key, 'state', '3', 'expires', text(clock() + TOMBSTONE))
redis.call('HDEL', key, 'attempt', 'nonce', 'print', 'lease', 'payload')
redis.call('PEXPIRE', key, text(TOMBSTONE / 1000))
return 1
