-- Which is the newest format that any process writes here.
-- ARGV: the newest one that this process knows
-- Answers it; it is at least that of this process from now on.
local known, ours = tonumber(redis.call('GET', KEYS[1]) or '0') or 0, tonumber(ARGV[1])
if known < ours then redis.call('SET', KEYS[1], ARGV[1]) end
return math.max(known, ours)
