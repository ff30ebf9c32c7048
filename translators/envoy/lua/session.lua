-- Keeps a client at the endpoint that served it first (GEP-1619). A token is
--
--   tag (8 characters) | begin (8 bytes) | endpoint (18) | signature (16)
--
-- the latter three in base64url. The tag names the backend, and is what routes
-- are chosen by. The endpoint's address is hidden by a mask that follows from
-- the signature, which follows from all that the token says: whoever has no key
-- can neither read one nor make one up. The key is in a file that the proxy's
-- parent writes; without it there are no sessions.

local bit = require("bit")
local band, bor, bxor, rol, ror, rshift, tobit = bit.band, bit.bor, bit.bxor, bit.rol, bit.ror, bit.rshift, bit.tobit

local namespace = "sluice.session"
local answered_by = "x-sluice-endpoint"
local tag_size, begin_size, address_size, sign_size = 8, 8, 18, 16
local text_size = tag_size + math.ceil((begin_size + address_size + sign_size) * 4 / 3)
-- How far ahead the clock of the proxy that made a token may be, in seconds.
local skew = 60

-- SHA-256 (FIPS 180-4).

local constants = {}
do
  local found, candidate = 0, 2
  while found < 64 do
    local prime = true
    for divisor = 2, math.floor(math.sqrt(candidate)) do
      if candidate % divisor == 0 then
        prime = false
        break
      end
    end
    if prime then
      found = found + 1
      constants[found] = candidate
    end
    candidate = candidate + 1
  end
end

-- The first 32 bits of the fractional part of a root.
local function fraction(root)
  return tobit(math.floor((root % 1) * 4294967296))
end

local first = {}
for i = 1, 8 do
  first[i] = fraction(math.sqrt(constants[i]))
end
for i = 1, 64 do
  local prime = constants[i]
  -- A root as exact as its fraction needs it.
  local root = prime ^ (1 / 3)
  root = root - (root * root * root - prime) / (3 * root * root)
  constants[i] = fraction(root)
end

local schedule = {}

-- Takes 64 bytes of a text, from a place on, into a state.
local function compress(state, text, at)
  local w = schedule
  for i = 0, 15 do
    local a, b, c, d = text:byte(at + 4 * i, at + 4 * i + 3)
    w[i] = bor(a * 16777216, b * 65536, c * 256, d)
  end
  for i = 16, 63 do
    local x, y = w[i - 15], w[i - 2]
    local s0 = bxor(ror(x, 7), ror(x, 18), rshift(x, 3))
    local s1 = bxor(ror(y, 17), ror(y, 19), rshift(y, 10))
    w[i] = tobit(w[i - 16] + s0 + w[i - 7] + s1)
  end
  local a, b, c, d, e, f, g, h = unpack(state)
  for i = 0, 63 do
    local s1 = bxor(ror(e, 6), ror(e, 11), ror(e, 25))
    local choice = bxor(band(e, f), band(bit.bnot(e), g))
    local t1 = h + s1 + choice + constants[i + 1] + w[i]
    local s0 = bxor(ror(a, 2), ror(a, 13), ror(a, 22))
    local majority = bxor(band(a, b), band(a, c), band(b, c))
    h, g, f, e, d, c, b, a = g, f, e, tobit(d + t1), c, b, a, tobit(t1 + s0 + majority)
  end
  return {
    tobit(state[1] + a), tobit(state[2] + b), tobit(state[3] + c), tobit(state[4] + d),
    tobit(state[5] + e), tobit(state[6] + f), tobit(state[7] + g), tobit(state[8] + h),
  }
end

local function number(n, size)
  local bytes = {}
  for i = size, 1, -1 do
    bytes[i] = string.char(n % 256)
    n = math.floor(n / 256)
  end
  return table.concat(bytes)
end

-- Ends a hash whose state has taken a number of bytes already.
local function finish(state, text, taken)
  local length = #text + taken
  text = text .. "\128" .. ("\0"):rep((55 - length) % 64) .. number(length * 8, 8)
  for at = 1, #text, 64 do
    state = compress(state, text, at)
  end
  local words = {}
  for i = 1, 8 do
    words[i] = string.char(rshift(state[i], 24), band(rshift(state[i], 16), 255), band(rshift(state[i], 8), 255), band(state[i], 255))
  end
  return table.concat(words)
end

local function sha256(text)
  return finish(first, text, 0)
end

