-- At most N in any window of W, for several policies and many subjects in one call, on this server's clock.
--
-- KEYS[1]: one of the counters. ARGV: 'take' or 'give', and the requests as JSON (packing each as an argument would
-- cost the caller more than the script itself).
--
-- 'take': [[cost, [subject, ...], suffix, n, width, suffix, n, width, ...], ...]: runs of requests that differ in their
-- subject only. For each policy: the suffix of the counter's key, after the subject, the limit n, and the width of a
-- bucket (us). Answers the second of the clock, then for each request in turn: the buckets it was taken from, one for
-- each policy; or, if refused, the refusing policy as -1, -2, ..., and the microseconds to wait.
--
-- 'give': [[cost, second, refused, key, bucket, width, key, bucket, width, ...], ...], in the terms of that answer;
-- `refused` is 1 for the first policy, and 0 if none refused.
--
-- A counter is a hash: t the total, h the newest bucket, and one field per bucket in a ring of RING. Everything in the
-- ring counts. A window of W touches at most PARTS + 1 buckets; one more is kept, so that what was taken at the end of
-- a bucket and stored a little later still counts for the required time. So a take counts for W + W/120 at
-- least and W + W/60 at most.
--
-- For the analytics each request is an attempt of each of its counters, unless it is given back. Attempts are counted
-- by minute of this clock in the hash throttle:counts:<minute>; the field is the counter's key, preceded by '!' for a
-- refusal and followed by '@' and the second for windows shorter than a minute. They are aggregated here, so that a
-- batch costs one HINCRBY per counter. Beyond MOST fields further subjects are counted together, as one subject without
-- a name.
--
-- Every API request runs this script, and its cost is its commands: one HMGET and one HSET per counter if a take stays
-- in its bucket, a PTTL if it moves to the next one, and more only if it skips buckets.
local PARTS = 120
local RING = PARTS + 2
local MOST, KEPT_SECONDS = 20000, 3600
local MINUTES_WIDTH = 500000

local call, floor = redis.call, math.floor
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

