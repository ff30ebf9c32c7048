-- Takes off a response what its Connection field names (RFC 9110, section 7.6.1).

local own = { ["close"] = true, ["keep-alive"] = true, ["upgrade"] = true, ["content-length"] = true, ["transfer-encoding"] = true }

function envoy_on_response(h)
  local headers = h:headers()
  local named = {}
  for option in (headers:get("connection") or ""):lower():gmatch("[^,%s]+") do
    if not own[option] and not option:find(":", 1, true) and #named < 16 then named[#named + 1] = option end
  end
  for _, option in ipairs(named) do headers:remove(option) end
end
