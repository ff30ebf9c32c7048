-- Keeps a client at the endpoint that served it first (GEP-1619). A token is
--
--   begin (8 bytes, seconds) | endpoint (16) | signature (16)
--
-- in base64url. The endpoint is a keyed hash, so that a token tells nobody an
-- address. The key is in a variable of the process, which is in no configuration that
-- anybody is shown; without it there are no sessions. The Go proxy's tokens are the
-- same.

local begin_size, id_size, sign_size = 8, 16, 16
local text_size = 54
-- How far ahead the clock of the proxy that made a token may be, in seconds.
local skew = 60

-- The key, as it was read last, and what hashes begin with. The hashes are HAProxy's
-- own.

local read, inner, outer = nil, nil, nil
-- What is known of endpoints, by what they belong to.
local known = {}

local function padded(key, with)
  return (key:gsub(".", function(octet)
    return string.char(octet:byte() ~ with)
  end))
end

-- Reports whether there is a key.
local function ready(txn)
  local text = txn:get_var("proc.session_key")
  if text and text ~= read then
    local key = txn.c:b64dec(text)
    if #key > 64 then
      key = txn.c:sha2(key, 256)
    end
    key = key .. ("\0"):rep(64 - #key)
    read, inner, outer, known = text, padded(key, 0x36), padded(key, 0x5c), {}
  end
  return text ~= nil
end

-- HMAC (RFC 2104).
local function hmac(txn, text)
  return txn.c:sha2(outer .. txn.c:sha2(inner .. text, 256), 256)
end

local function sign(txn, text)
  return hmac(txn, "token" .. text):sub(1, sign_size)
end

-- base64url (RFC 4648, section 5), without padding.

local letters, values = {}, {}
for octet in ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"):gmatch(".") do
  values[octet] = #letters
  letters[#letters + 1] = octet
end

local function encode(text)
  local out = {}
  for at = 1, #text, 3 do
    local a, b, c = text:byte(at, at + 2)
    local n = a << 16 | (b or 0) << 8 | (c or 0)
    for i = 3, b and (c and 0 or 1) or 2, -1 do
      out[#out + 1] = letters[(n >> 6 * i & 63) + 1]
    end
  end
  return table.concat(out)
end

-- Returns nil for what is not in its only form.
local function decode(text)
  local out, n, bits = {}, 0, 0
  for octet in text:gmatch(".") do
    local value = values[octet]
    if not value then
      return nil
    end
    n, bits = (n << 6 | value) & 0xffff, bits + 6
    if bits >= 8 then
      bits = bits - 8
      out[#out + 1] = string.char(n >> bits & 255)
    end
  end
  local bytes = table.concat(out)
  return encode(bytes) == text and bytes or nil
end

-- Tokens.

local function seal(txn, id)
  local text = string.pack(">I8", core.now().sec) .. id
  return encode(text .. sign(txn, text))
end

-- Returns when a session began and its endpoint; nil for what is no token.
local function open(txn, text)
  local bytes = #text == text_size and decode(text)
  if not bytes then
    return nil
  end
  local signed, signature = bytes:sub(1, begin_size + id_size), bytes:sub(begin_size + id_size + 1)
  local expected, differs = sign(txn, signed), 0
  for i = 1, sign_size do
    differs = differs | expected:byte(i) ~ signature:byte(i)
  end
  if differs ~= 0 then
    return nil
  end
  return string.unpack(">I8", signed), signed:sub(begin_size + 1)
end

-- Endpoints. Which Service a section sends to, and which address a server has, is in
-- their names. A server that is used where no other is left has a name that ends so.

local BACKUP = "_backup"

local function address_of(server)
  if server:sub(-#BACKUP) == BACKUP then
    return server:sub(1, -#BACKUP - 1)
  end
  return server
end

local function id_of(txn, of, server)
  local address, port = server:match("^(.*)_(%d+)$")
  if not address then
    return nil
  end
  local text = {}
  for _, part in ipairs({"endpoint", of.namespace, of.service, of.port, (address:gsub("-", ":")), port}) do
    text[#text + 1] = string.pack(">s8", part)
  end
  return hmac(txn, table.concat(text)):sub(1, id_size)
end

-- How many endpoints are remembered of a Service, those that are gone included.
local most = 10000

local function endpoints_of(section)
  local namespace, service, port = section:match("^([^_]+)_([^_]+)_(%d+)_")
  if not namespace then
    return nil
  end
  local name = namespace .. "_" .. service .. "_" .. port
  local of = known[name]
  if not of or of.count > most then
    of = {namespace = namespace, service = service, port = port, ids = {}, servers = {}, missed = {}, count = 0}
    known[name] = of
  end
  return of
end

-- Returns the token's name of a server.
local function named(txn, of, server)
  server = address_of(server)
  local id = of.ids[server]
  if not id then
    id = id_of(txn, of, server)
    if not id then
      return nil
    end
    of.ids[server], of.servers[id], of.count = id, server, of.count + 1
  end
  return id
end

-- Returns the server of a section that is an endpoint. One that was looked for in
-- vain is looked for again after a second.
local function server_of(txn, section, id)
  local of, backend = endpoints_of(section), core.backends[section]
  if not of or not backend then
    return nil
  end
  local server, now = of.servers[id], core.now().sec
  if not server and of.missed[id] ~= now then
    for name in pairs(backend.servers) do
      named(txn, of, name)
    end
    server = of.servers[id]
    if not server then
      of.missed[id], of.count = now, of.count + 1
    end
  end
  if not server then
    return nil
  end
  return backend.servers[server] and server or backend.servers[server .. BACKUP] and server .. BACKUP
end

-- Cookies.

-- Takes what a class of octets has off both ends of a text. Clients write the text:
-- an expression with two repetitions that fit the same octets would try each
-- beginning with each end.
local function trimmed(text, rest)
  local from = text:find(rest)
  return from and text:match("^.*" .. rest, from) or ""
end

local function value_of(pair, name)
  local found, value = trimmed(pair, "%S"):match("^([^=]*)=(.*)$")
  return found == name and trimmed(value, '[^"]') or nil
end

-- Returns the first value of a token's length: a client may send another cookie of
-- that name, from another path.
local function from_cookies(fields, name)
  for i = 0, #fields do
    for pair in (fields[i] or ""):gmatch("[^;]+") do
      local value = value_of(pair, name)
      if value and #value == text_size then
        return value
      end
    end
  end
end

local function drop_cookie(txn, fields, name, token)
  txn.http:req_del_header("cookie")
  for i = 0, #fields do
    local kept = {}
    for pair in (fields[i] or ""):gmatch("[^;]+") do
      if value_of(pair, name) ~= token then
        kept[#kept + 1] = trimmed(pair, "%S")
      end
    end
    if #kept > 0 then
      txn.http:req_add_header("cookie", table.concat(kept, "; "))
    end
  end
end

-- Returns the endpoint that a request's token names, the token, and the fields that
-- it came in; nil where there is none that holds.
local function presented(txn, kind, name, limit)
  if not ready(txn) then
    return nil
  end
  local fields = txn.http:req_get_headers()[kind == "header" and name:lower() or "cookie"]
  if not fields then
    return nil
  end
  local token = kind == "header" and fields[0] or kind ~= "header" and from_cookies(fields, name)
  local since, id = nil, nil
  if token then
    since, id = open(txn, token)
  end
  if not since then
    return nil
  end
  local age, bound = core.now().sec - since, tonumber(limit)
  if age < -skew or bound > 0 and age >= bound then
    id = nil
  end
  return id, token, fields
end

-- Leads a request to the server that its token names, if the section has it. A token
-- of ours is taken off: it is no business of the backend's.
core.register_action("session_read", {"http-req"}, function(txn, kind, name, limit)
  local id, token, fields = presented(txn, kind, name, limit)
  if not token then
    return
  end
  if kind == "header" then
    txn.http:req_del_header(name)
  else
    drop_cookie(txn, fields, name, token)
  end
  local server = id and server_of(txn, txn.f:be_name(), id)
  if server then
    txn:set_var("txn.pinned", server)
  end
end, 3)

-- Begins a session where another server has answered than a token named. Before is
-- what stands in front of the token, and after what stands behind it.
core.register_action("session_write", {"http-res"}, function(txn, kind, name, attributes)
  local server, section = txn.f:srv_name(), txn.f:be_name()
  local of = section and endpoints_of(section)
  if not server or not of or server == txn:get_var("txn.pinned") or not ready(txn) then
    return
  end
  local id = named(txn, of, server)
  if not id then
    return
  end
  local token = seal(txn, id)
  if kind == "header" then
    txn.http:res_set_header(name, token)
  else
    txn.http:res_add_header("set-cookie", name .. "=" .. token .. attributes)
  end
end, 3)

-- Keeps a session with the section of its endpoint, where a rule has several. The
-- variable txn.several says "<kind> <name> <limit>" and then, for each section,
-- "<section>/<where its servers are>".
core.register_action("session_choose", {"http-req"}, function(txn)
  local kind, name, limit, rest = txn:get_var("txn.several"):match("^(%S+) (%S+) (%S+) (.*)$")
  if not kind then
    return
  end
  local id = presented(txn, kind, name, limit)
  if not id then
    return
  end
  local first, tail = txn:get_var("txn.to"):match("^([^|]*)(.*)$")
  for section, pool in rest:gmatch("([^/ ]+)/(%S+)") do
    if server_of(txn, pool, id) then
      if section ~= first then
        txn:set_var("txn.to", section .. tail)
      end
      return
    end
  end
end, 0)
