package load

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/test/bench/backend"
)

const wrkGood = `Running 2s test @ http://localhost:1/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.10ms  110.00us  10.00ms   99.00%
  Latency Distribution
     50%  990.00us
     75%    1.20ms
     90%    1.50ms
     99%    2.50ms
  59000 requests in 2.01s, 8.00MB read
Requests/sec:  29500.00
`

func TestParseWrk(t *testing.T) {
	got, err := parseWrk(wrkGood)
	want := Result{Requests: 59000, Seconds: 2.01, P50: 990, P99: 2500}
	if err != nil || got != want {
		t.Errorf("parseWrk = %+v, %v; want %+v", got, err, want)
	}
	for _, wrong := range []string{"  Socket errors: connect 0, read 3, write 0, timeout 0\n", "  Non-2xx or 3xx responses: 7\n"} {
		if got, err := parseWrk(wrkGood + wrong); err != nil || !strings.Contains(got.Failed, strings.TrimSpace(wrong)) {
			t.Errorf("with %q: %+v, %v; want a failed round", wrong, got, err)
		}
	}
	if got, err := parseWrk(strings.Replace(wrkGood, "59000", "0", 1)); err != nil || got.Failed == "" {
		t.Errorf("no requests: %+v, %v; want a failed round", got, err)
	}
	if _, err := parseWrk("unable to connect"); err == nil {
		t.Error("no error where wrk has said nothing")
	}
}

const h2loadGood = "requests: 3 total, 3 started, 3 done, 3 succeeded, 0 failed, 0 errored, 0 timeout\n"

func TestParseH2load(t *testing.T) {
	journal := "1000\t200\t300\n1001\t200\t100\n1002\t200\t200\n"
	got, err := parseH2load(h2loadGood, strings.NewReader(journal), 2*time.Second)
	want := Result{Requests: 3, Seconds: 2, P50: 200, P99: 300}
	if err != nil || got != want {
		t.Errorf("parseH2load = %+v, %v; want %+v", got, err, want)
	}
	bad := map[string][2]string{
		"status": {h2loadGood, "1\t503\t1\n"}, "errored": {strings.Replace(h2loadGood, "0 errored", "1 errored", 1), ""},
		"nothing": {strings.Replace(h2loadGood, "3 succeeded", "0 succeeded", 1), ""},
	}
	for name, b := range bad {
		if got, err := parseH2load(b[0], strings.NewReader(b[1]), time.Second); err != nil || got.Failed == "" {
			t.Errorf("%s: %+v, %v; want a failed round", name, got, err)
		}
	}
	if _, err := parseH2load(h2loadGood, strings.NewReader("1 2\n"), time.Second); err == nil {
		t.Error("no error for half a line")
	}
}

func TestWrkScript(t *testing.T) {
	dir := t.TempDir()
	if path, err := wrkScript(Run{Dir: dir}); path != "" || err != nil {
		t.Errorf("a plain run has the script %q, %v", path, err)
	}
	path, err := wrkScript(Run{Dir: dir, Paths: []string{"/a", "/b"}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), "wrk.format") != 2 {
		t.Errorf("script %q, %v", text, err)
	}
}

func TestUDP(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() { _ = backend.UDP(conn) }()
	run := Run{URL: conn.LocalAddr().String(), Clients: 2, Duration: 50 * time.Millisecond}
	got, err := UDP(t.Context(), run)
	if err != nil || got.Failed != "" || got.Requests == 0 {
		t.Errorf("UDP = %+v, %v", got, err)
	}
}

func TestIdle(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = backend.HTTP1(l) }()
	idle, err := Open(t.Context(), Idlers{Address: l.Addr().String(), Count: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	if len(idle.conns) != 100 {
		t.Errorf("%d connections, want 100", len(idle.conns))
	}
	if err := idle.Alive(); err != nil {
		t.Error(err)
	}
	idle.conns[7].Close()
	if idle.Alive() == nil {
		t.Error("a closed connection counts as alive")
	}
	l.Close()
	if _, err := Open(context.Background(), Idlers{Address: l.Addr().String(), Count: 100}); err == nil {
		t.Error("no error where nothing listens")
	}
}
