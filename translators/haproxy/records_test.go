package haproxy

import (
	"encoding/binary"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
)

// inRecords writes a hello in records of so many bytes.
func inRecords(hello []byte, size int) []byte {
	var all []byte
	for rest := hello[5:]; len(rest) > 0; {
		n := min(size, len(rest))
		all = append(binary.BigEndian.AppendUint16(append(all, hello[:3]...), uint16(n)), rest[:n]...) //nolint:gosec // A record is bounded.
		rest = rest[n:]
	}
	return all
}

// TestHellosInManyRecords has hellos come in records of any size, and in pieces of any
// size.
func TestHellosInManyRecords(t *testing.T) {
	says := func(word string) net.Addr { return takes(t, func(c net.Conn) { _, _ = io.WriteString(c, word) }) }
	c := streamed(t, ir.Settings{}, nil, map[*ir.Listener]net.Addr{passing("a.example"): says("a"), passing("*"): says("rest")})
	for _, size := range []int{1, 2, 3, 4, 5, 7, 100, 16384} {
		for _, piece := range []int{1, 3, 6, 11, 1 << 16} {
			connection := dialed(t, c, 443)
			for rest := inRecords(helloFor(t, "a.example"), size); len(rest) > 0; {
				n := min(piece, len(rest))
				if _, err := connection.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			_ = connection.(*net.TCPConn).CloseWrite() //nolint:errcheck,forcetypeassert // It is one of TCP.
			if got := ends(connection); got != "a" {
				t.Errorf("in records of %d and pieces of %d bytes it is led to %q", size, piece, got)
			}
			_ = connection.Close()
		}
	}
}

// tinyRecords has the script read a hello of 30,000 bytes, each of them in a record of
// its own and come by itself, and says how much memory it takes in all, in KiB.
const tinyRecords = `
local act
core = { register_action = function(_, _, f) act = f end }
Map = { _str = 0, new = function() return { lookup = function() return nil end } end }
dofile("stream.lua")
local hello = "\1" .. string.pack(">I3", 30000) .. string.rep("x", 30000)
local all = string.gsub(hello, ".", function(c) return "\22\3\1\0\1" .. c end)
local kept, came, asked = nil, 0, 0
local txn = {
  get_priv = function() return kept end, set_priv = function(_, v) kept = v end,
  set_var = function(_, name) if name == "txn.asked" then asked = asked + 1 end end,
  req = { input = function() return came end, data = function(_, from) return string.sub(all, from + 1, came) end },
}
collectgarbage()
collectgarbage("stop")
local before = collectgarbage("count")
for at = 6, #all, 6 do
  came = at
  act(txn, "x", "hello")
end
local took = math.floor(collectgarbage("count") - before)
io.stdout:write("asked " .. asked .. " took " .. (took < 20000 and "little" or took) .. "\n")
`

// TestTinyRecordsCostLittle shows that what a hello costs does not grow with the square
// of its records.
func TestTinyRecordsCostLittle(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, streamScript), streamSource)
	write(t, filepath.Join(dir, "tiny.lua"), tinyRecords)
	write(t, filepath.Join(dir, "haproxy.cfg"), "global\n  lua-load tiny.lua\n")
	said, _ := exec.CommandContext(t.Context(), program(t), "-c", "-C", dir, "-f", "haproxy.cfg").CombinedOutput() //nolint:gosec // Whoever runs the tests says which; without a listener it would not start.
	if !strings.Contains(string(said), "asked 1 took little\n") {
		t.Errorf("it says %s", said)
	}
}
