-- The one script that writes caches: KEYS are conversations' hashes, one for each write, in order.
-- ARGV: window (messages), largest (bytes), expiry (s); then for each key mode, edited_before, edited, the number of its
-- messages, and seq, value, seq, value … A value is a message's JSON. Fields beside the seqs: low, high (seqs held),
-- bytes, edited (the conversation's edited_position the values are true for) and floor (the lowest seq the limits leave
-- room for, once known).
local window, largest, expiry = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

-- The first match is the field: quotes inside a text are escaped.
local function position(value)
    return tonumber(string.match(value, '"position":(%d+)'))
end

-- Writes ARGV[first …] (seq, value, …) into `key`; returns whether it applied.
local function write(key, mode, before, edited, first, last)
    local head = redis.call('HMGET', key, 'low', 'high', 'bytes', 'edited', 'floor')
    local low, high, bytes = tonumber(head[1]), tonumber(head[2]), tonumber(head[3]) or 0
    local known, floor = tonumber(head[4]) or 0, tonumber(head[5])

    -- An edit applies only to the value it replaces; otherwise the hash stays behind and is not served until rebuilt.
    if mode == 'edit' and known ~= before then return 0 end
    -- A rebuild that was read at an older edit than the hash has would restore an old text.
    if mode == 'rebuild' and known > edited then return 0 end
    if mode ~= 'live' then known = edited end

    local function put(seq, value)
        if high and seq <= high - window then return end
        -- Below the range that live writes have trimmed there may be gaps and older texts: only a rebuild writes there.
        if mode ~= 'rebuild' and low and seq < low then return end
        local held = redis.call('HGET', key, seq)
        if held then
            local mine, theirs = position(value), position(held)
            if mine < theirs or (mine == theirs and mode ~= 'rebuild') then return end
            bytes = bytes - #held
        end
        if high and seq > high + window then
            redis.call('DEL', key)
            low, bytes, floor = nil, 0, nil
        end
        redis.call('HSET', key, seq, value)
        bytes = bytes + #value
        if not low or seq < low then low = seq end
        if not high or seq > high then high = seq end
    end

    for i = first, last, 2 do put(tonumber(ARGV[i]), ARGV[i + 1]) end
    if not low then return 0 end

    if mode == 'rebuild' and (not floor or low < floor) then floor = low end
    while low < high and (high - low >= window or bytes > largest) do
        local held = redis.call('HGET', key, low)
        if held then
            bytes = bytes - #held
            redis.call('HDEL', key, low)
        end
        low = low + 1
        floor = low
    end
    if low == 1 then floor = 1 end
    redis.call('HSET', key, 'low', low, 'high', high, 'bytes', bytes, 'edited', known)
    if floor then redis.call('HSET', key, 'floor', floor) end
    redis.call('EXPIRE', key, expiry)
    return 1
end

local applied, at = 0, 4
for _, key in ipairs(KEYS) do
    local last = at + 3 + 2 * tonumber(ARGV[at + 3])
    applied = applied + write(key, ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), at + 4, last)
    at = last + 1
end
return applied
