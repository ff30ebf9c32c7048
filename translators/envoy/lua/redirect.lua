-- Answers with a Location: filter_context says what of the request's URL is
-- replaced.

-- Returns the host of an authority as a URL has it, without port and trailing
-- dot; nil where it holds what no host may.
local function host_of(authority)
  local address = authority:match("^(%[[%x:.]+%]):?%d*$")
  if address then
    return address:lower()
  end
  local name = authority:match("^([%w%-._]+):?%d*$")
  return name and name:lower():gsub("%.$", "")
end

-- Escapes what a URL must not hold.
local function safe(text)
  return (text:gsub("[%c \127-\255#\"<>]", function(octet)
    return ("%%%02X"):format(octet:byte())
  end))
end

-- Returns the path with a prefix of whole segments replaced.
local function replaced(path, prefix, value)
  if prefix == "" or path:sub(1, #prefix) ~= prefix then
    return path
  end
  local rest = path:sub(#prefix:gsub("/$", "") + 1)
  if value == "" and rest == "" then
    return "/"
  end
  return value .. rest
end

function envoy_on_request(handle)
  local to = handle:filterContext()
  local headers = handle:headers()
  local path, query = headers:get(":path"):match("^([^?]*)(.*)$")
  if to:get("full") then
    path = to:get("full")
  elseif to:get("value") then
    path = replaced(path, to:get("prefix"), to:get("value"))
  end
  local origin, authority = "", headers:get(":authority") or ""
  if to:get("host") ~= "" then
    origin = to:get("scheme") .. "://" .. to:get("host") .. to:get("port")
  elseif authority ~= "" then
    local host = host_of(authority)
    if not host or host == "" then
      handle:respond({[":status"] = "400"}, "The request's host cannot be redirected.\n")
      return
    end
    origin = to:get("scheme") .. "://" .. host .. to:get("port")
  end
  handle:respond({[":status"] = to:get("status"), ["location"] = origin .. safe(path) .. safe(query)})
end
