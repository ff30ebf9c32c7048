package wire

import (
	"bufio"
	"context"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// FuzzDoor sends bytes through the door and looks at what is let in.
func FuzzDoor(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /a/../b?x=1?y HTTP/1.1\r\nHost: A.b.:80\r\nConnection: x-a, ,Upgrade\r\nX-A: 1\r\nUpgrade: WebSocket\r\n\r\n",
		"POST http://h/p HTTP/1.1\r\nHost: other\r\nTransfer-Encoding: chunked\r\nTrailer: X, Authorization\r\nTE: trailers, gzip\r\n\r\n0\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: [::1]:8\r\nX_Forwarded_For: 1\r\nX.Forwarded.For: 2\r\n\r\n",
		"OPTIONS * HTTP/1.0\r\n\r\n",
		"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
		"GET //h//x HTTP/1.1\r\nHost: \u212aey\r\nUpgrade: h2c\r\nConnection: upgrade, http2-settings\r\nHTTP2-Settings: x\r\n\r\n",
	} {
		f.Add(seed)
	}
	s := &Server{config: Config{Limits: ir.Limits{RequestHeaderBytes: 4096, RequestBodyBytes: 100}}}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), connKey{}, &exchange.Conn{}))
		if in := s.read(r); in.Refused == 0 {
			checkAdmitted(t, in.Request)
		}
	})
}

func checkAdmitted(t *testing.T, r *exchange.Request) {
	t.Helper()
	if !strings.HasPrefix(r.Path, "/") && (r.Path != "*" || r.Method != http.MethodOptions) {
		t.Errorf("path %q", r.Path)
	}
	if r.Host == "" || r.Host != strings.ToLower(r.Host) || strings.ContainsAny(r.Host, "/?#@\\ \t\r\n\x00") {
		t.Errorf("host %q", r.Host)
	}
	for _, field := range r.Header {
		name := textproto.CanonicalMIMEHeaderKey(field.Name)
		isTE := name == "Te" && field.Value == "trailers"
		if slices.Contains(hopByHop, name) && !isTE || disguised(name) {
			t.Errorf("%s: %s passed the door", field.Name, field.Value)
		}
	}
}
