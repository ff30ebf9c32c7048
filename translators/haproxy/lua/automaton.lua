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
-- MOST_WORK bounds how many steps one request takes to make states.
local MOST_WORK = 1000000

local byte, find, sub = string.byte, string.find, string.sub

-- automaton.kept is what all expressions keep, those included that are forgotten.
automaton = { kept = 0 }

local function steps(written)
  local all, count = {}, 0
  for one in string.gmatch(written, "[^;]+") do
    local s = { op = sub(one, 1, 1), args = {} }
    for n in string.gmatch(sub(one, 2), "%x+") do s.args[#s.args + 1] = tonumber(n, 16) end
    if s.op == "r" then
      s.classes = {}
      for i = 2, #s.args do s.classes[s.args[i]] = true end
    end
    all[count], count = s, count + 1
  end
  return all, count
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
  local count
  e.steps, count = steps(sub(written, at + 1))
  automaton.kept = automaton.kept + count + #e.firsts + 128
  e:forget()
  return e
end

-- forget lets go of all states.
function M:forget()
  self.states, self.kept = {}, 0
  self.start = self:state({ 0 }, "t")
end

-- state returns that of some steps after a rune of a kind: "t" is before the first,
-- and "" is any that no condition asks for.
function M:state(set, kind)
  local name = kind .. table.concat(set, ",")
  local s = self.states[name]
  if s == nil then
    s = { set = set, kind = kind, ends = nil }
    self.states[name] = s
    self.kept = self.kept + 1 + #set
    automaton.kept = automaton.kept + 1 + #set
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
  local holds = place(s.kind, after)
  local seen, todo, runes, ends = {}, {}, {}, false
  for i = #s.set, 1, -1 do todo[#todo + 1] = s.set[i] end
  while #todo > 0 do
    local i = todo[#todo]
    todo[#todo] = nil
    if not seen[i] then
      seen[i] = true
      local step = self.steps[i]
      meter.work = meter.work + 1
      if step.op == "r" then
        runes[#runes + 1] = step
      elseif step.op == "m" then
        ends = true
      elseif step.op == "a" then
        todo[#todo + 1] = step.args[1]
        todo[#todo + 1] = step.args[2]
      elseif step.op == "e" and step.args[2] & ~holds == 0 then
        todo[#todo + 1] = step.args[1]
      end
    end
  end
  return runes, ends
end

-- follow makes the state that comes after another by a class.
function M:follow(s, class, meter)
  local kind = self.kinds[class]
  local runes = self:reach(s, kind, meter)
  local set, seen = {}, {}
  for _, step in ipairs(runes) do
    local out = step.args[1]
    if step.classes[class] and not seen[out] then
      seen[out] = true
      set[#set + 1] = out
    end
  end
  table.sort(set)
  if meter.work > MOST_WORK then error("expressions take too long") end
  if self.kept >= MOST_KEPT then
    self:forget()
    s = self:state(s.set, s.kind)
  end
  local following = self:state(set, kind)
  s[class] = following
  self.kept, automaton.kept = self.kept + 1, automaton.kept + 1
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
-- calls a function, so that nothing of a comparison is kept but in locals.
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
    if #state.set == 0 then return false end
  end
  if state.ends == nil then
    local _, ends = self:reach(state, "t", meter)
    state.ends = ends
  end
  return state.ends
end

