-- Finds which section takes a connection. It holds no text of users: rows do.

local rows = Map.new("routes.map", Map._str)

-- covering returns the row of the most specific hostname that covers a name: for
-- "a.b.c" it looks at "a.b.c", "*.b.c", "*.c" and "*".
local function covering(before, name)
	local found = name ~= "" and rows:lookup(before .. name)
	local at = 1
	while not found do
		at = string.find(name, ".", at + 1, true)
		if not at then
			return rows:lookup(before .. "*")
		end
		found = rows:lookup(before .. "*" .. string.sub(name, at))
	end
	return found
end

-- plain brings a server name into the form of hostnames. What is not ASCII is none.
local function plain(sni)
	if not sni or string.find(sni, "[\128-\255]") then
		return ""
	end
	return (string.gsub(string.lower(sni), "%.$", ""))
end

-- share draws one of the sections of a row by weight: "%10;7:one;3:two".
local function share(row)
	local total, list = string.match(row, "^%%(%d+)(.*)$")
	if not total then
		return row
	end
	local draw = math.random(0, tonumber(total) - 1)
	for weight, section in string.gmatch(list, ";(%d+):([^;]*)") do
		draw = draw - tonumber(weight)
		if draw < 0 then
			return section
		end
	end
	return "-"
end

-- stream says which section takes a connection, by the rows of its port, and where a
-- server name is asked for by that. Nothing is said where nobody does.
core.register_action("stream", { "tcp-req" }, function(txn, before, what)
	local name = ""
	if what == "hello" then
		name = plain(txn.f:req_ssl_sni())
	elseif what == "handshake" then
		name = plain(txn.f:ssl_fc_sni())
		before = before .. txn.f:so_name() .. "|"
	end
	local row = covering(before, name)
	local section = row and share(row)
	if section and section ~= "-" then
		txn:set_var("txn.to", section)
	end
end, 2)
