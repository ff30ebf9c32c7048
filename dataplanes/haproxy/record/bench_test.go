package record

import (
	"io"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/agent/records"
	"github.com/sluice-gateway/sluice/ir"
	haproxy "github.com/sluice-gateway/sluice/translators/haproxy"
)

// BenchmarkLine is what this program does for a request that HAProxy has served.
func BenchmarkLine(b *testing.B) {
	all := records.New(dataplanes.Options{AccessLog: io.Discard})
	defer all.Close()
	u := newUnit(all)
	u.Use(haproxy.Translate(&ir.Unit{Proxy: &ir.Proxy{Settings: ir.Settings{AccessLog: ir.AccessLog{Enabled: true}}}}, haproxy.Target{}, nil))
	text := written(map[haproxy.LogField]string{
		haproxy.LogKind: haproxy.LogOfRequest, haproxy.LogTime: "1763683200123456", haproxy.LogDoor: "tcp_80", haproxy.LogClient: "10.1.2.3",
		haproxy.LogMethod: "GET", haproxy.LogHost: "shop.example", haproxy.LogPath: "/cart/items/17", haproxy.LogProtocol: "1",
		haproxy.LogStatus: "200", haproxy.LogBytes: "5120", haproxy.LogBytesIn: "312", haproxy.LogMillis: "3", haproxy.LogListener: "infra/gw/http",
		haproxy.LogTo: "shop_cart_80_http1_jk7r552vanv4lr2estz3hinx|HTTPRoute/shop/cart/2|5", haproxy.LogServer: "10.0.0.1_8080", haproxy.LogRetries: "0",
		haproxy.LogEnd: "--", haproxy.LogTLS: "0", haproxy.LogRequestID: "5b0a9c3e-7c1f-4b8e-9d53-2f0b8a6a4a11", haproxy.LogUserAgent: "curl/8.14.1",
	}) + "\n"
	b.ReportAllocs()
	b.ResetTimer()
	u.scan(&worker{line: text, left: b.N})
}

// worker writes a line again and again.
type worker struct {
	line string
	left int
}

func (w *worker) Read(p []byte) (n int, err error) {
	for w.left > 0 && len(p)-n >= len(w.line) {
		n += copy(p[n:], w.line)
		w.left--
	}
	if n == 0 {
		err = io.EOF
	}
	return n, err
}
