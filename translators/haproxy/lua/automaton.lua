-- Runs regular expressions as RE2 means them, in time that is linear in what they
-- are compared with: the states of a deterministic automaton are made as they are
-- met, and kept up to a bound. What is compared is a sequence of runes; an octet that
-- is none is U+FFFD. An expression is compared with the whole.
--
-- It is written as classes, a semicolon, and steps. Classes are "first:class" in
-- ascending order of first runes, each of which holds up to the next one; a class is
-- a number, and "w" or "n" where it is of letters of words or the end of a line:
--   0:0,a:1n,b:0
-- Steps are "a" (two ways on), "e" (a condition of the place), "r" (one rune of some
-- classes) and "m" (the end), in this order and from 0:
--   a<step>,<step>   e<step>,<condition>   r<step>,<class>,<class>...   m
-- Numbers are hexadecimal.

local M = {}
M.__index = M

-- The conditions of a place, as Go's regexp/syntax numbers them.
local BEGIN_LINE, END_LINE, BEGIN_TEXT, END_TEXT, WORD, NO_WORD = 1, 2, 4, 8, 16, 32

-- MOST_KEPT bounds what one expression keeps: the steps of its states, and their
-- transitions.
local MOST_KEPT = 20000
-- MOST_OF_ALL bounds the same of all expressions together.
local MOST_OF_ALL = 500000
-- MOST_WORK bounds the work of one request, which is counted in steps that are gone to
-- make states: some 0.1 s. STATE is what a state costs beside them, COMPARISON a
-- comparison, and OCTETS are compared for one.
local MOST_WORK = 300000
local STATE, COMPARISON, OCTETS = 12, 4, 5

local byte, find, sub = string.byte, string.find, string.sub

automaton = {}

-- kept is what the states of all expressions keep, and grown are those that have any.
local kept, grown = 0, {}

-- automaton.spend counts work of a request, and ends it where that is too much.
function automaton.spend(meter, work)
  meter.work = meter.work + work
  if meter.work > MOST_WORK then error("what the request is compared with takes too long") end
end

local EITHER, PLACE, RUNE, MATCH = byte("a"), byte("e"), byte("r"), byte("m")

-- steps reads the program: of each step its kind, where it goes on, and where else or
-- in which places. The classes of steps that want the same are one table.
local function steps(e, written)
  local ops, outs, others, wants, sets, count = {}, {}, {}, {}, {}, 0
  for op, out, other in string.gmatch(written, "(%a)(%x*),?([^;]*)") do
    ops[count], outs[count] = byte(op), tonumber(out, 16)
    if ops[count] == RUNE then
      local set = sets[other]
      if set == nil then
        set = {}
        for n in string.gmatch(other, "%x+") do set[tonumber(n, 16)] = true end
        sets[other] = set
      end
      wants[count] = set
    else
      others[count] = tonumber(other, 16)
    end
    count = count + 1
  end
  e.ops, e.outs, e.others, e.wants = ops, outs, others, wants
end

