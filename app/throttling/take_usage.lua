-- Renames the counts of past minutes, so that no process still counts there, before they are copied to Postgres.
--
-- ARGV: a unique name, the number of minutes whose counts may still change, and the number after which counts expire.
-- Returns the renamed minutes, oldest first, including those that a killed worker left behind, with the name that they
-- received then: `id` in the hash.
local minute = math.floor(redis.call('TIME')[1] / 60)
local flying = {}
for ago = tonumber(ARGV[3]), tonumber(ARGV[2]), -1 do
  local counts, flight = 'throttle:counts:' .. (minute - ago), 'throttle:flight:' .. (minute - ago)
  local flies = redis.call('EXISTS', flight) == 1
  if not flies and redis.call('EXISTS', counts) == 1 then
    redis.call('RENAME', counts, flight)
    redis.call('HSET', flight, 'id', ARGV[1] .. ':' .. (minute - ago))
    flies = true
  end
  if flies then
    flying[#flying + 1] = minute - ago
  end
end
return flying
