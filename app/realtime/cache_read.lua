-- Proves and assembles pages: one per key, in ARGV three numbers each: low, high (seqs, inclusive), edited_position.
-- For each page its messages' JSON joined by commas; or, unproven, 1 if a rebuild would help and 0 if it would not.
local pages = {}
for i, key in ipairs(KEYS) do
    local low, high, edited = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
    local fields = {'edited', 'floor'}
    for seq = low, high do fields[#fields + 1] = string.format('%d', seq) end
    local held = redis.call('HMGET', key, unpack(fields))
    local floor = tonumber(held[2])
    if (tonumber(held[1]) or 0) ~= edited then
        pages[i] = 1
    else
        local messages = {}
        for place = 3, #fields do
            local value = held[place]
            if not value then break end
            messages[place - 2] = string.sub(value, string.find(value, ':', 1, true) + 1)
        end
        if #messages == high - low + 1 then
            pages[i] = table.concat(messages, ',')
        elseif floor and low < floor then
            pages[i] = 0
        else
            pages[i] = 1
        end
    end
end
return pages
