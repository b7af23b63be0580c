-- Renames the counts of past minutes, so that no process still counts there, before they are copied to Postgres.
--
-- ARGV: a unique name, the number of minutes whose counts may still change, and the number after which counts expire.
-- Returns the renamed minutes, oldest first, including those that a killed worker left behind, with the name that they
-- received then: `id` in the hash.
local minute = math.floor(redis.call('TIME')[1] / 60)
local open_batches = {}
for ago = tonumber(ARGV[3]), tonumber(ARGV[2]), -1 do
  local counts, batch = 'throttle:counts:' .. (minute - ago), 'throttle:flight:' .. (minute - ago)
  local is_open = redis.call('EXISTS', batch) == 1
  if not is_open and redis.call('EXISTS', counts) == 1 then
    redis.call('RENAME', counts, batch)
    redis.call('HSET', batch, 'id', ARGV[1] .. ':' .. (minute - ago))
    is_open = true
  end
  if is_open then
    open_batches[#open_batches + 1] = minute - ago
  end
end
return open_batches
