--[[
Ends entries of a stream for good: acknowledged and deleted in one step, so that none is left that nobody would read.

Keys:
  KEYS[1] stream

Arguments:
  ARGV[1]  consumer group
  ARGV[2..] ids of entries

Returns the number deleted; entries that are gone already, or a group that is, do no harm.
]]
for i = 2, #ARGV, 500 do
  local last = math.min(i + 499, #ARGV)
  redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, i, last))
end
local deleted = 0
for i = 2, #ARGV, 500 do
  local last = math.min(i + 499, #ARGV)
  deleted = deleted + redis.call('XDEL', KEYS[1], unpack(ARGV, i, last))
end
return deleted
