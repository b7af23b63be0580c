-- One heartbeat of a process: reports the users who are online or offline since the last one, here and on processes
-- that have died.
--
-- KEYS  1 processes (sorted set: process -> last heartbeat)  2 the second from which presence is known
-- ARGV  1 this process  2 prefix of the user sets  3 seconds without a heartbeat after which a process is dead
--       4 expiry of the user set  5 seconds until presence is known in an empty Redis
--       6 the same after Redis was unavailable to this process, else 0
--       7 whether the arrivals are all users of this process  8 number of arrivals  9… arrivals, then departures
-- Returns {"all"} if this process must send all its users, else {"known", online…, "gone", offline…}
local now = tonumber(redis.call('TIME')[1])
local this, prefix, dead, expiry = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local complete, arrivals = ARGV[7] == '1', tonumber(ARGV[8])

local known_from = tonumber(redis.call('GET', KEYS[2]))
if not known_from then
    known_from = now + tonumber(ARGV[5])
end
if tonumber(ARGV[6]) > 0 then
    known_from = math.max(known_from, now + tonumber(ARGV[6]))
end
redis.call('SET', KEYS[2], known_from)

local unknown = redis.call('ZSCORE', KEYS[1], this) == false or redis.call('EXISTS', prefix .. this) == 0
if unknown and not complete then
    return {'all'}
end
redis.call('ZADD', KEYS[1], now, this)

local users = prefix .. this
if complete then
    redis.call('DEL', users)
    redis.call('SADD', users, '')  -- an empty set would not exist, and a missing set means that Redis lost it
end
for index = 9, 8 + arrivals do
    redis.call('SADD', users, ARGV[index])
end
for index = 9 + arrivals, #ARGV do
    redis.call('SREM', users, ARGV[index])
end
redis.call('EXPIRE', users, expiry)

local alive = redis.call('ZRANGEBYSCORE', KEYS[1], now - dead, '+inf')
local function online(user, except)
    for _, process in ipairs(alive) do
        if process ~= except and redis.call('SISMEMBER', prefix .. process, user) == 1 then
            return true
        end
    end
    return false
end

local answer = {'known'}
-- Until presence is known no user is reported offline, so users who are still online need not be reported.
if not (complete and now < known_from) then
    for index = 9, 8 + arrivals do
        if not online(ARGV[index], this) then
            answer[#answer + 1] = ARGV[index]
        end
    end
end
answer[#answer + 1] = 'gone'
for index = 9 + arrivals, #ARGV do
    if not online(ARGV[index], this) then
        answer[#answer + 1] = ARGV[index]
    end
end
if now >= known_from then
    for _, process in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. (now - dead))) do
        redis.call('ZREM', KEYS[1], process)
        for _, user in ipairs(redis.call('SMEMBERS', prefix .. process)) do
            if user ~= '' and not online(user, nil) then
                answer[#answer + 1] = user
            end
        end
        redis.call('DEL', prefix .. process)
    end
end
return answer
