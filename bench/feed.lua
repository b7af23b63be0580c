-- Plays requests from a file, in order and around: `wrk … -s feed.lua URL -- FILE FIRST [PAUSE]`.
-- Requests are separated by byte 30; byte 31 in one of them stands for a number of twelve digits that never repeats,
-- counted from FIRST. PAUSE: milliseconds that each connection waits between its requests.
local requests, total, at, number = {}, 0, 0, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local content = file:read("*a")
  file:close()
  for request in content:gmatch("[^\30]+") do
    local head, tail = request:match("^([^\31]*)\31(.*)$")
    total = total + 1
    requests[total] = { head or request, tail }
  end
  number = tonumber(args[2])
  if args[3] then
    local pause = tonumber(args[3])
    function delay() return pause end
  end
end

function request()
  at = at % total + 1
  local head, tail = requests[at][1], requests[at][2]
  if not tail then return head end
  number = number + 1
  return head .. string.format("%012d", number) .. tail
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50": %.6f, "p99": %.6f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
