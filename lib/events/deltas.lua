-- Appends to the text of a running job, and tells the API processes.
--
-- KEYS[1]  stream of the job; entry ids are `seq-0`, fields: run, kind (text | reset | end), text
-- ARGV[1]  run of the writer: a writer of an earlier run than the last entry's changes nothing
-- ARGV[2]  last seq the writer knows of, 0 for none
-- ARGV[3]  most entries that are kept
-- ARGV[4]  ms until the stream expires, from now
-- ARGV[5]  pub/sub channel
-- ARGV[6]  job id
-- ARGV[7…] kind and text of each entry, in pairs; none: only the reset that a new run begins with
--
-- Returns the last seq; -1 when a later run writes; -2 when what the writer wrote before is gone, and nothing was
-- written: it is to begin again with a reset and everything since the last one.
-- Publishes `<job id> [[seq, run, kind, text], …]`.

local key, run, known = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local newest = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
local seq, newestRun

if newest then
  seq = tonumber(string.match(newest[1], '^%d+'))
  newestRun = tonumber(newest[2][2])
  if newestRun > run then return -1 end
else
  -- Seqs of a later run stay above those of earlier ones even when the stream has expired between them.
  seq = math.max(known, (run - 1) * 1000000)
  if known > 0 and ARGV[7] ~= 'reset' then return -2 end
end

local told = {}
local function add(kind, text)
  seq = seq + 1
  redis.call('XADD', key, 'MAXLEN', '~', ARGV[3], seq .. '-0', 'run', run, 'kind', kind, 'text', text)
  -- What stands before a reset is of no use to anyone.
  if kind == 'reset' then redis.call('XTRIM', key, 'MINID', seq .. '-0') end
  told[#told + 1] = { seq, run, kind, text }
end

if newest and newestRun < run and ARGV[7] ~= 'reset' then add('reset', '') end
for i = 7, #ARGV, 2 do add(ARGV[i], ARGV[i + 1]) end

if #told > 0 then
  redis.call('PEXPIRE', key, ARGV[4])
  redis.call('PUBLISH', ARGV[5], ARGV[6] .. ' ' .. cjson.encode(told))
end
return seq
