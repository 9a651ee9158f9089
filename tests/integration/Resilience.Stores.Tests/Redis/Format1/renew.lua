-- Makes the lease end later. Whether it has lapsed is not asked: who was not replaced still holds the record.
-- ARGV: fence, lease in microseconds
-- Answers: 1 | 0 the claim is lost | -1 no record of ours
local key, fence, lease = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local record = read(key)
if record == false then return -1 end
if not record or record.state ~= '1' or record.fence ~= fence then return 0 end
local now = clock()
local expires = math.max(record.expires, now + lease)
redis.call('HSET', key, 'lease', text(now + lease), 'expires', text(expires))
collect(key, expires - now)
return 1
