-- Keeps how the operation ended.
-- ARGV: fence, state, payload, retention in microseconds
-- Answers: 1 | 0 the claim is lost | -1 no record of ours
local fence, state, retention = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4])
local record = read()
if record == false then return -1 end
if not record or record.fence ~= fence then return 0 end
if record.state == state then
  write_again(record, clock())
  return 1
end
if record.state ~= 1 then return 0 end
write(state, record.attempt, fence, 0, clock() + retention, record.nonce, record.print, ARGV[3], retention)
return 1
