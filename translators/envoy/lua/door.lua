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
    entry = entry:match("^%s*(.-)%s*$")
    if entry ~= "" then all[#all + 1] = entry end
  end
  return table.concat(all, ", ", math.max(1, #all - hops + 1))
end

local function method(h, name, target)
  if name == "CONNECT" or name == "TRACE" then
    refuse(h, "405", "method-not-allowed")
  elseif #name > 32 then
    refuse(h, "501", "long-method")
  elseif name:find("%l") then
    refuse(h, "400", "method")
  elseif target == "*" and name == "OPTIONS" then
    refuse(h, "200", "")
  else
    return true
  end
  return false
end

function envoy_on_request(h)
  local headers, context = h:headers(), h:filterContext()
  local target = headers:get(":path") or ""
  if not method(h, headers:get(":method"), target) then return end
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
