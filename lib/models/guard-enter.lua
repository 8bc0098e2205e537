-- Asks whether a request to a model may be sent now, and if so takes it from the model's buckets.
--
-- KEYS[1]  hash of the model: pause_until, open_until, probe_until, failures (circuit and pause, ms since 1970),
--          requests, tokens (levels), at (ms of the last refill)
-- ARGV[1]  requests a minute, 0 for no limit
-- ARGV[2]  tokens a minute, 0 for no limit
-- ARGV[3]  tokens the request may take
-- ARGV[4]  ms that a probe of an open circuit may take
--
-- Returns { waitMs, reason }: waitMs 0 lets the request go; reason is 'pause', 'circuit' or 'limit'.
local key = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local stored = redis.call('HMGET', key, 'pause_until', 'open_until', 'probe_until', 'requests', 'tokens', 'at')

local pause_until = tonumber(stored[1]) or 0
if pause_until > now then return { pause_until - now, 'pause' } end

local open_until = tonumber(stored[2])
if open_until then
  if open_until > now then return { open_until - now, 'circuit' } end
  -- half open: one request finds out whether the provider is back, the others wait for its answer
  local probe_until = tonumber(stored[3]) or 0
  if probe_until > now then return { math.min(probe_until - now, 250), 'circuit' } end
  redis.call('HSET', key, 'probe_until', now + tonumber(ARGV[4]))
end

local per_minute = { tonumber(ARGV[1]), tonumber(ARGV[2]) }
if per_minute[1] == 0 and per_minute[2] == 0 then return { 0, '' } end

-- A minute's worth is what a bucket holds. A request larger than the whole bucket goes when the bucket is full.
local at = tonumber(stored[6]) or now
local cost = { 1, tonumber(ARGV[3]) }
local levels = {}
local wait = 0
for i = 1, 2 do
  local full = per_minute[i]
  if full > 0 then
    local level = math.min(full, (tonumber(stored[3 + i]) or full) + (now - at) * full / 60000)
    local needed = math.min(cost[i], full)
    if level < needed then wait = math.max(wait, math.ceil((needed - level) * 60000 / full)) end
    levels[i] = level
  end
end
if wait == 0 then
  for i = 1, 2 do
    if levels[i] then levels[i] = levels[i] - cost[i] end
  end
end
redis.call('HSET', key, 'requests', tostring(levels[1] or 0), 'tokens', tostring(levels[2] or 0), 'at', now)
redis.call('PEXPIRE', key, 600000)
return { wait, wait > 0 and 'limit' or '' }
