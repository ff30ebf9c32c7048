package goproxy_test

import (
	"net/http"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
)

// BenchmarkRequest is one request over a kept connection, to a backend in the
// same process and back.
func BenchmarkRequest(b *testing.B) {
	for _, direct := range []bool{true, false} {
		name := map[bool]string{true: "direct", false: "proxied"}[direct]
		b.Run(name, func(b *testing.B) {
			r := newRig(b)
			backend := serve(b, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
			addr := r.listen("http")
			r.route("http", &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1, backend))})
			r.must()
			if direct {
				addr = backend
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				client := plain(b)
				for pb.Next() {
					if err := askOnce(client, addr); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
