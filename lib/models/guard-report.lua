-- Tells how a request to a model went.
--
-- KEYS[1]  hash of the model, as in guard-enter.lua
-- ARGV[1]  'ok', 'refused' (an answer that says nothing about the provider's health), 'down', 'pause' or 'unsent'
-- ARGV[2]  ms for which the provider asked not to be called, for 'pause'
-- ARGV[3]  failures in a row that open the circuit
-- ARGV[4]  ms for which it opens first; doubles with each failed probe
-- ARGV[5]  ms for which it opens at most
--
-- Returns 'opened' when this failure opened the circuit, 'closed' when this success closed it, '' otherwise.
local key = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local outcome = ARGV[1]
local result = ''
if outcome == 'ok' or outcome == 'refused' then
  if redis.call('HEXISTS', key, 'open_until') == 1 then result = 'closed' end
  redis.call('HDEL', key, 'failures', 'open_until', 'probe_until')
elseif outcome == 'down' then
  local failures = redis.call('HINCRBY', key, 'failures', 1)
  local beyond = failures - tonumber(ARGV[3])
  if beyond >= 0 then
    local span = math.min(tonumber(ARGV[4]) * 2 ^ math.min(beyond, 10), tonumber(ARGV[5]))
    if redis.call('HEXISTS', key, 'open_until') == 0 then result = 'opened' end
    redis.call('HSET', key, 'open_until', now + span)
    redis.call('HDEL', key, 'probe_until')
  end
elseif outcome == 'unsent' then
  redis.call('HDEL', key, 'probe_until')
elseif outcome == 'pause' then
  local until_ = now + tonumber(ARGV[2])
  local known = tonumber(redis.call('HGET', key, 'pause_until')) or 0
  if until_ > known then redis.call('HSET', key, 'pause_until', until_) end
  redis.call('HDEL', key, 'probe_until')
end
redis.call('PEXPIRE', key, 600000)
return result
