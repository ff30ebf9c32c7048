package parity

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/operator/source/dir/schema"
)

// nasty is what clients write to break a log: ends of lines and of strings, what
// is no UTF-8, what is none in JSON or HTML.
const nasty = "a\"}{\"status\":200,\\\" \t</script>&\xff\xfe \xe2\x80\xa8 \xc3\xbc"

// sent are bytes for a port.
type sent struct {
	name, text string
	port       int
	// network is "tcp" unless it is said, and name the SNI of a hello that is sent in
	// place of the text.
	network, sni string
	// gone has the client leave before it is answered.
	gone bool
	// cut has it end its connection with a reset.
	cut bool
	// none is true where nothing is logged.
	none bool
	// but are fields that may differ: docs/metrics.md says how.
	but []string
}

// ownFields are fields that differ for one dataplane, as docs/metrics.md says: of every
// line, or of the line of one name.
var ownFields = map[string]map[string][]string{"haproxy": {
	"": {"bytes"},
	// It waits between tries. Where the client has gone meanwhile, it may say so; where
	// not, the endpoint is left out in the end, and no server is the last.
	"stream without a connection": {"flags", "tries", "bytes_in", "endpoint"},
}}

// ownSeries are the beginnings of series that differ for one dataplane.
var ownSeries = map[string][]string{"haproxy": {
	"sluice_proxy_eject", "sluice_proxy_memory_pressed", "sluice_proxy_streams_total{listener=default/gw/tcp-dead",
	"sluice_proxy_stream_bytes_total{direction=to_backend,listener=default/gw/tcp-dead",
}}

func get(path string, fields ...string) string {
	host := "Host: a.example\r\n"
	if len(fields) > 0 && strings.HasPrefix(fields[0], "Host:") {
		host = ""
	}
	return "GET " + path + " HTTP/1.1\r\n" + host + strings.Join(append(fields, "X-Parity-Size: 1000", "Connection: close"), "\r\n") + "\r\n\r\n"
}

var records = []sent{
	{name: "plain", text: get("/ok/a?query=secret", "User-Agent: test/1")},
	{name: "nasty", text: get("/ok", "User-Agent: "+nasty)},
	{name: "nasty path", text: get("/ok/%22%7d%0a%ff/<b>")},
	{name: "long", text: get("/ok", "User-Agent: "+strings.Repeat("\"", 50_000)), but: []string{"user_agent"}},
	{name: "too long", text: get("/ok", "User-Agent: "+strings.Repeat("x", 65_536)), but: []string{"method"}},
	{name: "host", text: get("/ok", "Host: A.Example.:80")},
	{name: "body", text: "POST /ok HTTP/1.1\r\nHost: a.example\r\nX-Parity-Size: 10\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"},
	{name: "head", text: "HEAD /ok HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"},
	{name: "status", text: get("/ok", "X-Parity-Status: 418")},
	{name: "rewrite", text: get("/rewrite/a?b")},
	{name: "redirect", text: get("/redirect")},
	{name: "no route", text: get("/else")},
	{name: "no route of the host", text: get("/ok", "Host: b.example")},
	{name: "no listener", text: get("/ok", "Host: b.other")},
	{name: "no backend", text: get("/nobody")},
	{name: "missing backend", text: get("/missing")},
	{name: "no endpoints", text: get("/empty")},
	{name: "no connection", text: get("/dead"), but: []string{"tries", "endpoint"}},
	{name: "reset", text: get("/close"), but: []string{"tries"}},
	{name: "slow", text: get("/slow", "X-Parity-Delay: 30s")},
	{name: "retried", text: get("/retry", "X-Parity-Id: retried", "X-Parity-Fail: 1 503")},
	// Nobody sees what a client that has gone is sent.
	{name: "gone", text: get("/ok", "X-Parity-Delay: 30s"), gone: true, but: []string{"bytes"}},
	{name: "no host", text: "GET /ok HTTP/1.1\r\n\r\n"},
	{name: "no request", text: "\x16\x03nonsense\r\n\r\n", but: []string{"flags"}},
	{name: "stream", text: "hello", port: 9001},
	{name: "stream cut off", port: 9001, cut: true},
	{name: "stream without a backend", text: "hello", port: 9002},
	{name: "stream without a connection", text: "hello", port: 9003},
	{name: "session", text: "hello", port: 9004, network: "udp"},
	{name: "hello", sni: "a.example", port: 9006},
	{name: "hello of nobody", sni: "a.other", port: 9006},
	{name: "datagram of nobody", text: "hello", port: 9005, network: "udp", none: true},
}

// TestRecordsAreAlike sends the same bytes to each dataplane: all say the same of
// them in the access log, and count in the same series.
func TestRecordsAreAlike(t *testing.T) {
	want := recordsOf(t, "go")
	for _, plane := range []string{"envoy", "haproxy"} {
		t.Run(plane, func(t *testing.T) {
			needs(t, plane)
			got := recordsOf(t, plane)
			for _, s := range records {
				if diff := cmp.Diff(shared(plane, s.name, want), shared(plane, s.name, got)); diff != "" {
					t.Errorf("%s: the access log (-go +%s):\n%s", s.name, plane, diff)
				}
			}
			if diff := cmp.Diff(sharedSeries(plane, want), sharedSeries(plane, got)); diff != "" {
				t.Errorf("series (-go +%s):\n%s", plane, diff)
			}
		})
	}
}

// shared are lines without the fields that differ for a dataplane.
func shared(plane, of string, said recorded) []map[string]any {
	var all []map[string]any
	for _, line := range said.lines[of] {
		line = maps.Clone(line)
		for _, name := range slices.Concat(ownFields[plane][""], ownFields[plane][of]) {
			delete(line, name)
		}
		all = append(all, line)
	}
	return all
}

