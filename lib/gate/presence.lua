--[[
Says that a process is alive and counts those that are.

Keys:
  KEYS[1] sorted set of processes by the microsecond they were last heard

Arguments:
  ARGV[1] name of the process; '' only counts
  ARGV[2] milliseconds of silence after which a process counts no more

Returns the number of processes alive.
]]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - tonumber(ARGV[2]) * 1000))
if ARGV[1] ~= '' then
  redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
  redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[2]) * 10)
end
return redis.call('ZCARD', KEYS[1])
