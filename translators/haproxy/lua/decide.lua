-- Decides what rows cannot: matches on methods, headers and queries, regular
-- expressions and weights. It holds no text of users: rows do.
--
-- A row that asks something has a value that begins with "?", then says where it
-- stands ("=" for a whole path, "~" for regular expressions, "/" and a length for
-- the beginning of one), a colon, and alternatives in the order in which they are
-- tried, or a "+" and the name under which they stand:
--
--   ?/5:m=GET&h=x-team=blue>shop_cart_80_http1_x|HTTPRoute/shop/cart/0|4;...
--
-- Where none fits, what comes next is the rows of regular expressions, then those
-- of shorter and shorter beginnings, the last of which ("/0") fits every path and
-- says what is to be done then. A row that is named and is not there any more was
-- replaced meanwhile: everything begins again, with the rows of now.

local whole = Map.new("routes.map", Map._str)
local beginning = Map.new("routes.map", Map._beg)

local QUESTION = string.byte("?")

-- What is compiled is kept by its text, the newer half and the older: what is
-- asked for is young again, and the older half is what is let go of. Most is how
-- many octets of text a half may stand for.
local function cache(most)
  local young, old, size = {}, {}, 0
  local c = {}
  function c.get(key)
    local found = young[key]
    if found == nil then
      found = old[key]
      if found ~= nil then c.put(key, found) end
    end
    return found
  end
  function c.put(key, value)
    if size >= most then
      old, young, size = young, {}, 0
    end
    young[key] = value
    size = size + 100 + (value.size or #key)
  end
  return c
end

-- MOST_EXPRESSIONS is more than the expressions of a unit have together, so that none
-- is read for each request anew.
local MOST_TEXT, MOST_EXPRESSIONS = 1000000, 12000000
local values, programs, expressions = cache(MOST_TEXT), cache(MOST_TEXT), cache(MOST_EXPRESSIONS)

-- text returns what stands under a name, in one row or in several.
local function text(name)
  local parts = {}
  while name ~= "-" do
    local row = whole:lookup("+" .. name)
    if row == nil then return nil end
    local at = string.find(row, ":", 1, true)
    parts[#parts + 1] = string.sub(row, at + 1)
    name = string.sub(row, 1, at - 1)
  end
  return table.concat(parts)
end

local function expression(name)
  local found = expressions.get(name)
  if found == nil then
    local written = text(name)
    if written == nil then return nil end
    found = automaton.read(written)
    found.size = #written
    expressions.put(name, found)
  end
  return found
end

local function unescape(s)
  return (string.gsub(s, "%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- choice reads where an alternative leads: a section, or several with weights.
local function choice(to)
  local names, rest = string.match(to, "^([^|]*)(.*)$")
  if not string.find(names, "*", 1, true) then return { to = to } end
  local total, shares = 0, {}
  for weight, name in string.gmatch(names, "(%d+)%*([^,]+)") do
    total = total + tonumber(weight)
    shares[#shares + 1] = { upto = total, to = name .. rest }
  end
  return { total = total, shares = shares }
end

local function condition(written)
  local kind, how, rest = string.match(written, "^(%a)([=~*])(.*)$")
  if kind == "m" or kind == "n" then return { kind = kind, value = rest } end
  if kind == "p" then
    if how == "~" then return { kind = kind, expression = rest } end
    return { kind = kind, prefix = unescape(rest) }
  end
  local name, value = string.match(rest, "^([^=]*)=?(.*)$")
  local c = { kind = kind, name = unescape(name) }
  if how == "=" then
    c.value = unescape(value)
  elseif how == "~" then
    c.expression = value
  end
  return c
end

-- index sorts the alternatives of a long list by the value that they want of one
-- header or parameter: a thousand rules that differ by a tenant's header cost one
-- look-up instead of a thousand comparisons.
local function index(list)
  local pivots, places, rest = {}, {}, {}
  for i, a in ipairs(list) do
    local distinct
    for _, c in ipairs(a.conditions) do
      if c.value ~= nil and (c.kind == "h" or c.kind == "q") then
        distinct = c
        break
      end
    end
    if distinct == nil then
      rest[#rest + 1] = i
    else
      local key = distinct.kind .. distinct.name
      local pivot = places[key]
      if pivot == nil then
        pivot = { kind = distinct.kind, name = distinct.name, by = {} }
        places[key] = pivot
        pivots[#pivots + 1] = pivot
      end
      local at = pivot.by[distinct.value]
      if at == nil then
        at = {}
        pivot.by[distinct.value] = at
      end
      at[#at + 1] = i
    end
  end
  return pivots, rest
end

local INDEX_FROM = 16

local function compile(written)
  local list = {}
  for one in string.gmatch(written, "[^;]+") do
    local wanted, to = string.match(one, "^([^>]*)>(.*)$")
    local a = { conditions = {} }
    for c in string.gmatch(wanted, "[^&]+") do
      a.conditions[#a.conditions + 1] = condition(c)
    end
    if string.byte(to) == 94 then -- "^" leads to a less specific host.
      a.where, a.flags = string.match(to, "^%^([^|]*)|(.*)$")
    else
      a.choice = choice(to)
    end
    list[#list + 1] = a
  end
  local p = { list = list }
  if #list >= INDEX_FROM then p.pivots, p.rest = index(list) end
  return p
end

-- value reads the value of a row that asks something.
local function value(written)
  local v = values.get(written)
  if v ~= nil then return v end
  local stage, length, rest = string.match(written, "^%?([=~/])(%d*):(.*)$")
  v = { stage = stage, length = tonumber(length) }
  if string.byte(rest) == 43 then -- "+"
    v.name = string.sub(rest, 2)
  else
    v.program = compile(rest)
  end
  values.put(written, v)
  return v
end

local function program(v)
  if v.program ~= nil then return v.program end
  local p = programs.get(v.name)
  if p == nil then
    local written = text(v.name)
    if written == nil then return nil end
    p = compile(written)
    p.size = #written
    programs.put(v.name, p)
  end
  return p
end

-- header returns the values of a header joined by commas, or false.
local function header(r, name)
  local found = r.headers[name]
  if found ~= nil then return found end
  local count = r.txn.sf:req_fhdr_cnt(name)
  count = tonumber(count) or 0
  if count == 0 then
    found = false
  elseif count == 1 then
    found = r.txn.sf:req_fhdr(name)
  else
    local all = {}
    for i = 1, count do all[i] = r.txn.sf:req_fhdr(name, i) end
    found = table.concat(all, ",")
  end
  r.headers[name] = found
  return found
end

-- unform decodes a name or a value of a query as HTML forms are. An escape that is
-- not one stands for itself.
local function unform(s)
  if not string.find(s, "[%%+]") then return s end
  return unescape((string.gsub(s, "%+", " ")))
end

-- What it costs to read a parameter and to look for a row, as expressions count it.
local PAIR, ROW = 2, 8

-- parameters are the first values of a query's parameters, by name.
local function parameters(r)
  if r.query == nil then
    r.query = {}
    for pair in string.gmatch(r.txn.sf:query(), "[^&]+") do
      automaton.spend(r, PAIR)
      local name, raw = string.match(pair, "^([^=]*)=?(.*)$")
      name = unform(name)
      if r.query[name] == nil then r.query[name] = unform(raw) end
    end
  end
  return r.query
end

local function named(r, kind, name)
  if kind == "h" then return header(r, name) end
  return parameters(r)[name] or false
end

local GONE = {}

local function fits(r, c)
  automaton.spend(r, 1)
  if c.kind == "m" then
    r.method = r.method or r.txn.sf:method()
    return r.method == c.value
  end
  if c.kind == "n" then return false end -- Nothing meets it.
  local got = r.path
  if c.kind ~= "p" then
    got = named(r, c.kind, c.name)
    if not got then return false end
  elseif c.prefix ~= nil then
    return string.sub(got, 1, #c.prefix) == c.prefix
  end
  if c.value ~= nil then return got == c.value end
  if c.expression == nil then return true end
  local e = expression(c.expression)
  if e == nil then return GONE end
  return e:matches(got, r)
end

local function all(r, a)
  for _, c in ipairs(a.conditions) do
    local verdict = fits(r, c)
    if verdict ~= true then return verdict end
  end
  return true
end

-- try returns the first alternative that fits of those at some places.
local function try(r, list, places, before)
  for _, i in ipairs(places) do
    if i >= before then return nil end
    local verdict = all(r, list[i])
    if verdict == GONE then return GONE end
    if verdict then return i end
  end
end

local function winner(r, p)
  if p.pivots == nil then
    for _, a in ipairs(p.list) do
      local verdict = all(r, a)
      if verdict == GONE then return GONE end
      if verdict then return a end
    end
    return nil
  end
  local best = #p.list + 1
  for _, pivot in ipairs(p.pivots) do
    local got = named(r, pivot.kind, pivot.name)
    local places = got and pivot.by[got]
    if places then
      local won = try(r, p.list, places, best)
      if won == GONE then return GONE end
      best = won or best
    end
  end
  local won = try(r, p.list, p.rest, best)
  if won == GONE then return GONE end
  return p.list[won or best]
end

local function chosen(c)
  if c.to ~= nil then return c.to end
  local drawn = math.random(c.total)
  for _, share in ipairs(c.shares) do
    if drawn <= share.upto then return share.to end
  end
end

local function of_expressions(r)
  if not string.find(r.flags, "~", 1, true) then return nil end
  return beginning:lookup(r.where .. "~" .. r.path)
end

local function of_beginnings(r) return beginning:lookup(r.where .. "|" .. r.path .. "/") end

local function first(r)
  return whole:lookup(r.where .. "=" .. r.path) or of_expressions(r) or of_beginnings(r)
end

-- next_of is the row after one of which nothing fits.
local function next_of(r, v)
  if v.stage == "=" then return of_expressions(r) or of_beginnings(r) end
  if v.stage == "~" then return of_beginnings(r) end
  local key = r.where .. "|" .. r.path .. "/"
  return beginning:lookup(string.sub(key, 1, #r.where + v.length))
end

-- follow goes from row to row until one says a section. It is nil where a row is
-- gone.
local function follow(r, row)
  while row ~= nil and string.byte(row) == QUESTION do
    automaton.spend(r, ROW)
    local v = value(row)
    local p = program(v)
    if p == nil then return nil end
    local won = winner(r, p)
    if won == GONE then return nil end
    if won == nil then
      row = next_of(r, v)
    elseif won.choice ~= nil then
      return chosen(won.choice)
    else
      r.where, r.flags = won.where, won.flags
      row = first(r)
    end
  end
  return row
end

-- belongs returns the row of a host, which covers it most specifically.
local function belongs(port, host)
  local row = whole:lookup("h" .. port .. "|" .. host)
  local at = 1
  while row == nil do
    at = string.find(host, ".", at + 1, true)
    if at == nil then return whole:lookup("h" .. port .. "|*") end
    row = whole:lookup(string.sub(host, at + 1) .. "|*" .. port)
  end
  return row
end

-- again looks everything up as of now.
local function again(r, port)
  local row = belongs(port, r.txn:get_var("txn.host") or "")
  if row == nil then return "answer_404||" end
  local where, flags = string.match(row, "^([^|]*)|[^|]*|(.*)$")
  r.where, r.flags = where, flags
  r.txn:set_var("txn.at", row)
  if where == "" then return "answer_404||" end
  return follow(r, first(r))
end

local TRIES = 5

local function decide(txn, port)
  local r = { txn = txn, work = 0, headers = {}, path = txn:get_var("txn.path") or "" }
  local row, to = txn:get_var("txn.to"), nil
  if row ~= nil then
    r.where, r.flags = string.match(txn:get_var("txn.at"), "^([^|]*)|[^|]*|(.*)$")
    to = follow(r, row)
  end
  for _ = 1, TRIES do
    if to ~= nil then break end
    to = again(r, port)
  end
  txn:set_var("txn.to", to or "answer_500||")
end

core.register_action("decide", { "http-req" }, decide, 1)