// sharedSeries are series without those that differ for a dataplane.
func sharedSeries(plane string, said recorded) map[string]float64 {
	all := maps.Clone(said.series)
	maps.DeleteFunc(all, func(name string, _ float64) bool {
		return slices.ContainsFunc(ownSeries[plane], func(p string) bool { return strings.HasPrefix(name, p) })
	})
	return all
}

// recorded is what one dataplane said.
type recorded struct {
	lines  map[string][]map[string]any
	series map[string]float64
}

func recordsOf(t *testing.T, plane string) recorded {
	t.Helper()
	manifest, err := os.ReadFile("testdata/records.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWorld(t.TempDir(), "sluice.dev/"+plane)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	if err := firstError(w.apply(string(manifest)), w.write()); err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	proxy, err := StartProxy(ProxyOptions{
		Dataplane: known[plane], Controller: w.controller, Catalog: schema.NewCatalog(),
		Directory: w.dir, Address: w.address, Resolve: w.resolve, Metrics: registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := proxy.Stop(); err != nil {
			t.Error(err)
		}
	}()
	p := &play{world: w, proxy: proxy}
	if err := p.programmed(t.Context()); err != nil {
		t.Fatal(err)
	}
	out := recorded{lines: map[string][]map[string]any{}}
	for _, s := range records {
		out.lines[s.name] = logOf(t, p, s)
	}
	for deadline := time.Now().Add(patience / 2); time.Now().Before(deadline); pause() {
		// A datagram that leads nowhere is told of by nothing else.
		if out.series = seriesOf(t, registry); out.series["sluice_proxy_datagrams_dropped_total{port=9005,reason=no_route}"] > 0 {
			break
		}
	}
	return out
}

// logOf sends and returns what the log says of it.
func logOf(t *testing.T, p *play, s sent) []map[string]any {
	t.Helper()
	before := len(linesFrom(p, 0))
	if s.port == 0 {
		s.port = 80
	}
	exchange(t, net.JoinHostPort(p.world.address, strconv.Itoa(s.port+portOffset)), s)
	var lines []string
	for deadline := time.Now().Add(patience / 2); len(lines) == 0 && !s.none && time.Now().Before(deadline); pause() {
		lines = linesFrom(p, before)
	}
	all := make([]map[string]any, 0, len(lines))
	for _, line := range lines {
		fields := fieldsOf(t, line)
		for _, name := range s.but {
			delete(fields, name)
		}
		all = append(all, fields)
	}
	return all
}

// exchange sends, and waits for the end of what is answered.
func exchange(t *testing.T, address string, s sent) {
	t.Helper()
	conn, err := net.Dial(or(s.network, "tcp"), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if s.sni != "" {
		// What answers speaks no TLS: the handshake fails, whoever answers.
		_ = tls.Client(conn, &tls.Config{ServerName: s.sni}).Handshake() //nolint:gosec // Nothing is believed.
	}
	_, _ = io.WriteString(conn, s.text)
	switch {
	case s.cut:
		_, _ = bufio.NewReader(conn).ReadString('\n')
		_ = conn.(*net.TCPConn).SetLinger(0)
		return
	case s.gone:
		time.AfterFunc(100*time.Millisecond, func() { conn.Close() })
	case s.network == "udp" && !s.none:
		_, _ = conn.Read(make([]byte, 1000))
		return
	case s.network == "udp":
		return
	case s.port != 80:
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	_, _ = io.Copy(io.Discard, conn)
}

func linesFrom(p *play, at int) []string {
	texts, _ := p.proxy.AccessLog(0)
	var all []string
	for _, text := range texts {
		all = append(all, strings.Split(text, "\n")...)
	}
	return all[min(at, len(all)):]
}

// fieldsOf reads a line, and looks at what differs each time.
func fieldsOf(t *testing.T, line string) map[string]any {
	t.Helper()
	fields := map[string]any{}
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	began, err := time.Parse(time.RFC3339Nano, fmt.Sprint(fields["time"]))
	if err != nil || time.Since(began).Abs() > time.Hour {
		t.Errorf("time is %v", fields["time"])
	}
	if ms, ok := fields["duration_ms"].(float64); !ok || ms < 0 || ms > 60_000 {
		t.Errorf("duration_ms is %v", fields["duration_ms"])
	}
	if endpoint, ok := fields["endpoint"].(string); ok {
		host, _, err := net.SplitHostPort(endpoint)
		if err != nil || !strings.HasPrefix(host, "127.") {
			t.Errorf("endpoint is %q", endpoint)
		}
		fields["endpoint"] = "one"
	}
	if id, ok := fields["request_id"].(string); ok && len(id) != 36 {
		t.Errorf("request_id is %q", id)
	}
	delete(fields, "request_id")
	delete(fields, "time")
	delete(fields, "duration_ms")
	return fields
}

// notShared are the series that are not compared: those of the process, and those that
// docs/metrics.md says not every proxy has.
var notShared = []string{
	// How many connections are open is known a moment later, and how often a backend
	// is tried that does not answer is each proxy's own.
	"sluice_proxy_connections", "sluice_proxy_active_streams", "sluice_proxy_upstream_retries_total",
	"sluice_proxy_share_", "sluice_proxy_mirrors_dropped_total", "sluice_proxy_panics_total", "sluice_proxy_retry_buffer_full_total",
}

func seriesOf(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "sluice_proxy_") || slices.ContainsFunc(notShared, func(p string) bool { return strings.HasPrefix(f.GetName(), p) }) {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			all[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = value
		}
	}
	return all
}
