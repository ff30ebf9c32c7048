-- What HAProxy leaves to others about servers. It runs in one state that all threads
-- share, as little of it runs for requests.
--
-- Ejection. HAProxy marks a server down whose connections have failed so often in a
-- row ("observe layer4"), and looks from time to time whether it can be connected to
-- again. What it does not do by itself: it would begin with looking at all servers
-- when it starts, it would leave out any share of them, and where all are left out it
-- would answer 503 for as long as one is left out.
--
-- Turns. Requests without a key of a consistent hash go to one server after the
-- other.

local rows = Map.new("routes.map", Map._str)

-- How much of a backend is left out at most, in percent, where no row says it.
local MOST = 50
-- How long nobody is asked where all have been left out, in milliseconds, and how
-- often until the wait is ten times as long. The last wait is the longest.
local FIRST, OFTEN, LONGEST = 100, 20, 10000
-- How long connecting may take then, in seconds.
local PATIENCE = 1

-- Sections whose servers are all left out, and which are looked at for that.
local watched = {}
-- The servers of sections that take turns.
local turns = {}

local function is_out(server)
  return server:get_stats().status:sub(1, 4) == "DOWN"
end

-- Whether requests may be led to a server, unless it is out: it is not about to be
-- taken away, and not there for its sessions alone.
local function takes(server)
  return tonumber(server:get_weight()) > 0 and server:get_stats().status:sub(1, 5) ~= "MAINT"
end

-- Counts the servers of a section that take requests, those that are used before the
-- others and those that are backups, and how many of them are out.
local function count(backend)
  local ranks = {[false] = {all = 0, out = 0}, [true] = {all = 0, out = 0}}
  for _, server in pairs(backend.servers) do
    if takes(server) then
      local rank = ranks[server:is_backup()]
      rank.all = rank.all + 1
      if is_out(server) then
        rank.out = rank.out + 1
      end
    end
  end
  return ranks
end

local function all_out(ranks)
  return ranks[false].out == ranks[false].all and ranks[true].out == ranks[true].all
end

local function reached(server)
  local socket = core.tcp()
  socket:settimeout(PATIENCE)
  local address = server:get_addr()
  local host, port = address:match("^(.*):(%d+)$")
  local ok
  if host then
    ok = socket:connect(host, tonumber(port))
  else
    ok = socket:connect("unix@" .. address)
  end
  socket:close()
  return ok
end

-- Whether the process takes no connections any more. It ends with its last one, and
-- each that is made from here is one: HAProxy's own checks are left to look then.
local function is_ending()
  return core.get_info()["Stopping"] ~= 0
end

-- Takes those servers back that can be connected to, and reports whether there are
-- none yet, and somebody is to look again.
local function take_back(section)
  local backend = core.backends[section]
  if not backend or not all_out(count(backend)) then
    return false
  end
  for _, server in pairs(backend.servers) do
    if is_ending() then
      return false
    end
    if is_out(server) and reached(server) then
      server:check_force_up()
    end
  end
  return all_out(count(backend))
end

local function watch(section)
  if watched[section] then
    return
  end
  watched[section] = true
  core.register_task(function()
    local times, wait = 0, FIRST
    repeat
      core.msleep(wait)
      times = times + 1
      if times % OFTEN == 0 then
        wait = math.min(wait * 10, LONGEST)
      end
    until not take_back(section)
    watched[section] = nil
  end)
end

local function went_down(section, server)
  if not is_out(server) then
    return -- Somebody has taken it away.
  end
  local ranks = count(core.backends[section])
  local own, lower = ranks[server:is_backup()], ranks[true]
  local row = rows:lookup("ejection|" .. section) or ""
  local most = tonumber(row:match("^%d+")) or MOST
  if not server:is_backup() and lower.out < lower.all or own.out == own.all or own.out * 100 <= most * own.all then
    server:check_enable()
  else
    server:check_force_up()
  end
  if all_out(ranks) and not row:find("tls", 1, true) then
    watch(section)
  end
end

core.event_sub({"SERVER_DOWN", "SERVER_UP", "SERVER_ADD", "SERVER_DEL"}, function(event, about)
  local section = about.proxy_name
  turns[section] = nil
  local backend = core.backends[section]
  local server = backend and backend.servers[about.name]
  if not server then
    return
  end
  if event == "SERVER_DOWN" then
    went_down(section, server)
  elseif event == "SERVER_UP" then
    server:check_disable()
  end
end)

core.register_init(function()
  for _, backend in pairs(core.backends) do
    for _, server in pairs(backend.servers) do
      server:check_disable()
    end
  end
end)

-- The names of servers that are in use.
local function usable(backend)
  local ranks = {[false] = {}, [true] = {}}
  for name, server in pairs(backend.servers) do
    if takes(server) and not is_out(server) then
      table.insert(ranks[server:is_backup()], name)
    end
  end
  local names = #ranks[false] > 0 and ranks[false] or ranks[true]
  table.sort(names)
  return names
end

core.register_action("turn", {"http-req"}, function(txn)
  local section = txn.f:be_name()
  local turn = turns[section]
  if not turn then
    turn = {names = usable(core.backends[section]), at = 0}
    turns[section] = turn
  end
  if #turn.names > 0 then
    turn.at = turn.at % #turn.names + 1
    txn:set_var("txn.turn", turn.names[turn.at])
  end
end)
