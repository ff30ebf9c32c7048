-- Reads what is odd about a request, so that what is usual costs nothing: conditions
-- of the configuration tell them apart. The rules are those of package requestpath
-- and of the Go proxy's codec. No text of users is in here.

local reasons = {
  [400] = "Bad Request", [405] = "Method Not Allowed", [413] = "Request Entity Too Large", [414] = "Request URI Too Long", [417] = "Expectation Failed",
  [421] = "Misdirected Request", [431] = "Request Header Fields Too Large", [501] = "Not Implemented", [502] = "Bad Gateway", [503] = "Service Unavailable", [508] = "Loop Detected",
}

-- What an HTTP status stands for in gRPC; others are 2, unknown.
local grpc = {[400] = "13", [502] = "14", [503] = "14"}

-- Answers instead of serving. The connection ends: what comes behind may not be what
-- it seems to be.
local function refuse(txn, status, flag)
  txn:set_var("txn.flag", flag)
  local reply
  if txn:get_var("txn.grpc") then
    reply = txn:reply({status = 200, reason = "OK"})
    reply:add_header("content-type", "application/grpc")
    reply:add_header("grpc-status", grpc[status] or "2")
    reply:add_header("grpc-message", reasons[status])
  else
    reply = txn:reply({status = status, reason = reasons[status], body = reasons[status] .. "\n"})
    reply:add_header("content-type", "text/plain; charset=utf-8")
    reply:add_header("x-content-type-options", "nosniff")
  end
  if status == 503 then
    reply:add_header("retry-after", "1")
  else
    reply:add_header("connection", "close")
  end
  txn:done(reply)
end

-- Paths.

-- Returns what an escape is in normal form; nil for one that is refused.
local function escaped(digits, keep)
  if not digits:find("^%x%x$") then
    return nil
  end
  local octet = string.char(tonumber(digits, 16))
  if octet:find("[%w%-._~]") then
    return octet
  end
  if octet:find("%c") or octet:find("[/\\]") and not keep then
    return nil
  end
  return "%" .. digits:upper()
end

-- Says whether a segment is a dot segment but for a parameter.
local function parameter(segment)
  local rest = segment:match("^%.%.?(.*)$")
  return rest and (rest:sub(1, 1) == ";" or rest:sub(1, 3) == "%3B")
end

-- Says whether a segment is one for those who decode the slashes in it.
local function hidden(segment)
  if not segment:find("%2F", 1, true) and not segment:find("%5C", 1, true) then
    return false
  end
  for part in (segment:gsub("%%5C", "/"):gsub("%%2F", "/") .. "/"):gmatch("([^/]*)/") do
    if part == "." or part == ".." or parameter(part) then
      return true
    end
  end
  return false
end