-- classes reads the first runes of ranges and what class each is of, and a table for
-- ASCII.
local function classes(e, written)
  e.firsts, e.of, e.ascii, e.kinds = {}, {}, {}, {}
  for first, class, kind in string.gmatch(written, "(%x+):(%x+)([wn]?)") do
    e.firsts[#e.firsts + 1] = tonumber(first, 16)
    class = tonumber(class, 16)
    e.of[#e.of + 1] = class
    e.kinds[class] = kind
  end
  for c = 0, 127 do e.ascii[c] = e:class(c) end
end

-- class returns a rune's.
function M:class(rune)
  local low, high = 1, #self.firsts
  while low < high do
    local middle = (low + high + 1) // 2
    if self.firsts[middle] <= rune then low = middle else high = middle - 1 end
  end
  return self.of[low]
end

function automaton.read(written)
  local at = find(written, ";", 1, true)
  local e = setmetatable({}, M)
  classes(e, sub(written, 1, at - 1))
  steps(e, sub(written, at + 1))
  e:forget()
  return e
end

-- forget lets go of all states.
function M:forget()
  kept = math.max(0, kept - (self.kept or 0))
  self.states, self.kept = {}, 0
  self.start = { set = { 0 }, kind = "t" }
end

-- forget_all lets go of those of all expressions.
local function forget_all()
  local all = grown
  grown = {}
  for _, e in ipairs(all) do
    e.grown = false
    e:forget()
  end
  kept = 0
end

-- state returns that of some steps after a rune of a kind: "t" is before the first,
-- and "" is any that no condition asks for.
function M:state(set, kind)
  local name = kind .. table.concat(set, ",")
  local s = self.states[name]
  if s == nil then
    s = { set = set, kind = kind, ends = nil }
    self.states[name] = s
    self.kept, kept = self.kept + 1 + #set, kept + 1 + #set
    if not self.grown then
      self.grown = true
      grown[#grown + 1] = self
    end
  end
  return s
end

-- place says which conditions hold between two runes.
local function place(before, after)
  local holds = 0
  if before == "t" then
    holds = holds | BEGIN_TEXT | BEGIN_LINE
  elseif before == "n" then
    holds = holds | BEGIN_LINE
  end
  if after == "t" then
    holds = holds | END_TEXT | END_LINE
  elseif after == "n" then
    holds = holds | END_LINE
  end
  if (before == "w") ~= (after == "w") then return holds | WORD end
  return holds | NO_WORD
end

-- reach returns the steps of one rune that can be reached from a state where a rune
-- of a kind follows, and whether the end can be.
function M:reach(s, after, meter)
  local ops, outs, others = self.ops, self.outs, self.others
  local holds, seen, todo, runes = place(s.kind, after), {}, table.move(s.set, 1, #s.set, 1, {}), {}
  local left, found, work, ends = #todo, 0, STATE, false
  while left > 0 do
    local i = todo[left]
    left = left - 1
    if not seen[i] then
      seen[i] = true
      work = work + 1
      local op = ops[i]
      if op == RUNE then
        found = found + 1
        runes[found] = i
      elseif op == EITHER then
        todo[left + 1], todo[left + 2] = others[i], outs[i]
        left = left + 2
      elseif op == MATCH then
        ends = true
      elseif op == PLACE and others[i] & ~holds == 0 then
        left = left + 1
        todo[left] = outs[i]
      end
    end
  end
  automaton.spend(meter, work)
  return runes, ends
end

-- follow makes the state that comes after another by a class.
function M:follow(s, class, meter)
  local kind, outs, wants = self.kinds[class], self.outs, self.wants
  local set, seen, count = {}, {}, 0
  for _, i in ipairs((self:reach(s, kind, meter))) do
    local out = outs[i]
    if wants[i][class] and not seen[out] then
      seen[out] = true
      count = count + 1
      set[count] = out
    end
  end
  table.sort(set)
  if self.kept >= MOST_KEPT or kept >= MOST_OF_ALL then
    if self.kept >= MOST_KEPT then self:forget() else forget_all() end
    s = self:state(s.set, s.kind)
  end
  local following = self:state(set, kind)
  s[class] = following
  self.kept, kept = self.kept + 1, kept + 1
  return following
end

-- rune decodes the one that begins at an octet above ASCII, and says where the next
-- begins.
local function rune(s, i)
  local c = byte(s, i)
  local size, least, value
  if c >= 0xC2 and c <= 0xDF then
    size, least, value = 1, 0x80, c & 0x1F
  elseif c >= 0xE0 and c <= 0xEF then
    size, least, value = 2, 0x800, c & 0x0F
  elseif c >= 0xF0 and c <= 0xF4 then
    size, least, value = 3, 0x10000, c & 0x07
  else
    return 0xFFFD, i + 1
  end
  for k = i + 1, i + size do
    local more = byte(s, k)
    if more == nil or more & 0xC0 ~= 0x80 then return 0xFFFD, i + 1 end
    value = value << 6 | more & 0x3F
  end
  if value < least or value > 0x10FFFF or value >= 0xD800 and value <= 0xDFFF then return 0xFFFD, i + 1 end
  return value, i + size + 1
end

-- matches reports whether the expression fits the whole of a text. Meter counts the
-- work of all comparisons of one request; another request may run wherever this one
-- is, so that nothing of a comparison is kept but in locals.
function M:matches(s, meter)
  local state, ascii, i, n = self.start, self.ascii, 1, #s
  while i <= n do
    local class = ascii[byte(s, i)]
    if class ~= nil then
      i = i + 1
    else
      class, i = rune(s, i)
      class = self:class(class)
    end
    state = state[class] or self:follow(state, class, meter)
    if #state.set == 0 then break end
  end
  automaton.spend(meter, COMPARISON + i // OCTETS)
  if #state.set == 0 then return false end
  if state.ends == nil then
    local _, ends = self:reach(state, "t", meter)
    state.ends = ends
  end
  return state.ends
end
