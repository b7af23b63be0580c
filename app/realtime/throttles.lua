-- At most N in any window of W, for several policies and many subjects in one call, on this server's clock.
--
-- KEYS[1]: one of the counters. ARGV: 'take' or 'give', and the demands as JSON (packing each number as an argument
-- would cost the caller more than the script itself): [[cost, counter, n, width, counter, n, width, ...], ...], where
-- a counter is a key (policy and subject), width a bucket's (us), and n the limit, or for 'give' the bucket as answered
-- by 'take'. Answers the second of the clock, then for each 'take': {-1, bucket, bucket, ...}, or {which policy (0 ...),
-- microseconds to wait}. In 'give' the cost is followed by that second and by which policy refused (-1: none).
--
-- A counter is a hash: t the total, h the newest bucket, and one field per bucket in a ring of RING. Everything in the
-- ring counts. A window of W touches at most PARTS + 1 buckets; one more is kept, so that what was taken at the end of
-- a bucket and stored a little later is still counted for as long as it must be. So a take counts for W + W/120 at
-- least and W + W/60 at most.
--
-- For the analytics each demand is an attempt of each of its counters, but for those given back: by minute of this clock
-- in the hash throttle:counts:<minute>, field = the counter's key, '!' before it where it refused, '@' and the second
-- behind it where buckets tell windows shorter than a minute. Folded here, so that a batch costs one HINCRBY a counter.
-- Beyond MOST fields subjects are not told apart any more: they are counted together, as a subject without a name.
local PARTS = 120
local RING = PARTS + 2
local MOST, KEPT_SECONDS = 20000, 3600
local MINUTES_WIDTH = 500000

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

-- Drop the buckets that have left the ring. Answers the total, the newest bucket, its count, and whether it is new.
local function turn(key, width)
  local bucket = math.floor(now / width)
  local state = redis.call('HMGET', key, 't', 'h', bucket % RING)
  local total, head = tonumber(state[1] or 0), tonumber(state[2] or bucket)
  if not state[2] then
    return 0, bucket, 0, true
  elseif bucket == head then
    return total, head, tonumber(state[3] or 0), false
  elseif bucket >= head + RING then
    redis.call('DEL', key)
    return 0, bucket, 0, true
  elseif bucket > head then
    local old = {}
    for passed = head + 1, bucket do
      old[#old + 1] = passed % RING
    end
    for _, count in ipairs(redis.call('HMGET', key, unpack(old))) do
      total = total - (count or 0)
    end
    redis.call('HDEL', key, unpack(old))
    redis.call('HSET', key, 't', total, 'h', bucket)
    return total, bucket, 0, true
  elseif head - bucket < RING then
    -- The clock was set back a little: for us it stands still until it has caught up.
    return total, head, tonumber(redis.call('HGET', key, head % RING) or 0), true
  end
  -- Set back by more than a window: all that is known counts as of now.
  redis.call('DEL', key)
  if total > 0 then
    redis.call('HSET', key, 't', total, 'h', bucket, bucket % RING, total)
  end
  return total, bucket, total, true
end

-- Microseconds until `cost` fits under `limit`: when enough of the oldest buckets have left the ring.
local function wait(key, total, head, cost, limit, width)
  local excess = total + cost - limit
  local raw = redis.call('HGETALL', key)
  local ring = {}
  for i = 1, #raw, 2 do
    ring[raw[i]] = tonumber(raw[i + 1])
  end
  for bucket = head - RING + 1, head do
    excess = excess - (ring[tostring(bucket % RING)] or 0)
    if excess <= 0 then
      return (bucket + RING) * width - now
    end
  end
  return RING * width -- more than the limit at once: never, but a window is the nearest truth
end

local function give(key, cost, bucket, width)
  local total, head = turn(key, width)
  if bucket <= head and bucket > head - RING then
    local slot = bucket % RING
    local count = tonumber(redis.call('HGET', key, slot) or 0)
    local back = math.min(cost, count)
    if back > 0 then
      redis.call('HSET', key, 't', total - back, 'h', head, slot, count - back)
    end
  end
end

local function field_of(key, width, second)
  return width < MINUTES_WIDTH and key .. '@' .. second or key
end

local function add(counted, field, cost)
  counted[field] = (counted[field] or 0) + cost
end

local function note(minute, counted)
  local key = 'throttle:counts:' .. minute
  local size = redis.call('HLEN', key)
  for field, number in pairs(counted) do
    if (size >= MOST or number < 0) and redis.call('HEXISTS', key, field) == 0 then
      field = string.gsub(field, '{.*}', '{}')
    end
    -- What is given back after its minute was moved stays an attempt.
    if number > 0 or redis.call('HEXISTS', key, field) == 1 then
      redis.call('HINCRBY', key, field, number)
    end
  end
  if size == 0 then
    redis.call('EXPIRE', key, KEPT_SECONDS)
  end
end

local function give_back(demand, uncounted)
  local cost, second, refused = demand[1], demand[2], demand[3]
  local minute = math.floor(second / 60)
  local counted = uncounted[minute] or {}
  uncounted[minute] = counted
  for at = 4, #demand, 3 do
    local key, bucket, width = demand[at], demand[at + 1], demand[at + 2]
    local field = field_of(key, width, second)
    add(counted, field, -cost)
    if refused < 0 then
      give(key, cost, bucket, width)
    elseif at == 4 + 3 * refused then
      add(counted, '!' .. field, -cost)
    end
  end
end

local function take(demand, counted)
  local cost, states, refused, longest = demand[1], {}, nil, 0
  for at = 2, #demand, 3 do
    local key, limit, width = demand[at], demand[at + 1], demand[at + 2]
    local total, head, count, new = turn(key, width)
    states[#states + 1] = {key, total, head, count, new, width}
    add(counted, field_of(key, width, clock[1]), cost)
    if total + cost > limit then
      local needed = wait(key, total, head, cost, limit, width)
      if needed > longest then
        refused, longest = #states, needed
      end
    end
  end
  if refused then
    add(counted, '!' .. field_of(states[refused][1], states[refused][6], clock[1]), cost)
    return {refused - 1, longest}
  end
  local taken = {-1}
  for i, state in ipairs(states) do
    local key, total, head, count, new, width = unpack(state)
    redis.call('HSET', key, 't', total + cost, 'h', head, head % RING, count + cost)
    if new then
      redis.call('PEXPIRE', key, math.ceil(RING * width / 1000))
    end
    taken[i + 1] = head
  end
  return taken
end

local demands, answers = cjson.decode(ARGV[2]), {tonumber(clock[1])}
if ARGV[1] == 'give' then
  local uncounted = {}
  for _, demand in ipairs(demands) do
    give_back(demand, uncounted)
  end
  for minute, counted in pairs(uncounted) do
    note(minute, counted)
  end
  return answers
end
local counted = {}
for i, demand in ipairs(demands) do
  answers[i + 1] = take(demand, counted)
end
note(math.floor(clock[1] / 60), counted)
return answers
