-- Proves and assembles pages: one per key, in ARGV four numbers each: low, high (seqs, inclusive), edited_position, and the
-- newest seq there may be, or 0. For each page its messages' JSON joined by commas; or 0: older than what the limits leave
-- room for (a rebuild would not help), 1: there is no hash, 2: the hash does not prove it, 3: it holds newer messages.
local pages = {}
for i, key in ipairs(KEYS) do
    local low, high, edited = tonumber(ARGV[4 * i - 3]), tonumber(ARGV[4 * i - 2]), ARGV[4 * i - 1]
    local newest = ARGV[4 * i]
    local fields, count = {}, high - low + 1
    for place = 1, count do fields[place] = low + place - 1 end
    fields[count + 1], fields[count + 2], fields[count + 3] = 'edited', 'floor', 'high'
    local held = redis.call('HMGET', key, unpack(fields))
    local whole = (held[count + 1] or '0') == edited
    local floor = tonumber(held[count + 2])
    pages[i] = held[count + 1] and 2 or 1
    if whole then
        for place = 1, count do
            if not held[place] then
                whole = false
                if floor and low < floor then pages[i] = 0 end
                break
            end
        end
    end
    if whole and newest ~= '0' and held[count + 3] ~= newest then
        whole = false
        pages[i] = 3
    end
    if whole then pages[i] = table.concat(held, ',', 1, count) end
end
return pages
