package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/agent/records"
	"github.com/sluice-gateway/sluice/ir"
	haproxy "github.com/sluice-gateway/sluice/translators/haproxy"
)

// written is a line as HAProxy writes it.
func written(fields map[haproxy.LogField]string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range haproxy.LogFields {
		if i > 0 {
			b.WriteString(", ")
		}
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(fields[i])
		_, _ = fmt.Fprintf(&b, `"%s": "%s"`, haproxy.LogName, quoted)
	}
	return b.String() + "}"
}

func TestLinesAreRead(t *testing.T) {
	var l line
	if !l.parse(written(map[haproxy.LogField]string{haproxy.LogHost: "a\"b\\c\td", haproxy.LogPath: "/gr\xfcn", haproxy.LogStatus: "200"})) {
		t.Fatal("it is not taken for a line")
	}
	if l[haproxy.LogHost] != "a\"b\\c\td" || l[haproxy.LogPath] != "/gr\xfcn" || l[haproxy.LogStatus] != "200" {
		t.Fatalf("have %q", l)
	}
	good := written(nil)
	for _, text := range []string{"", "x", "{}", good[:len(good)-1], good + " ", good + good, strings.Replace(good, `""`, `"`, 1)} {
		if l.parse(text) {
			t.Errorf("%q is taken for a line", text)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add(written(nil))
	f.Add(written(map[haproxy.LogField]string{haproxy.LogTo: "a_b_1_http1_x|HTTPRoute/a/b/0|", haproxy.LogServer: "fd00--1_80"}))
	f.Fuzz(func(_ *testing.T, text string) {
		var l line
		if l.parse(text) {
			e := newEvent()
			e.read(&l, &known{Led: haproxy.ParseLed(l[haproxy.LogTo])})
		}
		_ = lost(text)
	})
}

func TestEndpointsAreReadOffTheirServers(t *testing.T) {
	for server, want := range map[string]string{
		"10.0.0.7_8080": "10.0.0.7:8080", "10.0.0.7_8080_backup": "10.0.0.7:8080", "fd00--7_80": "[fd00::7]:80", "agent": "", "": "",
	} {
		if got := endpoint(server); got != want {
			t.Errorf("%q: have %q, want %q", server, got, want)
		}
	}
}

// TestTries is how many endpoints a request was sent to, and not how often the agent.
func TestTries(t *testing.T) {
	for _, c := range []struct {
		want                    int
		server, retries, served string
	}{
		{0, "", "0", ""},
		{1, "10.0.0.1_80", "0", ""},
		{3, "10.0.0.1_80", "+2", ""},
		{4, "", "+3", ""},
		{0, "agent", "0", ""},
		{0, "agent", "0", "answer_500||0"},
		{1, "agent", "0", "n_s_80_http1_x|10.0.0.1_80|0"},
		{3, "agent", "0", "n_s_80_http1_x|10.0.0.1_80|2"},
		{1, "agent", "+1", "n_s_80_http1_x|10.0.0.1_80|0"},
	} {
		var l line
		if !l.parse(written(map[haproxy.LogField]string{haproxy.LogServer: c.server, haproxy.LogRetries: c.retries, haproxy.LogServed: c.served})) {
			t.Fatal("it is not taken for a line")
		}
		e := newEvent()
		if e.read(&l, &known{}); e.entry.Tries != c.want {
			t.Errorf("%+v: %d tries", c, e.entry.Tries)
		}
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		want string
		with map[haproxy.LogField]string
	}{
		{"", map[haproxy.LogField]string{haproxy.LogEnd: "--"}},
		{"no_endpoints", map[haproxy.LogField]string{haproxy.LogEnd: "SC"}},
		{"connection_failure", map[haproxy.LogField]string{haproxy.LogEnd: "SC", haproxy.LogRetries: "+3"}},
		{"connection_failure", map[haproxy.LogField]string{haproxy.LogEnd: "sC", haproxy.LogServer: "10.0.0.1_80"}},
		{"invalid_backend_tls", map[haproxy.LogField]string{haproxy.LogEnd: "SC", haproxy.LogServer: "10.0.0.1_80", haproxy.LogTLS: "1"}},
		{"timeout", map[haproxy.LogField]string{haproxy.LogEnd: "sH"}},
		{"refused_rule", map[haproxy.LogField]string{haproxy.LogEnd: "LR", haproxy.LogFlag: "refused_rule"}},
	} {
		var l line
		if !l.parse(written(c.with)) || l.flagOf() != c.want {
			t.Errorf("%v: have %q, want %q", c.with, l.flagOf(), c.want)
		}
	}
}

// TestLostLinesAreTold is what HAProxy writes where its ring was full.
func TestLostLinesAreTold(t *testing.T) {
	for text, want := range map[string]int{"12 events dropped": 12, "1 event dropped": 1, "events dropped": 0, `{"v": "1 event dropped"}`: 0} {
		if got := lost(text); got != want {
			t.Errorf("%q: have %d, want %d", text, got, want)
		}
	}
}

func TestStatisticsAreRead(t *testing.T) {
	row := func(values map[int]string) string {
		all := make([]string, columns+10)
		for at, v := range values {
			all[at] = v
		}
		return strings.Join(all, ",") + "\n"
	}
	text := "# pxname,svname\n" +
		row(map[int]string{proxyName: "tcp_80", serverName: "FRONTEND", current: "3", deniedConnections: "2"}) +
		row(map[int]string{proxyName: "tcp_443_https", serverName: "FRONTEND", current: "5"}) +
		row(map[int]string{proxyName: "s", serverName: "10.0.0.1_80", state: "DOWN", timesDown: "4"}) +
		row(map[int]string{proxyName: "s", serverName: "BACKEND", current: "7"}) +
		row(map[int]string{proxyName: "answer_404", serverName: "BACKEND", current: "1"}) + "\n"
	got := read(text, map[string]string{"s": "shop/cart:80"})
	for s, want := range map[series]float64{
		{"connections", "80"}: 3, {"connections_refused_total", "80"}: 2, {metric: "active_requests"}: 7,
		{metric: "ejections_total"}: 4, {"ejected_endpoints", "shop/cart:80"}: 1,
	} {
		if got[s] != want {
			t.Errorf("%v: have %v, want %v", s, got[s], want)
		}
	}
	if len(got) != 5 {
		t.Errorf("have %v", got)
	}
}

// shelf keeps what is written.
type shelf struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *shelf) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// TestWorkersWriteBesideEachOther is a reload: an old worker's lines go on while a new
// one's begin, and what was written is read when the reading ends.
func TestWorkersWriteBesideEachOther(t *testing.T) {
	dir, log := t.TempDir(), &shelf{}
	all := records.New(dataplanes.Options{AccessLog: log})
	u, err := Listen(dir, all)
	if err != nil {
		t.Fatal(err)
	}
	u.Use(haproxy.Translate(&ir.Unit{Proxy: &ir.Proxy{Settings: ir.Settings{AccessLog: ir.AccessLog{Enabled: true}}}}, haproxy.Target{}, nil))
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			conn, err := net.DialTimeout("unix", filepath.Join(dir, haproxy.LogSocket), time.Second)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			for range 100 {
				_, _ = fmt.Fprintln(conn, written(map[haproxy.LogField]string{
					haproxy.LogKind: haproxy.LogOfRequest, haproxy.LogMethod: "GET", haproxy.LogStatus: "200", haproxy.LogListener: "d/gw/http",
					haproxy.LogTo: "shop_cart_80_http1_abc|HTTPRoute/shop/cart/2|1", haproxy.LogServer: "10.0.0.1_80", haproxy.LogRetries: "0",
				}))
			}
			_, _ = fmt.Fprintln(conn, "3 events dropped")
		})
	}
	workers.Wait()
	u.Close()
	all.Close()
	if n := all.Lost.Load(); n != 6 {
		t.Errorf("%d lines are lost", n)
	}
	lines := strings.Split(strings.TrimSpace(log.text.String()), "\n")
	var one map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &one); err != nil || len(lines) != 200 {
		t.Fatalf("%d lines, the first one %q: %v", len(lines), lines[0], err)
	}
	if one["backend"] != "shop/cart:80" || one["route"] != "HTTPRoute/shop/cart" || one["rule"] != float64(2) || one["endpoint"] != "10.0.0.1:80" {
		t.Errorf("have %v", one)
	}
}

// Only HAProxy may say what is in the log.
func TestTheSocketIsNobodyElses(t *testing.T) {
	dir, all := t.TempDir(), records.New(dataplanes.Options{})
	defer all.Close()
	u, err := Listen(dir, all)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	info, err := os.Stat(filepath.Join(dir, haproxy.LogSocket))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("its mode is %o", mode)
	}
}

// A worker that neither writes nor ends does not hold up who ends.
func TestAWorkerThatNeverEndsHoldsNobodyUp(t *testing.T) {
	dir, all := t.TempDir(), records.New(dataplanes.Options{})
	defer all.Close()
	u, err := Listen(dir, all)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialTimeout("unix", filepath.Join(dir, haproxy.LogSocket), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = fmt.Fprint(conn, "half a line")
	closed := make(chan struct{})
	go func() { u.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Fatal("it waits for the worker")
	}
}
