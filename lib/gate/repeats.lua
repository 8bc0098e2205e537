--[[
Shows some of the counted refusals that wait for their row, any of them.

Keys (one hash tag):
  KEYS[1] hash: id -> how many there were beside that one
  KEYS[2] hash of the same ids -> fields of an entry, as a JSON array

Arguments:
  ARGV[1] how many to show at most

Returns id, number and fields of each in turn.
]]
local shown = {}
for _, id in ipairs(redis.call('HRANDFIELD', KEYS[1], ARGV[1])) do
  shown[#shown + 1] = id
  shown[#shown + 1] = redis.call('HGET', KEYS[1], id)
  shown[#shown + 1] = redis.call('HGET', KEYS[2], id) or ''
end
return shown
