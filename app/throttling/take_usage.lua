-- Put the counts of minutes that are over on their flight to Postgres, out of reach of those that count.
--
-- ARGV: a name nobody else uses, the minutes that may still be counted or uncounted in, and those after which counts are
-- gone anyway. Answers the minutes that are in flight, the oldest first. One that was left in flight by somebody who died is
-- among them, with the name it got then: `id` in its hash.
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
