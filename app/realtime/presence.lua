-- One beat of a process: who came to it and went from it since the last, and whose process has died.
--
-- KEYS  1 processes (sorted set: process -> last beat)  2 whole (presence is known from this second on)
-- ARGV  1 this process  2 prefix of the sets of users  3 seconds without a beat after which a process is dead
--       4 expiry of its set  5 seconds until presence is known: of an empty Redis  6 of one that was away, or 0
--       7 all: whether the arrivals are everybody here  8 number of arrivals  9… arrivals, then departures
-- Returns {"all"} when everybody must be told anew, else {"known", came…, "gone", went…}
local now = tonumber(redis.call('TIME')[1])
local me, prefix, dead, expiry = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local everybody, arrivals = ARGV[7] == '1', tonumber(ARGV[8])

local whole = tonumber(redis.call('GET', KEYS[2]))
if not whole then
    whole = now + tonumber(ARGV[5])
end
if tonumber(ARGV[6]) > 0 then
    whole = math.max(whole, now + tonumber(ARGV[6]))
end
redis.call('SET', KEYS[2], whole)

local unknown = redis.call('ZSCORE', KEYS[1], me) == false or redis.call('EXISTS', prefix .. me) == 0
if unknown and not everybody then
    return {'all'}
end
redis.call('ZADD', KEYS[1], now, me)

local mine = prefix .. me
if everybody then
    redis.call('DEL', mine)
    redis.call('SADD', mine, '')  -- a set without members would not exist, and not to exist is to have been forgotten
end
for at = 9, 8 + arrivals do
    redis.call('SADD', mine, ARGV[at])
end
for at = 9 + arrivals, #ARGV do
    redis.call('SREM', mine, ARGV[at])
end
redis.call('EXPIRE', mine, expiry)

local living = redis.call('ZRANGEBYSCORE', KEYS[1], now - dead, '+inf')
local function online(user, except)
    for _, process in ipairs(living) do
        if process ~= except and redis.call('SISMEMBER', prefix .. process, user) == 1 then
            return true
        end
    end
    return false
end

local answer = {'known'}
-- While presence is not known yet, nobody has been told who went: nobody need be told who is still here.
if not (everybody and now < whole) then
    for at = 9, 8 + arrivals do
        if not online(ARGV[at], me) then
            answer[#answer + 1] = ARGV[at]
        end
    end
end
answer[#answer + 1] = 'gone'
for at = 9 + arrivals, #ARGV do
    if not online(ARGV[at], me) then
        answer[#answer + 1] = ARGV[at]
    end
end
if now >= whole then
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
