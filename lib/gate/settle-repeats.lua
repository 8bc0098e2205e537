--[[
Ends counted refusals whose row has been written, unless there have been more since: those are to be written anew.

Keys (one hash tag):
  KEYS[1] hash: id -> how many there were beside that one
  KEYS[2] hash of the same ids -> fields of an entry

Arguments:
  ARGV id and number, in turn, as they were written

Returns how many were ended.
]]
local ended = 0
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[1], ARGV[i])
    redis.call('HDEL', KEYS[2], ARGV[i])
    ended = ended + 1
  end
end
return ended