-- Returns a path with dot segments taken out and slashes merged; nil for one that is
-- refused.
local function resolved(path)
  local out, n, last = {}, 0, nil
  for segment in path:gmatch("/([^/]*)") do
    if parameter(segment) or hidden(segment) then
      return nil
    end
    last = segment
    if segment == ".." then
      n = math.max(n - 1, 0)
    elseif segment ~= "." then
      n = n + 1
      out[n] = segment
    end
  end
  if last == "." or last == ".." then
    n = n + 1
    out[n] = ""
  end
  local parts = {}
  for i = 1, n do
    if out[i] ~= "" or i == n then
      parts[#parts + 1] = out[i]
    end
  end
  return "/" .. table.concat(parts, "/")
end

-- Returns a path's normal form; nil for one that is refused.
local function normalise(raw, keep)
  if raw:sub(1, 1) ~= "/" or raw:find("[%c \\#?\128-\255]") then
    return nil
  end
  local fine = true
  local decoded = raw:gsub('["<>%[%]^{|}`]', function(octet)
    return ("%%%02X"):format(octet:byte())
  end):gsub("%%(%w?%w?)", function(digits)
    local text = escaped(digits, keep)
    fine = fine and text ~= nil
    return text
  end)
  return fine and resolved(decoded) or nil
end

-- Hosts.

local function port(text)
  local number = text:find("^%d%d?%d?%d?%d?$") and tonumber(text)
  return number and number > 0 and number <= 65535
end

-- Returns an authority's host as it is compared; nil for what is none.
local function host_of(authority)
  local address, behind = authority:match("^%[([%x:.]+)%](.*)$")
  if address then
    if behind ~= "" and not port(behind:match("^:(.*)$") or "") or not address:find(":", 1, true) or not core.parse_addr(address) then
      return nil
    end
    return address:lower()
  end
  local name, number = authority:match("^([^:]*):(.*)$")
  if name and not port(number) then
    return nil
  end
  name = name or authority
  if #name > 254 or name:sub(1, 1) == "." or name:find("..", 1, true) or not name:find("^[%w%-._~]+$") then
    return nil
  end
  return (name:lower():gsub("%.$", ""))
end

-- Fields.

-- Takes spaces off both ends of a text. Clients write the text: an expression with two
-- repetitions that fit the same octets would try each beginning with each end.
local function trimmed(text)
  local from = text:find("[^ \t]")
  return from and text:match("^.*[^ \t]", from) or ""
end

local hop, framing, guarded, content = 1, 2, 3, 4

local kinds = {
  ["host"] = framing, ["content-length"] = framing, ["transfer-encoding"] = framing, ["connection"] = framing,
  ["upgrade"] = content, ["expect"] = content, ["te"] = content, ["trailer"] = content,
  ["keep-alive"] = hop, ["proxy-connection"] = hop, ["proxy-authenticate"] = hop, ["proxy-authorization"] = hop,
  ["http2-settings"] = hop, ["proxy"] = hop,
  ["forwarded"] = guarded, ["x-forwarded-for"] = guarded, ["x-forwarded-host"] = guarded, ["x-forwarded-port"] = guarded,
  ["x-forwarded-proto"] = guarded, ["x-forwarded-prefix"] = guarded, ["x-forwarded-client-cert"] = guarded,
  ["x-real-ip"] = guarded, ["x-request-id"] = guarded, ["true-client-ip"] = guarded,
}

-- Returns the names that Connection takes along, and whether it speaks of an upgrade;
-- nil for what is refused.
local function nominated(values)
  local names, upgrade = {}, false
  for option in values:gmatch("[^,]+") do
    option = trimmed(option):lower()
    if option == "upgrade" then
      upgrade = true
    elseif option ~= "" and option ~= "close" and option ~= "keep-alive" then
      if option:find("[^%w!#$%%&'*+%-.^_`|~]") or kinds[option] == framing or #names == 16 then
        return nil
      end
      if not kinds[option] or kinds[option] == guarded then
        names[#names + 1] = option
      end
    end
  end
  return names, upgrade
end

-- Takes fields off a message. It returns the status and the flag of a refusal.
local function strip(fields)
  local unseen = {}
  for name in fields.names:gmatch("[^,]+") do
    local kind = kinds[name]
    if unseen[name] then
    elseif name == "connection" then
      local names, upgrade = nominated(fields.value(name))
      if not names then
        return 400, "connection-options"
      end
      for _, other in ipairs(names) do
        fields.del(other)
      end
      fields.del(name)
      if upgrade then
        fields.add(name, "upgrade")
      end
    elseif kind == hop then
      fields.del(name)
    elseif name:find("[_.]") then
      local of = kinds[(name:gsub("[_.]", "-"))]
      if of == framing then
        return 400, "field-name-lookalike"
      elseif of then
        fields.del(name)
      end
    end
    unseen[name] = true
  end
end

local methods = {TRACE = true, CONNECT = true}

local function method(name)
  if methods[name] then
    return 405, "method-not-allowed"
  elseif #name > 32 then
    return 501, "long-method"
  elseif name:find("%l") then
    return 400, "method"
  end
end

-- Returns all values of a field, joined.
local function joined(headers, name)
  local values = {}
  for i = 0, #(headers[name] or {}) do
    values[#values + 1] = headers[name] and headers[name][i]
  end
  return table.concat(values, ",")
end

local function fields_of_request(txn)
  local headers
  return {
    names = txn.sf:req_hdr_names(),
    value = function(name)
      headers = headers or txn.http:req_get_headers()
      return joined(headers, name)
    end,
    del = function(name) txn.http:req_del_header(name) end,
    add = function(name, value) txn.http:req_add_header(name, value) end,
  }
end

local function fields_of_response(txn)
  local headers
  return {
    names = txn.sf:res_hdr_names(),
    value = function(name)
      headers = headers or txn.http:res_get_headers()
      return joined(headers, name)
    end,
    del = function(name) txn.http:res_del_header(name) end,
    add = function(name, value) txn.http:res_add_header(name, value) end,
  }
end

-- Takes off what a client says about itself.
local unbelieved = {["forwarded"] = true, ["x-real-ip"] = true}

-- Brings a target in the form for proxies into the usual one. HAProxy has that of
-- HTTP/2 and HTTP/3 in the form for proxies as well, and sends it on so where the
-- scheme is none of these.
local function shorten(txn, scheme)
  local url = txn.sf:url()
  if url:sub(1, 1) == "/" then
    return
  end
  local named = (url:match("^(%a+)://") or ""):lower()
  if named ~= "http" and named ~= "https" then
    return 400, "target"
  elseif txn.f:fc_http_major() ~= 1 then
    return
  elseif named ~= scheme then
    return 421, "scheme"
  end
  if not txn.http:req_set_uri(txn.sf:pathq()) then
    return 414, "long-target"
  end
end

local function check(txn, slashes, trail, hops, scheme)
  local status, flag = method(txn.sf:method())
  if status then
    return status, flag
  end
  status, flag = shorten(txn, scheme)
  if status then
    return status, flag
  end
  local named = txn.sf:req_fhdr("host")
  local host = host_of(named)
  if not host then
    return 400, named == "" and "no-host" or "host"
  end
  txn:set_var("txn.host", host)
  local fields = fields_of_request(txn)
  status, flag = strip(fields)
  if status then
    return status, flag
  end
  if hops == "0" then
    for name in pairs(unbelieved) do
      fields.del(name)
    end
  end
  local expect = fields.value("expect"):lower()
  if expect ~= "" and expect ~= "100-continue" then
    return 417, "expectation"
  end
  if trail ~= "-" and fields.value("cdn-loop"):find(trail, 1, true) then
    return 508, "loop"
  end
  local raw = txn.sf:path()
  local path = normalise(raw, slashes == "keep")
  if not path then
    return 400, "path"
  end
  -- A path may grow, and a buffer may be full.
  if path ~= raw and not txn.http:req_set_path(path) then
    return 414, "long-target"
  end
end

-- Takes "txn.odd" off a request that may go on: what this script has failed at, or has
-- not come to the end of, does not.
core.register_action("admit", {"http-req"}, function(txn, slashes, trail, hops, scheme)
  if txn.sf:method() == "OPTIONS" and txn.sf:url() == "*" then
    txn:done(txn:reply({status = 200, reason = "OK"}))
    return
  end
  local status, flag = check(txn, slashes, trail, hops, scheme)
  if status then
    refuse(txn, status, flag)
    return
  end
  txn:set_var("txn.odd", false)
end, 4)

-- Takes empty entries out of X-Forwarded-For: they would count as proxies.
core.register_action("entries", {"http-req"}, function(txn)
  local kept = {}
  for entry in joined(txn.http:req_get_headers(), "x-forwarded-for"):gmatch("[^,]+") do
    entry = trimmed(entry)
    if entry ~= "" then
      kept[#kept + 1] = entry
    end
  end
  txn.http:req_del_header("x-forwarded-for")
  if #kept > 0 then
    txn.http:req_add_header("x-forwarded-for", table.concat(kept, ", "))
  end
end, 0)

core.register_action("refuse", {"http-req"}, function(txn, status, flag)
  refuse(txn, tonumber(status), flag)
end, 2)

-- Takes off a response what ends here. One that cannot be read in one way only is
-- no answer.
core.register_action("tidy", {"http-res"}, function(txn)
  if strip(fields_of_response(txn)) then
    refuse(txn, 502, "backend_reset")
  end
end, 0)

-- Ends a request whose body is longer than it says beforehand that it may be.
local limit = {id = "limit", flags = filter.FLT_CFG_FL_HTX}
limit.__index = limit

function limit:new()
  return setmetatable({seen = 0}, limit)
end

function limit:http_headers(txn, message)
  if not message.channel:is_resp() and txn.sf:req_fhdr("content-length") == "" then
    filter.register_data_filter(self, message.channel)
  end
end

function limit:http_payload(txn, message)
  self.seen = self.seen + message:input()
  -- The end of a body counts as an octet, and so do trailers.
  if self.seen <= limit.most + 1 then
    return
  end
  txn:set_var("txn.flag", "body_too_large")
  txn:set_var("txn.over", limit.over)
  error("a request's body is over the limit")
end

core.register_filter("limit", limit, function(filter, arguments)
  limit.most, limit.over = tonumber(arguments[1]), tonumber(arguments[2])
  return filter
end)
