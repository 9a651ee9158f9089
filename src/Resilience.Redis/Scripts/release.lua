-- Gives the record back. Its fence is remembered for a minute: then the clock is far enough for the next one to be larger.
-- ARGV: fence
-- Answers: 1 | 0 the claim is lost, or completed | -1 no record of ours
local TOMBSTONE = 60000000
local fence = tonumber(ARGV[1])
local record = read()
if record == false then return -1 end
if not record or record.fence ~= fence then return 0 end
if record.state == 3 then
  write_again(record, clock())
  return 1
end
if record.state ~= 1 then return 0 end
write(3, 0, fence, 0, clock() + TOMBSTONE, zeros(16), zeros(32), '', TOMBSTONE)
return 1