-- Returns the total of the buckets between `head` and `bucket`, and drops them.
local function drop(key, head, bucket)
  local passed, held, lost = {}, {}, 0
  for between = head + 1, bucket - 1 do
    passed[#passed + 1] = between % RING
  end
  for at, count in ipairs(call('HMGET', key, unpack(passed))) do
    if count then
      held[#held + 1] = passed[at]
      lost = lost + count
    end
  end
  if held[1] then
    call('HDEL', key, unpack(held))
  end
  return lost
end

-- Returns the counter as of `bucket`: the total, the newest bucket, its count, and whether it is new. Buckets that have
-- left the ring are dropped, except for the new bucket's own field, which is overwritten when the counter is stored. An
-- empty counter is deleted.
local function turn(key, bucket)
  local state = call('HMGET', key, 't', 'h', bucket % RING)
  if not state[2] then
    return 0, bucket, 0, true
  end
  local total, head, count = tonumber(state[1]), tonumber(state[2]), tonumber(state[3] or 0)
  if bucket == head then
    return total, head, count, false
  elseif bucket > head and bucket < head + RING then
    total = total - count
    if bucket > head + 1 then
      total = total - drop(key, head, bucket)
    end
    if total > 0 then
      return total, bucket, 0, true
    end
  elseif bucket < head and total > 0 then
    if head - bucket < RING then
      -- The clock was set back a little: it is treated as stopped until it has caught up.
      return total, head, tonumber(call('HGET', key, head % RING) or 0), true
    end
    -- Set back by more than a window: all counts are treated as current.
    call('DEL', key)
    return total, bucket, total, true
  end
  call('DEL', key)
  return 0, bucket, 0, true
end

local function store(key, total, head, count, new, width)
  if not new then
    call('HSET', key, 't', total, head % RING, count)
    return
  end
  call('HSET', key, 't', total, 'h', head, head % RING, count)
  -- A take in this bucket counts for at most one ring from now. The expiry is a quarter longer, so that it is next
  -- extended a quarter later. It is read and not cached: a process of another version may have set a shorter one.
  local ring = math.ceil(RING * width / 1000)
  if call('PTTL', key) < ring then
    call('PEXPIRE', key, ring + math.ceil(ring / 4))
  end
end

-- Returns the microseconds until `cost` fits under `limit`, when enough of the oldest buckets have left the ring.
local function wait(key, total, head, cost, limit, width)
  local excess = total + cost - limit
  local raw = call('HGETALL', key)
  local ring = {}
  for at = 1, #raw, 2 do
    local slot = tonumber(raw[at])
    if slot then -- neither t nor h
      ring[slot] = raw[at + 1]
    end
  end
  for bucket = head - RING + 1, head do
    excess = excess - (ring[bucket % RING] or 0)
    if excess <= 0 then
      return (bucket + RING) * width - now
    end
  end
  return RING * width -- more than the limit at once: never, but a window is the nearest truth
end

-- A bucket is found regardless of the current time, so the ring is not advanced.
local function give(key, cost, bucket)
  local slot = bucket % RING
  local state = call('HMGET', key, 't', 'h', slot)
  local head, back = tonumber(state[2] or 0), math.min(cost, tonumber(state[3] or 0))
  if back > 0 and bucket <= head and bucket > head - RING then
    call('HSET', key, 't', state[1] - back, slot, state[3] - back)
  end
end

local function add(counted, field, cost)
  counted[field] = (counted[field] or 0) + cost
end

local function note(minute, counted)
  local key = 'throttle:counts:' .. minute
  local size = call('HLEN', key)
  for field, number in pairs(counted) do
    if (size >= MOST or number < 0) and call('HEXISTS', key, field) == 0 then
      field = string.gsub(field, '{.*}', '{}')
    end
    -- A use that is given back after its minute was copied remains an attempt.
    if number > 0 or call('HEXISTS', key, field) == 1 then
      call('HINCRBY', key, field, number)
    end
  end
  if size == 0 then
    call('EXPIRE', key, KEPT_SECONDS)
  end
end

local function give_back(request, uncounted)
  local cost, second, refused = request[1], request[2], request[3]
  local minute = floor(second / 60)
  local counted = uncounted[minute] or {}
  uncounted[minute] = counted
  for at = 4, #request, 3 do
    local key, bucket, width = request[at], request[at + 1], request[at + 2]
    local field = width < MINUTES_WIDTH and key .. '@' .. second or key
    add(counted, field, -cost)
    if refused == 0 then
      give(key, cost, bucket)
    elseif at == 1 + 3 * refused then
      add(counted, '!' .. field, -cost)
    end
  end
end

-- State of the current request, by policy. The tables are reused for the next request, to create less garbage.
local keys, fields, totals, heads, counts, news = {}, {}, {}, {}, {}, {}

-- Nothing is taken; advanced counters are stored, so that they need not be advanced again while requests are refused.
local function refuse(run, cost, last, counted, answers)
  local refused, longest = 1, 0
  for i = 1, last do
    local limit, width = run[3 * i + 1], run[3 * i + 2]
    if news[i] and totals[i] > 0 then
      store(keys[i], totals[i], heads[i], counts[i], true, width)
    end
    if totals[i] + cost > limit then
      local needed = wait(keys[i], totals[i], heads[i], cost, limit, width)
      if needed > longest then
        refused, longest = i, needed
      end
    end
  end
  add(counted, '!' .. fields[refused], cost)
  answers[#answers + 1] = -refused
  answers[#answers + 1] = longest
end

local function take(run, cost, subject, counted, answers)
  local fits, last = true, (#run - 2) / 3
  for i = 1, last do
    local key, width = 'throttle:{' .. subject .. run[3 * i], run[3 * i + 2]
    local total, head, count, new = turn(key, floor(now / width))
    local field = width < MINUTES_WIDTH and key .. '@' .. clock[1] or key
    add(counted, field, cost)
    keys[i], fields[i], totals[i], heads[i], counts[i], news[i] = key, field, total, head, count, new
    fits = fits and total + cost <= run[3 * i + 1]
  end
  if not fits then
    return refuse(run, cost, last, counted, answers)
  end
  for i = 1, last do
    store(keys[i], totals[i] + cost, heads[i], counts[i] + cost, news[i], run[3 * i + 2])
    answers[#answers + 1] = heads[i]
  end
end

local requests, answers = cjson.decode(ARGV[2]), {tonumber(clock[1])}
if ARGV[1] == 'give' then
  local uncounted = {}
  for _, request in ipairs(requests) do
    give_back(request, uncounted)
  end
  for minute, counted in pairs(uncounted) do
    note(minute, counted)
  end
  return answers
end
local counted = {}
for _, run in ipairs(requests) do
  for _, subject in ipairs(run[2]) do
    take(run, run[1], subject, counted, answers)
  end
end
note(floor(clock[1] / 60), counted)
return answers
