package record

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/dataplanes/internal/accesslog"
	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
	"github.com/sluice-gateway/sluice/ir"
	envoy "github.com/sluice-gateway/sluice/translators/envoy"
)

func reader(t testing.TB, out io.Writer) (u *Unit, end func()) {
	t.Helper()
	log := accesslog.New(out)
	metrics := admin.NewMetrics(prometheus.NewRegistry(), log.Dropped)
	metrics.LeaveToProxy()
	u = NewUnit(metrics, log)
	u.Use(envoy.Translate(&ir.Unit{Proxy: &ir.Proxy{Settings: ir.Settings{AccessLog: ir.AccessLog{Enabled: true}}}}, envoy.Target{}, nil))
	return u, func() { log.Close(t.Context()) }
}

func request(t testing.TB, agent string) string {
	t.Helper()
	return written(t, map[envoy.LogField]any{
		envoy.LogDoor: "80", envoy.LogKind: "DownstreamEnd", envoy.LogTime: "2026-11-20T19:29:08.442879000Z", envoy.LogMicros: 1500,
		envoy.LogMillis: 1, envoy.LogClient: "127.0.0.1", envoy.LogMethod: "GET", envoy.LogHost: "A.example:80", envoy.LogPath: "/a",
		envoy.LogProtocol: "HTTP/1.1", envoy.LogStatus: 200, envoy.LogBytes: 12, envoy.LogRoute: "a/gw/http HTTPRoute/a/web 0",
		envoy.LogCluster: "a/b/80/http1", envoy.LogEndpoint: "127.0.0.1:8080", envoy.LogTries: 1, envoy.LogRequestID: "1",
		envoy.LogUserAgent: agent, envoy.LogFlags: "-", envoy.LogDetails: "via_upstream",
	}) + "\n"
}

// TestLinesComeInAnyPieces, and what is no line, or too long for one, costs none of
// those around it.
func TestLinesComeInAnyPieces(t *testing.T) {
	one := request(t, "a\"}\n{")
	text := one + "nonsense\n" + one + strings.Repeat("x", longest+10) + "\n" + one
	for _, size := range []int{7, 1000, len(text)} {
		var out bytes.Buffer
		u, end := reader(t, &out)
		for at := 0; at < len(text); at += size {
			if n, err := u.Write([]byte(text[at:min(at+size, len(text))])); err != nil || n == 0 {
				t.Fatal(n, err)
			}
		}
		end()
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != 3 {
			t.Fatalf("pieces of %d: have %d lines, want 3:\n%.2000s", size, len(lines), out.String())
		}
		for _, line := range lines {
			var e accesslog.Entry
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.Host != "a.example" || e.UserAgent != "a\"}\n{" || e.Backend != "a/b:80" || *e.Rule != 0 {
				t.Errorf("%v: %s", err, line)
			}
		}
	}
}

// TestFlags maps Envoy's words to those of docs/metrics.md.
func TestFlags(t *testing.T) {
	for _, c := range []struct {
		want, details string
		of            envoy.Named
	}{
		{want: "", details: "via_upstream"},
		{want: "", details: "via_upstream", of: envoy.Named{Flag: "no_backend"}},
		{want: "no_backend", details: "direct_response", of: envoy.Named{Flag: "no_backend"}},
		{want: "no_route", details: "route_not_found"},
		{want: "no_endpoints", details: "no_healthy_upstream"},
		{want: "connection_failure", details: "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}"},
		{want: "connection_failure", details: "upstream_reset_before_response_started{connection_timeout}"},
		{want: "invalid_backend_tls", details: "upstream_reset_before_response_started{remote_connection_failure|TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED}"},
		{want: "backend_reset", details: "upstream_reset_before_response_started{connection_termination}"},
		{want: "backend_reset", details: "upstream_reset_before_response_started{protocol_error}"},
		{want: "cut_off", details: "upstream_reset_after_response_started{connection_termination}"},
		{want: "timeout", details: "max_duration_timeout"},
		{want: "timeout", details: "upstream_per_try_timeout"},
		{want: "client_gone", details: "downstream_remote_disconnect"},
		{want: "overloaded", details: "overload"},
		{want: "body_too_large", details: "request_payload_too_large"},
		{want: "long-head", details: "http1.headers_too_large"},
		{want: "filter", details: "lua_response"},
		{want: "filter", details: "ext_authz_denied"},
		{want: "invalid-scheme", details: "http1.invalid_scheme"},
		{want: "a-b", details: "x.A_\"\n}_b"},
	} {
		l := &line{}
		l[envoy.LogDetails] = c.details
		if got := l.flagOf(c.of); got != c.want {
			t.Errorf("%+v: have %q", c, got)
		}
	}
}

// What a line costs here is what a request costs beside Envoy.
func BenchmarkLine(b *testing.B) {
	u, end := reader(b, io.Discard)
	defer end()
	chunk := []byte(strings.Repeat(request(b, "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"), 64))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = u.Write(chunk)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/line")
}
