-- What Envoy lets in and package ir/requestpath does not, and what it has in
-- another form. Routes have been looked for already: what would have led to
-- another one is refused. It runs for requests that are not plain.

local controls = "[%c \127-\255\\#]"
local reserved = '["<>%[%]^{|}`]'

local function refuse(h, status, flag)
  h:streamInfo():dynamicMetadata():set("sluice", "flag", flag)
  h:respond({[":status"] = status}, "")
end

-- dotted reports whether a segment is a dot segment, its parameters taken off.
local function dotted(segment)
  local rest = segment:match("^%.%.?(.*)$")
  return rest ~= nil and (rest == "" or rest:sub(1, 1) == ";" or rest:sub(1, 3) == "%3B")
end

-- hidden reports whether a segment holds a dot segment for those who decode the
-- slashes that were kept in it.
local function hidden(segment)
  for part in segment:gsub("%%2F", "/"):gsub("%%5C", "/"):gmatch("[^/]+") do
    if dotted(part) then return true end
  end
  return false
end

-- normal returns the normal form of a path; nil for none.
local function normal(raw, keep)
  -- Of slashes alone Envoy leaves two.
  if raw == "//" then return "/" end
  if raw:sub(1, 1) ~= "/" or raw:find(controls) or raw:find("//", 1, true) then return nil end
  local bad, lower, upper = false, false, false
  local path = raw:gsub("%%(%x?)(%x?)", function(high, low)
    if low == "" then
      bad = true
      return nil
    end
    local digits = high .. low
    lower, upper = lower or digits:find("[a-f]") ~= nil, upper or digits:find("[A-F]") ~= nil
    local octet = tonumber(digits, 16)
    local slash = octet == 47 or octet == 92
    if octet < 32 or octet == 127 or slash and not keep or not slash and string.char(octet):find("[%w._~-]") then bad = true end
    return "%" .. digits:upper()
  end)
  -- Routes know an escape in upper case and in lower case, and not in both.
  if bad or lower and upper then return nil end
  path = path:gsub(reserved, function(c) return string.format("%%%02X", c:byte()) end)
  for segment in path:gmatch("[^/]+") do
    if hidden(segment) then return nil end
  end
  return path
end

-- believed keeps as many entries of a list as there are hops.
local function believed(list, hops)
  local all = {}
  for entry in list:gmatch("[^,]+") do
    -- Clients write entries: an expression that takes spaces off both ends at once
    -- would try each beginning with each end.
    local from = entry:find("%S")
    if from then all[#all + 1] = entry:match("^.*%S", from) end
  end
  return table.concat(all, ", ", math.max(1, #all - hops + 1))
end

-- literal reports whether a host is an IPv6 address in brackets, without a zone.
local function literal(host)
  local address = host:match("^%[([%x:.]+)%]$")
  if not address then return false end
  local groups, short, last = 0, 0, ""
  if address:find(":::", 1, true) then return false end
  for _ in address:gmatch("::") do short = short + 1 end
  if address:find("^:[^:]") or address:find("[^:]:$") then return false end
  for group in address:gmatch("[^:]+") do
    if last:find(".", 1, true) then return false end
    last = group
    local a, b, c, d = group:match("^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$")
    if a then
      if math.max(tonumber(a), tonumber(b), tonumber(c), tonumber(d)) > 255 then return false end
      groups = groups + 2
    elseif group:find("^%x%x?%x?%x?$") then
      groups = groups + 1
    else
      return false
    end
  end
  return short == 0 and groups == 8 or short == 1 and groups < 8
end

-- authority reports whether it is a host with an optional port.
local function authority(text)
  local host, port = text, text:match(":(%d*)$")
  if port and not text:find("%]$") then
    host = text:sub(1, -#port - 2)
    if #port == 0 or #port > 5 or tonumber(port) == 0 or tonumber(port) > 65535 then return false end
  end
  if host:sub(1, 1) == "[" then return literal(host) end
  return #host > 0 and #host <= 254 and not host:find("[^%w._~-]") and host:sub(1, 1) ~= "." and not host:find("..", 1, true)
end

local function method(h, name)
  if name == "CONNECT" or name == "TRACE" then
    refuse(h, "405", "method-not-allowed")
  elseif #name > 32 then
    refuse(h, "501", "long-method")
  elseif name:find("%l") then
    refuse(h, "400", "method")
  else
    return true
  end
  return false
end

function envoy_on_request(h)
  local headers, context = h:headers(), h:filterContext()
  local target = headers:get(":path") or ""
  if not method(h, headers:get(":method")) then return end
  if not authority(headers:get(":authority") or "") then return refuse(h, "400", "host") end
  local trail = context:get("trail")
  if trail and (headers:get("cdn-loop") or ""):find(trail, 1, true) then
    return refuse(h, "508", "loop")
  end
  local raw, query = target:match("^([^?]*)(.*)$")
  local path = normal(raw, context:get("keepSlashes"))
  if path == nil then return refuse(h, "400", "path") end
  if path ~= raw then headers:replace(":path", path .. query) end
  local hops, list = context:get("hops"), headers:get("x-forwarded-for")
  if hops and list then headers:replace("x-forwarded-for", believed(list, hops)) end
end
