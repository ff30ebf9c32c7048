-- Answers preflight requests and marks responses (the Fetch standard):
-- filter_context says who may do what.

local namespace = "sluice.cors"

-- Reads scheme://host[:port]; nil where it is none.
local function parse(text)
  local scheme, rest = text:lower():match("^(https?)://(.*)$")
  if not scheme then
    return nil
  end
  local host, port = rest:match("^(.*):(%d+)$")
  if not host then
    host, port = rest, scheme == "https" and "443" or "80"
  end
  port = tonumber(port)
  if port < 1 or port > 65535 then
    return nil
  end
  if not host:find("^[%w%-._]+$") and not host:find("^%[[%x:.]+%]$") then
    return nil
  end
  return scheme, host, port
end

-- Reports whether an origin is one of those that the rule lists. "*" stands for
-- at least one character, dots included.
local function listed(origins, origin)
  local scheme, host, port = parse(origin)
  if not scheme then
    return false
  end
  for _, pattern in ipairs(origins) do
    local s, h, p = pattern:match("^(%a+)://(.*):(%d+)$")
    if s == scheme and tonumber(p) == port then
      local suffix = h:match("^%*(.*)$")
      if h == host or suffix and #host > #suffix and host:sub(-#suffix - 1):sub(2) == suffix then
        return true
      end
    end
  end
  return false
end

local function allowed(rule, origin)
  if rule:get("any") then
    return origin ~= ""
  end
  return listed(rule:get("origins"), origin)
end

-- Writes a list. With credentials "*" is a name like any other to a browser, so
-- what was asked for stands in its place.
local function permit(answer, rule, name, list, asked)
  if list == "*" and rule:get("credentials") then
    list = asked
  end
  if list and list ~= "" then
    answer[name] = list
  end
end

-- Tells caches that the answer depends on the origin.
local function vary(headers)
  for name in (headers:get("vary") or ""):gmatch("[^,%s]+") do
    if name == "*" or name:lower() == "origin" then
      return
    end
  end
  headers:add("vary", "Origin")
end

function envoy_on_request(handle)
  local rule, headers = handle:filterContext(), handle:headers()
  local origin = headers:get("origin")
  handle:streamInfo():dynamicMetadata():set(namespace, "origin", origin or false)
  local method = headers:get("access-control-request-method")
  if not origin or not method or headers:get(":method") ~= "OPTIONS" then
    return
  end
  local answer = {[":status"] = "200"}
  if allowed(rule, origin) then
    permit(answer, rule, "access-control-allow-methods", rule:get("methods"), method)
    permit(answer, rule, "access-control-allow-headers", rule:get("headers"), headers:get("access-control-request-headers"))
    answer["access-control-max-age"] = rule:get("age")
  end
  handle:respond(answer)
end

function envoy_on_response(handle)
  local known = handle:streamInfo():dynamicMetadata():get(namespace)
  if not known then
    return
  end
  local rule, headers, origin = handle:filterContext(), handle:headers(), known["origin"]
  if not rule:get("any") or rule:get("credentials") then
    vary(headers)
  end
  if not origin then
    return
  end
  headers:remove("access-control-allow-origin")
  headers:remove("access-control-allow-credentials")
  headers:remove("access-control-expose-headers")
  if not allowed(rule, origin) then
    return
  end
  headers:add("access-control-allow-origin", rule:get("any") and not rule:get("credentials") and "*" or origin)
  if rule:get("credentials") then
    headers:add("access-control-allow-credentials", "true")
  end
  if rule:get("exposed") ~= "" and (rule:get("exposed") ~= "*" or not rule:get("credentials")) then
    headers:add("access-control-expose-headers", rule:get("exposed"))
  end
end
