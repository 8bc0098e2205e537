--[[
Carries out calls, one after another. Each looks at some buckets of one subject and takes from them, all or none, and
writes the decision down in the same step. One that fails leaves the others alone.

A refused request is an entry of its own as long as its subject has had few of them for this action in this minute; those
beyond are counted under the id of the first of them, so that a flood makes no stream, and no table, grow. The count only
rises and stands for all of them, so whoever stores it twice, late, or beside somebody else stores the same.

A level counts units: 60,000,000 are a token, and a bucket of L tokens a minute gains L units each microsecond, so all
arithmetic is on whole numbers below 2^53 and nothing is rounded; where L is a fraction, levels are rounded down to the
unit. A bucket is one string,
"level at limit full holds": units in it, when that was (microseconds), tokens a minute and units of a full bucket at
that time, and what may still be given back, oldest first: "name:units;name:units;". A bucket that is not there is full.

A hold may be given back only as far as the bucket would be fuller had it never been taken. Level and holds together
therefore never exceed a full bucket: what refilling would make of them beyond that, the oldest holds lose. Without this
a client could let many requests wait, use up a bucket that has refilled meanwhile, and have it filled again by refusals.

Keys (all declared; of one hash tag, as a Redis Cluster wants them): those of each call in turn
  KEYS[1]   stream of decisions
  KEYS[2]   stream of admitted requests whose decision is not final yet
  KEYS[3]   hash of counted refusals that wait for their row: id -> how many there were beside that one
  KEYS[4]   hash of the same ids -> fields of an entry, as a JSON array
  KEYS[5]   hash of the subject's refusals: "action minute" -> how many, "action minute id" -> under which id those beyond
  KEYS[6..] buckets

Arguments: how many calls there are; for each how many keys and how many arguments it has; then those of each call in turn
  ARGV[1] microseconds to take for the time; '' (always, outside tests of schedules) asks Redis.
          Redis has the only clock all processes share, but a test of a hundred thousand waits cannot wait:
          so the clock is an argument, like any other fact, and the script under test is the script in use
  ARGV[2] 'final' writes the decision, 'open' writes it when refused and notes the admission otherwise, 'copy' writes one
          that was made elsewhere and is an entry in any case, 'none' writes nothing
  ARGV[3] entry of KEYS[2] that this decision replaces, or ''
  ARGV[4] entry of KEYS[1] that this decision replaces, or ''
  ARGV[5] outcome to write; '' writes 'allowed' or 'blocked' as it comes out
  ARGV[6] action to write when allowed
  ARGV[7] action to write when refused
  ARGV[8] facts of the request, JSON, written as they are
  ARGV[9] milliseconds to write as the decision's time; '' for now
  ARGV[10] about how many entries a stream may keep
  ARGV[11] refused requests of a subject and action in a minute that are entries of their own
  then five for each bucket:
    what to do:
      take   take the cost
      guard  take the cost; the bucket is another subject's, and when it has less, it alone is what refuses
      hold   take the cost; it may be given back
      look   leave it
      held   an earlier call holds the cost: give it back when this one is refused, else keep it
      give   an earlier call holds the cost: give it back
      debit  book what was granted while Redis was away: the cost is what was granted, the fifth argument what of it
             had not been refilled by the end; the level may go below zero, to minus one full bucket
    tokens a minute
    units of a full bucket
    cost in units
    for 'debit' the units above; for 'hold', 'held' and 'give' the name of the hold; else ''

Returns for each call what went wrong, as a text, or { 1 when allowed or 0, microseconds, id of the entry written or '', 1 when it was counted instead or 0,
level in units of each bucket }.
Refused means that a 'take', 'hold' or 'guard' found less than its cost: then nothing was taken anywhere, and the levels are those
that were found (with what was given back).

Events: none. Writes a bucket only when its level or its limits change, and lets it expire when it will be full.
]]
local MARGIN = 10000 -- ms a key outlives the moment it is full, so that a replica's clock cannot make it full early

local MOST_HOLDS = 1000 -- those beyond cannot be given back, so that no bucket grows without bound

local function integer(number)
  return string.format('%.0f', number)
end

