-- Looks, and changes nothing.
-- Answers, packed: nothing | P fence left | L fence | C fence | U fence | ? (no record of ours)
local record = read()
if record == false then return '?' end
local now = clock()
if not record or record.state == 3 or now >= record.expires then return '' end
if record.state == 2 then return struct.pack('<c1d', 'C', record.fence) end
if record.state == 4 then return struct.pack('<c1d', 'U', record.fence) end
if record.lease > now then return struct.pack('<c1dd', 'P', record.fence, record.lease - now) end
return struct.pack('<c1d', 'L', record.fence)
