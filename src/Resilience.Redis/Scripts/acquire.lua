-- Claims a record, or says why not.
-- ARGV: fingerprint, nonce, lease and retention in microseconds, most attempts
-- Answers, packed: A fence attempt | P fence left | C left payload | U left payload | M | X | ? (no record of ours)
local print, nonce = ARGV[1], ARGV[2]
local lease, retention = tonumber(ARGV[3]), tonumber(ARGV[4])
local record = read()
if record == false then return '?' end
local now = clock()
local attempt, fence = 1, now
if record then
  if record.state ~= 3 and now < record.expires then
    if record.print ~= print then return 'M' end
    if record.state ~= 1 then return struct.pack('<c1d', record.state == 2 and 'C' or 'U', record.expires - now) .. payload(record) end
    if record.nonce == nonce then
      -- The reply to this very claim was lost: the claim stands, and its lease begins anew.
      write(1, record.attempt, record.fence, now + lease, now + retention, nonce, print, '', retention)
      return struct.pack('<c1dd', 'A', record.fence, record.attempt)
    end
    if record.lease > now then return struct.pack('<c1dd', 'P', record.fence, record.lease - now) end
    if record.attempt >= tonumber(ARGV[5]) then return 'X' end
    attempt = record.attempt + 1
  end
  fence = math.max(now, record.fence + 1)
end
write(1, attempt, fence, now + lease, now + retention, nonce, print, '', retention)
return struct.pack('<c1dd', 'A', fence, attempt)