-- Takes from the oldest holds what exceeds `room` units.
local function limitHolds(holds, room)
  local sum = 0
  for _, hold in ipairs(holds) do sum = sum + hold.units end
  while sum > room do
    local oldest = holds[1]
    local lost = math.min(oldest.units, sum - room)
    oldest.units = oldest.units - lost
    sum = sum - lost
    if oldest.units == 0 then table.remove(holds, 1) end
  end
end

-- Removes a hold and returns its units, 0 when it is not there.
local function releaseHold(holds, name)
  for i, hold in ipairs(holds) do
    if hold.name == name then
      table.remove(holds, i)
      return hold.units
    end
  end
  return 0
end

local function take(KEYS, ARGV)
  local now
  if ARGV[1] == '' then
    local time = redis.call('TIME')
    now = tonumber(time[1]) * 1000000 + tonumber(time[2])
  else
    now = tonumber(ARGV[1])
  end

  local buckets = {}
  local allowed = true
  local guarded = false -- a guard refuses

  local function takes(what)
    return what == 'take' or what == 'hold' or what == 'guard'
  end

  for i = 6, #KEYS do
    local arg = 12 + (i - 6) * 5
    local bucket = {
      key = KEYS[i],
      what = ARGV[arg],
      limitText = ARGV[arg + 1],
      limit = tonumber(ARGV[arg + 1]),
      full = tonumber(ARGV[arg + 2]),
      cost = tonumber(ARGV[arg + 3]),
      extra = ARGV[arg + 4],
      holds = {}
    }
    local stored = redis.call('GET', bucket.key)
    if stored then
      local level, at, limit, full, holds = string.match(stored, '^(%-?%d+) (%d+) (%S+) (%d+) (.*)$')
      level, at, limit, full = tonumber(level), tonumber(at), tonumber(limit), tonumber(full)
      bucket.changed = limit ~= bucket.limit or full ~= bucket.full
      if at > now then -- the clock was set back: count from here, or the bucket would stand still until it caught up
        at = now
        bucket.changed = true
      end
      -- When the limits changed in between nobody knows when: the lower of both is what is certain, so that raising a
      -- limit grants nothing for the time before.
      bucket.unclamped = math.floor(level + (now - at) * math.min(limit, bucket.limit))
      bucket.level = math.min(bucket.unclamped, full, bucket.full)
      for name, units in string.gmatch(holds, '([^:;]+):(%d+);') do
        bucket.holds[#bucket.holds + 1] = { name = name, units = tonumber(units) }
      end
      limitHolds(bucket.holds, bucket.full - bucket.level)
    else
      bucket.unclamped = math.huge
      bucket.level = bucket.full
    end
    if takes(bucket.what) and bucket.level < bucket.cost then
      allowed = false
      guarded = guarded or bucket.what == 'guard'
    end
    buckets[#buckets + 1] = bucket
  end

  local levels = {}
  local remaining = {}
  local short = {}

  for i, bucket in ipairs(buckets) do
    local what, cost = bucket.what, bucket.cost
    -- one that was only looked at counts as well: the client is told to wait for it too
    local refused = not allowed and bucket.level < cost
    if guarded then
      refused = refused and what == 'guard'
    else
      refused = refused and (takes(what) or what == 'look')
    end
    if what == 'debit' then
      -- Redis refilled on while others granted: what it would hold had it granted them itself is the lower of
      -- "everything since, less everything granted" and "a full bucket, less what was granted at the end".
      local level = math.min(bucket.unclamped - cost, bucket.level - tonumber(bucket.extra))
      bucket.level = math.max(level, -bucket.full)
      bucket.changed = true
    elseif allowed and takes(what) then
      bucket.level = bucket.level - cost
      if what == 'hold' and #bucket.holds < MOST_HOLDS then
        bucket.holds[#bucket.holds + 1] = { name = bucket.extra, units = cost }
      end
      bucket.changed = true
    elseif what == 'give' or what == 'held' then
      local units = releaseHold(bucket.holds, bucket.extra)
      if what == 'give' or not allowed then bucket.level = bucket.level + units end
      bucket.changed = bucket.changed or units > 0
    end

    if bucket.changed then
      if bucket.level >= bucket.full then
        redis.call('DEL', bucket.key)
      else
        local value = { integer(bucket.level), ' ', integer(now), ' ', bucket.limitText, ' ', integer(bucket.full), ' ' }
        for _, hold in ipairs(bucket.holds) do
          value[#value + 1] = hold.name .. ':' .. integer(hold.units) .. ';'
        end
        local untilFull = math.ceil((bucket.full - bucket.level) / bucket.limit / 1000)
        redis.call('SET', bucket.key, table.concat(value), 'PX', integer(untilFull + MARGIN))
      end
    end

    levels[i] = bucket.level
    remaining[i] = integer(math.max(0, math.floor(bucket.level / 60000000)))
    short[i] = refused and '1' or '0'
  end

  -- Whether nobody was given an entry yet. One that somebody was given becomes a row under its own id.
  local function isUnread(id)
    local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
    if groups.err then return false end
    local ms, seq = string.match(id, '^(%d+)-(%d+)$')
    for _, group in ipairs(groups) do
      for i = 1, #group, 2 do
        if group[i] == 'last-delivered-id' then
          local lastMs, lastSeq = string.match(group[i + 1], '^(%d+)-(%d+)$')
          ms, seq, lastMs, lastSeq = tonumber(ms), tonumber(seq), tonumber(lastMs), tonumber(lastSeq)
          if ms < lastMs or (ms == lastMs and seq <= lastSeq) then return false end
        end
      end
    end
    return true
  end

  -- Counts one more refusal of the subject. Returns false when it is to be an entry of its own.
  local function countRefusal(fields, action, minute)
    local field = action .. ' ' .. integer(minute)
    local count = redis.call('HINCRBY', KEYS[5], field, 1)
    if count == 1 then
      for _, known in ipairs(redis.call('HKEYS', KEYS[5])) do
        if tonumber(string.match(known, ' (%d+)')) < minute - 2 then redis.call('HDEL', KEYS[5], known) end
      end
      redis.call('PEXPIRE', KEYS[5], 180000)
    end
    local beyond = count - tonumber(ARGV[11])
    if beyond <= 0 then return false end
    local id = redis.call('HGET', KEYS[5], field .. ' id')
    if not id then
      if redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[10]) then return false end -- nobody stores them
      id = cjson.decode(ARGV[8]).id
      redis.call('HSET', KEYS[5], field .. ' id', id)
    end
    redis.call('HSET', KEYS[3], id, integer(beyond - 1))
    redis.call('HSETNX', KEYS[4], id, cjson.encode(fields))
    return true
  end

  local replaced = ARGV[4]
  local mayCount = replaced == '' or isUnread(replaced)
  if ARGV[3] ~= '' then redis.call('XDEL', KEYS[2], ARGV[3]) end
  if replaced ~= '' then redis.call('XDEL', KEYS[1], replaced) end

  local entry = ''
  local counted = false
  local record = ARGV[2]
  if record ~= 'none' then
    local stream = KEYS[1]
    if record == 'open' and allowed then stream = KEYS[2] end
    local outcome = ARGV[5]
    if outcome == '' then outcome = allowed and 'allowed' or 'blocked' end
    local action = allowed and ARGV[6] or ARGV[7]
    local at = ARGV[9]
    if at == '' then at = integer(math.floor(now / 1000)) end
    local fields = {
      'facts', ARGV[8],
      'at', at,
      'outcome', outcome,
      'action', action,
      'remaining', table.concat(remaining, ','),
      'short', table.concat(short, ',')
    }
    if outcome == 'blocked' and record ~= 'copy' and mayCount then
      counted = countRefusal(fields, action, math.floor(tonumber(at) / 60000))
    end
    if not counted then entry = redis.call('XADD', stream, 'MAXLEN', '~', ARGV[10], '*', unpack(fields)) end
  end

  local reply = { allowed and 1 or 0, now, entry, counted and 1 or 0 }
  for i = 1, #levels do reply[4 + i] = levels[i] end
  return reply
end

local replies = {}
local key = 1
local arg = 2 + 2 * tonumber(ARGV[1])
for i = 1, tonumber(ARGV[1]) do
  local afterKeys, afterArgs = key + tonumber(ARGV[2 * i]), arg + tonumber(ARGV[2 * i + 1])
  local done, reply = pcall(take, { unpack(KEYS, key, afterKeys - 1) }, { unpack(ARGV, arg, afterArgs - 1) })
  if not done then
    reply = type(reply) == 'table' and reply.err or tostring(reply)
  end
  replies[i] = reply
  key, arg = afterKeys, afterArgs
end
return replies
