-- Decides about a record whose outcome is unknown: 4, or in progress with a lease that has ended. A new fence shuts a late owner out.
-- ARGV: fence or 0, state (2, 3 or 4), nonce, payload, retention in microseconds
-- Answers, packed: R fence | N 0 | P fence | C fence | F fence | ? (no record of ours)
local TOMBSTONE = 60000000
local expected, state, nonce = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local retention = state == 3 and TOMBSTONE or tonumber(ARGV[5])
local function answer(what, fence) return struct.pack('<c1d', what, fence) end
local record = read()
if record == false then return '?' end
local now = clock()
if record and record.state == state and record.nonce == nonce and now < record.expires then
  write_again(record, now)
  return answer('R', record.fence)
end
if not record or record.state == 3 or now >= record.expires then return answer('N', 0) end
if record.state == 2 then return answer('C', record.fence) end
if record.state == 1 and record.lease > now then return answer('P', record.fence) end
if expected ~= 0 and expected ~= record.fence then return answer('F', record.fence) end

local fence = math.max(now, record.fence + 1)
local attempt, print = record.attempt, record.print
if state == 3 then attempt, print = 0, zeros(32) end
write(state, attempt, fence, 0, now + retention, nonce, print, ARGV[4], retention)
return answer('R', fence)
