-- Puts a job back behind those whose turn has come, and before those whose turn comes after.
-- KEYS[1] the line, KEYS[2] state: greatest tag
-- ARGV[1] the job's id
local top = tonumber(redis.call('HGET', KEYS[2], 'top') or '') or 0
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local tag = top
if first[2] and tonumber(first[2]) <= top then
  tag = tonumber(first[2]) + 0.5
end
if redis.call('ZADD', KEYS[1], 'XX', 'CH', tag, ARGV[1]) == 1 and tag > top then
  redis.call('HSET', KEYS[2], 'top', tag)
end
