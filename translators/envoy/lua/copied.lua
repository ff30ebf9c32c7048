-- Reports whether a field of an answer may be copied into a request: not those
-- that tell about the message that they came with, and would be wrong in any
-- other.

local message = {
  ["connection"] = true, ["host"] = true, ["http2-settings"] = true, ["keep-alive"] = true,
  ["proxy-connection"] = true, ["te"] = true, ["trailer"] = true, ["transfer-encoding"] = true, ["upgrade"] = true,
}

function envoy_match(name)
  name = name:lower()
  return not message[name] and name:sub(1, 8) ~= "content-" and name:sub(1, 1) ~= ":"
end
