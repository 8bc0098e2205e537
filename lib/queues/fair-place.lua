-- Gives the jobs that have no place in a line yet their places (Goyal, Vin, Cheng: "Start-time Fair Queueing",
-- SIGCOMM 1996). A tag is a score of BullMQ's sorted set of prioritized jobs, from which the lowest is served; every job
-- without a place has a score above all tags there are. Redis writes numbers with 17 digits: whole ones stay whole.
-- KEYS[1] the line, KEYS[2] the tag at which the last job of each flow ends, KEYS[3] state: greatest tag, next pruning
-- ARGV[1] prefix of the keys of jobs, ARGV[2] most to place, ARGV[3] step of a person's flow, ARGV[4] of the platform's
-- ARGV[5] prefix of the keys of groups: the ends of the flows that share an address; ARGV[6] people's shares of a group
-- Returns how many were placed.
local call = redis.call
local known = call('HMGET', KEYS[3], 'top', 'prune_at')
local top = tonumber(known[1] or '') or 0
local jobs = call('ZRANGEBYSCORE', KEYS[1], '(' .. (known[1] or '0'), '+inf', 'LIMIT', 0, ARGV[2])
if #jobs == 0 then
  return 0
end

-- Whose turn a job takes, how far it moves its flow on, and how much later than its start it is served: jobs of the
-- platform's own as if ordered by their end, so that what a person waits for goes before them, for a few turns.
local person, system = tonumber(ARGV[3]), tonumber(ARGV[4])
local function flowOf(id)
  local read, data = pcall(cjson.decode, redis.pcall('HGET', ARGV[1] .. id, 'data'))
  if not read or type(data) ~= 'table' or type(data.owner) ~= 'string' then
    return '', person, 0
  elseif data.origin == 'system' then
    return 'system:' .. data.owner, system, system - person
  end
  return data.owner, person, 0, type(data.group) == 'string' and data.group or nil
end

-- Virtual time is the start of the job that is served next. Where none has a place, all that had one are served: a new
-- busy period begins, in which nobody has had anything, behind every tag that was given.
local now = top
local head = call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if tonumber(head[2]) <= top then
  local _, _, later = flowOf(head[1])
  now = math.max(0, tonumber(head[2]) - later)
else
  call('DEL', KEYS[2])
end

-- The flows of a group that have not come to an end by virtual time.
local groups = {}
local function membersOf(group)
  if not groups[group] then
    local members = { count = 0, ends = {} }
    local all = call('HGETALL', ARGV[5] .. group)
    for at = 1, #all, 2 do
      if tonumber(all[at + 1]) > now then
        members.ends[all[at]] = tonumber(all[at + 1])
        members.count = members.count + 1
      end
    end
    groups[group] = members
  end
  return groups[group]
end

local share = tonumber(ARGV[6])
local ends = {}
local places = {}
for at, id in ipairs(jobs) do
  local flow, step, later, group = flowOf(id)
  local start = math.max(now, ends[flow] or tonumber(call('HGET', KEYS[2], flow) or '') or 0)
  if group then
    local members = membersOf(group)
    if not members.ends[flow] then
      members.count = members.count + 1
    end
    step = step * math.max(1, math.ceil(members.count / share))
    members.ends[flow] = start + step
  end
  ends[flow] = start + step
  places[2 * at - 1] = start + later
  places[2 * at] = id
  top = math.max(top, start + later)
end
call('ZADD', KEYS[1], unpack(places))

local fields = {}
for flow, tag in pairs(ends) do
  fields[#fields + 1] = flow
  fields[#fields + 1] = tag
end
call('HSET', KEYS[2], unpack(fields))
call('HSET', KEYS[3], 'top', top)
for group, members in pairs(groups) do
  local key = ARGV[5] .. group
  call('DEL', key)
  -- one by one: an address may have more accounts than a call may have arguments
  for flow, tag in pairs(members.ends) do
    call('HSET', key, flow, tag)
  end
  call('EXPIRE', key, 3600)
end

-- A flow that ended before virtual time begins like one that is not known.
if call('HLEN', KEYS[2]) > (tonumber(known[2] or '') or 1000) then
  local all = call('HGETALL', KEYS[2])
  for at = 1, #all, 2 do
    if tonumber(all[at + 1]) <= now then
      call('HDEL', KEYS[2], all[at])
    end
  end
  call('HSET', KEYS[3], 'prune_at', 1000 + 2 * call('HLEN', KEYS[2]))
end
return #jobs
