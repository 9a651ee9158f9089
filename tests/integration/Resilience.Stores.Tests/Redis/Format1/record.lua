-- What all scripts begin with. A record is a hash:
--   state    1 in progress, 2 completed, 3 released, 4 indeterminate
--   fence    the stamp of the present claim, larger than all before
--   attempt  how often it was begun
--   nonce    16 bytes: who claimed it           (in progress)
--   print    32 bytes: what was asked for       (not when released)
--   lease    until when the claim lasts         (in progress)
--   expires  from here on the record means nothing
--   payload  what duplicates receive            (completed, indeterminate)
-- Times are microseconds on this server's clock. Numbers are written by text(), because Lua would print 1.7e+15.
local COLLECT_AFTER = 60000 -- milliseconds: the key goes some time after the record means nothing any more
local MOST = 9007199254740991 -- what Lua counts to without losing one

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function text(number)
  return string.format('%.0f', number)
end

-- nil for anything that text() would not have written.
local function number(value)
  if not value or #value > 16 or not string.find(value, '^%d+$') then return nil end
  local result = tonumber(value)
  return result < MOST and result or nil
end

-- nil when there is none, false when it is no record of ours.
local function read(key)
  local field = redis.call('HMGET', key, 'state', 'fence', 'attempt', 'nonce', 'print', 'lease', 'expires')
  local record = {
    state = field[1], fence = number(field[2]), attempt = number(field[3]), nonce = field[4],
    print = field[5], lease = number(field[6]), expires = number(field[7]),
  }
  if not record.state then
    if redis.call('EXISTS', key) == 1 then return false end
    return nil
  end
  if not record.expires or not record.fence or record.fence < 1 then return false end
  if record.state == '3' then return record end
  if not record.print or #record.print ~= 32 or not record.attempt or record.attempt < 1 then return false end
  if record.state == '1' then
    if record.lease and record.nonce and #record.nonce == 16 then return record end
  elseif record.state == '2' or record.state == '4' then
    if redis.call('HEXISTS', key, 'payload') == 1 then return record end
  end
  return false
end

local function is_absent(record, now)
  return not record or record.state == '3' or now >= record.expires
end

-- Only so that no room is taken for ever: 'expires' decides.
local function collect(key, span)
  redis.call('PEXPIRE', key, text(math.ceil(span / 1000) + COLLECT_AFTER))
end
