-- What all scripts begin with. A record is one string, little endian, of format 2:
--    0  'ri'      whose it is
--    2  1 byte    format: 2
--    3  1 byte    state: 1 in progress, 2 completed, 3 released, 4 indeterminate
--    4  4 bytes   attempt: how often it was begun
--    8  double    fence: the stamp of the present claim, larger than all before
--   16  double    lease: until when the claim lasts (in progress)
--   24  double    expires: from here on the record means nothing
--   32  16 bytes  nonce: who claimed it, or decided about it
--   48  32 bytes  print: what was asked for
--   80  …         payload: what duplicates receive (completed, indeterminate)
-- Times are microseconds on this server's clock. Format 1 was a hash with a field for each; it is read, and written anew as format 2.
local LAYOUT, HEADER, FORMAT = '<c2BBI4dddc16c32', 80, 2
local COLLECT_AFTER = 60000 -- milliseconds: the key goes some time after the record means nothing any more
local MOST = 9007199254740991 -- what Lua counts to without losing one
local key = KEYS[1]

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- True for whole numbers; not for what is no number.
local function is_number(value, least)
  return value ~= nil and value >= least and value < MOST and value % 1 == 0
end

local function checked(record)
  local state = record.state
  if not is_number(record.fence, 1) or not is_number(record.expires, 0) then return false end
  if state == 3 then return record end
  if not is_number(record.attempt, 1) or #record.print ~= 32 then return false end
  if state == 1 then return is_number(record.lease, 0) and #record.nonce == 16 and record or false end
  return (state == 2 or state == 4) and record or false
end

local function zeros(count)
  return string.rep('\0', count)
end

local function text(value)
  return value and string.find(value, '^%d+$') and #value <= 16 and tonumber(value) or nil
end

-- Ends the script with the error of a command, unless the key only holds something of another type.
local function end_unless_of_another_type(answer, ...)
  if answer.err and not string.find(answer.err, 'WRONGTYPE', 1, true) then redis.call(...) end
end

-- A record of format 1; false for everything else.
local function older()
  local field = redis.pcall('HMGET', key, 'state', 'fence', 'attempt', 'nonce', 'print', 'lease', 'expires', 'payload')
  end_unless_of_another_type(field, 'HMGET', key, 'state')
  if field.err or not field[1] then return false end
  local state = text(field[1])
  if (state == 2 or state == 4) and not field[8] then return false end
  return checked({
    state = state, fence = text(field[2]), attempt = text(field[3]), nonce = field[4] or (state == 1 and '' or zeros(16)),
    print = field[5] or '', lease = text(field[6]) or (state == 1 and -1 or 0), expires = text(field[7]), payload = field[8] or '',
  })
end

-- nil when there is none, false when it is no record of ours, or one of a newer format.
local function read()
  local value = redis.pcall('GET', key)
  if not value then return nil end
  if value.err then
    end_unless_of_another_type(value, 'GET', key)
    return older()
  end
  if #value < HEADER then return false end
  local ours, format, state, attempt, fence, lease, expires, nonce, print = struct.unpack(LAYOUT, value)
  if ours ~= 'ri' or format ~= FORMAT then return false end
  return checked({
    state = state, attempt = attempt, fence = fence, lease = lease, expires = expires, nonce = nonce, print = print, value = value,
  })
end

local function payload(record)
  return record.payload or string.sub(record.value, HEADER + 1)
end

-- The time to live is only so that no room is taken for ever: 'expires' decides.
local function write(state, attempt, fence, lease, expires, nonce, print, content, span)
  local value = struct.pack(LAYOUT, 'ri', FORMAT, state, attempt, fence, lease, expires, nonce, print)
  if content ~= '' then value = value .. content end
  redis.call('SET', key, value, 'PX', math.ceil(span / 1000) + COLLECT_AFTER)
end

-- The reply was lost. The same is written over the same, so that a caller that waits for replicas has something to wait for.
local function write_again(record, now)
  write(record.state, record.attempt or 0, record.fence, record.lease, record.expires, record.nonce, #record.print == 32 and record.print or zeros(32),
    payload(record), math.max(record.expires - now, 0))
end
