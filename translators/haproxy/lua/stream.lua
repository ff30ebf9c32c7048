-- Finds which section takes a connection. It holds no text of users: rows do.

local rows = Map.new("routes.map", Map._str)

-- covering returns the row of the most specific hostname that covers a name: for
-- "a.b.c" it looks at "a.b.c", "*.b.c", "*.c" and "*".
local function covering(before, name)
  local found = name ~= "" and rows:lookup(before .. name)
  local at = 1
  while not found do
    at = string.find(name, ".", at + 1, true)
    if not at then return rows:lookup(before .. "*") end
    found = rows:lookup(before .. "*" .. string.sub(name, at))
  end
  return found
end

-- plain brings a server name into the form of hostnames. What is not ASCII is as good
-- as no name, and so is what a look-up would cut, and what is longer than any name is: of
-- 16,000 dots each would cost a look-up of all that is behind it.
local function plain(sni)
  if not sni or #sni > 254 or string.find(sni, "[\0\128-\255]") then return "" end
  return (string.gsub(string.lower(sni), "%.$", ""))
end

-- share draws one of the sections of a row by weight: "%10;7:one;3:two".
local function share(row)
  local total, list = string.match(row, "^%%(%d+)(.*)$")
  if not total then return row end
  local draw = math.random(0, tonumber(total) - 1)
  for weight, section in string.gmatch(list, ";(%d+):([^;]*)") do
    draw = draw - tonumber(weight)
    if draw < 0 then return section end
  end
  return "-"
end

-- A hello is read as crypto/tls reads it, and refused where crypto/tls refuses it: a
-- name that two readers saw differently would lead around a listener.

local MOST_BYTES = 32768

-- vector returns where a vector begins and ends whose length has so many bytes, and
-- stands at a place; nothing where it does not end within the limit.
local function vector(s, at, width, limit)
  if at + width - 1 > limit then return nil end
  local size = string.unpack(">I" .. width, s, at)
  local first = at + width
  if first + size - 1 > limit then return nil end
  return first, first + size - 1
end

-- listed returns the name in a list of server names; false where the list is none.
local function listed(s, first, last)
  local at, stop = vector(s, first, 2, last)
  if not at or stop ~= last or at > stop then return false end
  local found = ""
  while at <= stop do
    local kind = string.byte(s, at)
    local begin, finish = vector(s, at + 1, 2, stop)
    if not begin or finish < begin then return false end
    if kind == 0 then
      if found ~= "" then return false end
      found = string.sub(s, begin, finish)
    end
    at = finish + 1
  end
  return found
end

-- named returns the server name of a hello's body, empty where there is none; false
-- where the hello is malformed.
local function named(s)
  -- The version and the random bytes come first.
  local at, last = 35, #s
  local suites
  for _, width in ipairs({ 1, 2, 1 }) do
    local first, stop = vector(s, at, width, last)
    if not first then return false end
    if width == 2 then suites = stop - first + 1 end
    at = stop + 1
  end
  if suites % 2 ~= 0 then return false end
  if at > last then return "" end
  local first, stop = vector(s, at, 2, last)
  if not first or stop ~= last then return false end
  local found, seen = "", {}
  while first <= stop do
    if first + 1 > stop then return false end
    local kind = string.unpack(">I2", s, first)
    local begin, finish = vector(s, first + 2, 2, stop)
    if not begin or seen[kind] then return false end
    seen[kind] = true
    if kind == 0 then
      found = listed(s, begin, finish)
      if not found then return false end
    end
    first = finish + 1
  end
  return found
end

-- fragment adds the next record to what is known of a hello: it returns false where
-- this is no hello, and nothing where the record is not complete. Records may be of one
-- byte each: they are joined once.
local function fragment(hello, s, at)
  if string.byte(s, at) ~= 22 then return false end
  local major = string.byte(s, at + 1)
  if major and major >= 16 then return false end
  if #s < at + 4 then return nil end
  local size = string.unpack(">I2", s, at + 3)
  if size == 0 or size > 16384 then return false end
  if #s < at + 4 + size then
    hello.needs = 5 + size
    return nil
  end
  hello.parts[#hello.parts + 1] = string.sub(s, at + 5, at + 4 + size)
  hello.size, hello.needs = hello.size + size, 0
  return at + 5 + size
end

-- body returns the body of the hello once all of it is there; false where it is none.
local function body(hello)
  if not hello.whole then
    if string.byte(hello.parts[1]) ~= 1 then return false end
    if hello.size < 4 then return nil end
    hello.whole = 4 + string.unpack(">I3", table.concat(hello.parts), 2)
    if hello.whole > 4 + MOST_BYTES then return false end
  end
  if hello.size < hello.whole then return nil end
  return string.sub(table.concat(hello.parts), 5, hello.whole)
end

-- asked returns the server name that a client asks for, as far as it has come: false
-- where it sends no hello, and nothing where there is more to come. What was looked at
-- is not looked at again, however few bytes come at a time.
local function asked(txn)
  local hello = txn:get_priv()
  if not hello then
    hello = { read = 0, needs = 0, size = 0, parts = {} }
    txn:set_priv(hello)
  end
  local come = txn.req:input() - hello.read
  if come <= 0 or come < hello.needs then return nil end
  local s, at = txn.req:data(hello.read), 1
  while at <= #s do
    local after = fragment(hello, s, at)
    if not after then
      if after == false then return false end
      break
    end
    hello.read, at = hello.read + after - at, after
    local whole = body(hello)
    if whole == false then return false end
    if whole then return named(whole) end
  end
  return nil
end

-- stream says which section takes a connection, by the rows of its port, and where a
-- server name is asked for by that. Nothing is said where nobody does.
core.register_action("stream", { "tcp-req" }, function(txn, before, what)
  local name = ""
  if what == "hello" then
    name = asked(txn)
    if name == nil then return end
    txn:set_var("txn.asked", "yes")
    if name == false then return end
  elseif what == "handshake" then
    name = txn.f:ssl_fc_sni()
    before = before .. txn.f:so_name() .. "|"
  end
  name = plain(name)
  if name ~= "" then txn:set_var("txn.name", name) end
  local row = covering(before, name)
  local section = row and share(row)
  if section and section ~= "-" then txn:set_var("txn.to", section) end
end, 2)