-- HMAC (RFC 2104). A key is the states of both hashes after their first block.
local function keyed(secret)
  if #secret > 64 then
    secret = sha256(secret)
  end
  secret = secret .. ("\0"):rep(64 - #secret)
  local function padded(with)
    return (secret:gsub(".", function(octet)
      return string.char(bxor(octet:byte(), with))
    end))
  end
  return {inner = compress(first, padded(0x36), 1), outer = compress(first, padded(0x5c), 1)}
end

local function hmac(key, text)
  return finish(key.outer, finish(key.inner, text, 64), 64)
end

-- The key, read again from time to time.

local path = os.getenv("SLUICE_SESSION_KEY_FILE")
local key, secret, looked = nil, nil, 0
local patience = 5

local function current()
  local now = os.time()
  if not path or now - looked < patience then
    return key
  end
  looked = now
  local file = io.open(path, "rb")
  local text = file and file:read("*a")
  if file then
    file:close()
  end
  if text and text ~= "" and text ~= secret then
    key, secret = keyed(text), text
  end
  return key
end

-- base64url (RFC 4648, section 5), without padding.

local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
local values = {}
for i = 1, 64 do
  values[letters:byte(i)] = i - 1
end

local function encode(text)
  local out = {}
  for at = 1, #text, 3 do
    local a, b, c = text:byte(at, at + 2)
    local n = a * 65536 + (b or 0) * 256 + (c or 0)
    for i = 3, b and (c and 0 or 1) or 2, -1 do
      local digit = math.floor(n / 64 ^ i) % 64 + 1
      out[#out + 1] = letters:sub(digit, digit)
    end
  end
  return table.concat(out)
end

-- Returns nil for what is not in its only form.
local function decode(text)
  local out = {}
  for at = 1, #text, 4 do
    local n, size = 0, math.min(4, #text - at + 1)
    for i = 0, 3 do
      local value = i < size and values[text:byte(at + i)] or i >= size and 0
      if not value then
        return nil
      end
      n = n * 64 + value
    end
    if size == 1 then
      return nil
    end
    out[#out + 1] = number(n, 3):sub(1, size - 1)
  end
  local bytes = table.concat(out)
  return encode(bytes) == text and bytes or nil
end

-- An address, as Envoy writes it, in 18 bytes: 16 of the address and two of the
-- port.

local function pack_v4(address)
  local a, b, c, d = address:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if a then
    return ("\0"):rep(10) .. "\255\255" .. string.char(a, b, c, d)
  end
end

local function groups(text)
  local bytes = ""
  for group in text:gmatch("[^:]+") do
    bytes = bytes .. (pack_v4(group) and pack_v4(group):sub(13) or number(tonumber(group, 16), 2))
  end
  return bytes
end

local function pack(text)
  local address, port = text:match("^%[?([%x:.]+)%]?:(%d+)$")
  if not address then
    return nil
  end
  local bytes = pack_v4(address)
  if not bytes then
    local before, after = address:match("^(.-)::(.*)$")
    before, after = groups(before or address), groups(after or "")
    bytes = before .. ("\0"):rep(16 - #before - #after) .. after
  end
  return bytes .. number(tonumber(port), 2)
end

-- Writes an IPv6 address as Envoy does: the longest run of zeros is left out
-- (RFC 5952).
local function write_v6(bytes)
  local parts, best, length = {}, 0, 1
  for i = 1, 8 do
    parts[i] = bytes:byte(2 * i - 1) * 256 + bytes:byte(2 * i)
  end
  local i = 1
  while i <= 8 do
    local zeros = 0
    while i + zeros <= 8 and parts[i + zeros] == 0 do
      zeros = zeros + 1
    end
    if zeros > length then
      best, length = i, zeros
    end
    i = i + math.max(zeros, 1)
  end
  local function text(from, to)
    local out = {}
    for at = from, to do
      out[#out + 1] = ("%x"):format(parts[at])
    end
    return table.concat(out, ":")
  end
  if best == 0 then
    return text(1, 8)
  end
  return text(1, best - 1) .. "::" .. text(best + length, 8)
end

local function unpack_address(bytes)
  local port = bytes:byte(17) * 256 + bytes:byte(18)
  if bytes:sub(1, 12) == ("\0"):rep(10) .. "\255\255" then
    return ("%d.%d.%d.%d:%d"):format(bytes:byte(13), bytes:byte(14), bytes:byte(15), bytes:byte(16), port)
  end
  return "[" .. write_v6(bytes) .. "]:" .. port
end

-- Tokens.

local function sign(with, tag, begin, address)
  return hmac(with, "token" .. tag .. begin .. address):sub(1, sign_size)
end

local function masked(with, signature, address)
  local mask, out = hmac(with, "mask" .. signature), {}
  for i = 1, address_size do
    out[i] = string.char(bxor(address:byte(i), mask:byte(i)))
  end
  return table.concat(out)
end

local function seal(with, tag, address)
  local begin = number(os.time(), begin_size)
  local signature = sign(with, tag, begin, address)
  return tag .. encode(begin .. masked(with, signature, address) .. signature)
end

-- Returns when a session began and its endpoint's address; nil for what is no
-- token of this backend's.
local function open(with, tag, text)
  if #text ~= text_size or text:sub(1, tag_size) ~= tag then
    return nil
  end
  local bytes = decode(text:sub(tag_size + 1))
  if not bytes then
    return nil
  end
  local begin = bytes:sub(1, begin_size)
  local signature = bytes:sub(begin_size + address_size + 1)
  local address = masked(with, signature, bytes:sub(begin_size + 1, begin_size + address_size))
  local expected, differs = sign(with, tag, begin, address), 0
  for i = 1, sign_size do
    differs = bor(differs, bxor(expected:byte(i), signature:byte(i)))
  end
  if differs ~= 0 then
    return nil
  end
  local since = 0
  for i = 1, begin_size do
    since = since * 256 + begin:byte(i)
  end
  return since, address
end

-- Cookies.

-- Takes what a class of octets has off both ends of a text. Clients write the text:
-- an expression with two repetitions that fit the same octets would try each
-- beginning with each end, and one cookie would keep the proxy busy for seconds.
local function trimmed(text, rest)
  local from = text:find(rest)
  return from and text:match("^.*" .. rest, from) or ""
end

local function pairs_of(headers)
  local all = {}
  for i = 0, (headers:getNumValues("cookie") or 0) - 1 do
    for pair in headers:getAtIndex("cookie", i):gmatch("[^;]+") do
      all[#all + 1] = trimmed(pair, "%S")
    end
  end
  return all
end

local function value_of(pair, name)
  local found, value = pair:match("^([^=]*)=(.*)$")
  return found == name and trimmed(value, '[^"]') or nil
end

-- Returns the first value of a token's length: a client may send another cookie
-- of that name, from another path.
local function from_cookies(headers, name)
  for _, pair in ipairs(pairs_of(headers)) do
    local value = value_of(pair, name)
    if value and #value == text_size then
      return value
    end
  end
end

local function drop_cookie(headers, name, token)
  local kept = {}
  for _, pair in ipairs(pairs_of(headers)) do
    if value_of(pair, name) ~= token then
      kept[#kept + 1] = pair
    end
  end
  headers:remove("cookie")
  if #kept > 0 then
    headers:add("cookie", table.concat(kept, "; "))
  end
end

local function cookie(rule, token)
  local text = rule:get("name") .. "=" .. token
  if rule:get("path") ~= "" then
    text = text .. "; Path=" .. rule:get("path")
  end
  if rule:get("age") ~= "" then
    text = text .. "; Max-Age=" .. rule:get("age")
  end
  if rule:get("secure") then
    text = text .. "; Secure"
  end
  return text .. "; HttpOnly; SameSite=Lax"
end

function envoy_on_request(handle)
  local rule, headers, with = handle:filterContext(), handle:headers(), current()
  local name, tag = rule:get("name"), rule:get("tag")
  local text
  if rule:get("header") then
    text = headers:get(name)
  else
    text = from_cookies(headers, name)
  end
  if not with or not text then
    return
  end
  local since, address = open(with, tag, text)
  if not since then
    return
  end
  if rule:get("header") then
    headers:remove(name)
  else
    drop_cookie(headers, name, text)
  end
  local age, limit = os.time() - since, tonumber(rule:get("limit"))
  if age < -skew or limit > 0 and age >= limit then
    return
  end
  handle:streamInfo():dynamicMetadata():set(namespace, "endpoint", unpack_address(address))
  handle:setUpstreamOverrideHost(unpack_address(address), false)
end

function envoy_on_response(handle)
  local headers, with = handle:headers(), current()
  local by = headers:get(answered_by)
  headers:remove(answered_by)
  if not by or not with then
    return
  end
  local endpoint = by:match("^via_upstream (.+)$")
  local known = handle:streamInfo():dynamicMetadata():get(namespace)
  if not endpoint or known and known["endpoint"] == endpoint then
    return
  end
  local address = pack(endpoint)
  if not address then
    return
  end
  local rule = handle:filterContext()
  local token = seal(with, rule:get("tag"), address)
  if rule:get("header") then
    headers:replace(rule:get("name"), token)
  else
    headers:add("set-cookie", cookie(rule, token))
  end
end
