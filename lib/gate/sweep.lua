--[[
Makes decisions of admissions that nobody finished: the process that held them died in between, and what is certain is
that the request was let in.

Keys (one hash tag):
  KEYS[1] stream of decisions
  KEYS[2] stream of admitted requests

Arguments:
  ARGV[1] milliseconds an admission may stay open
  ARGV[2] how many to move at most
  ARGV[3] about how many entries the stream may keep

Returns the number moved.
]]
local time = redis.call('TIME')
local before = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) - tonumber(ARGV[1])
if before < 0 then return 0 end

local entries = redis.call('XRANGE', KEYS[2], '-', string.format('%.0f', before), 'COUNT', ARGV[2])
for _, entry in ipairs(entries) do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', unpack(entry[2]))
  redis.call('XDEL', KEYS[2], entry[1])
end
return #entries
