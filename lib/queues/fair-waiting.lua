-- Whose jobs are next: of those that wait, of those in the line, and of those whose delay is over.
-- KEYS[1] list of waiting jobs, KEYS[2] the line, KEYS[3] delayed jobs
-- ARGV[1] prefix of the keys of jobs, ARGV[2] ms since the epoch, ARGV[3] jobs of each to look at
-- Returns the owners, each as often as it was found.
local many = tonumber(ARGV[3])
local found = {}
for _, jobs in ipairs({
  redis.call('LRANGE', KEYS[1], -many, -1),
  redis.call('ZRANGE', KEYS[2], 0, many - 1),
  -- BullMQ multiplies the time by 4,096 and counts in the rest
  redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', (tonumber(ARGV[2]) + 1) * 4096 - 1, 'LIMIT', 0, many)
}) do
  for _, id in ipairs(jobs) do
    local read, data = pcall(cjson.decode, redis.pcall('HGET', ARGV[1] .. id, 'data'))
    if read and type(data) == 'table' and type(data.owner) == 'string' then
      found[#found + 1] = data.owner
    end
  end
end
return found
