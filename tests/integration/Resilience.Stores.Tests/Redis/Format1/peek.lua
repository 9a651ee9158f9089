-- Looks, and changes nothing.
-- Answers: nothing | P fence left | L fence | 2 fence | 4 fence | ? (no record of ours)
local record = read(KEYS[1])
if record == false then return {'?'} end
local now = clock()
if is_absent(record, now) then return {} end
if record.state ~= '1' then return {record.state, text(record.fence)} end
if record.lease > now then return {'P', text(record.fence), text(record.lease - now)} end
return {'L', text(record.fence)}
