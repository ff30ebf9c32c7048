package goproxy_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/ir"
)

// TestEncodedSlashes holds for the authorization server as for the backend: both
// see the path that was matched.
func TestEncodedSlashes(t *testing.T) {
	r := newRig(t)
	addr := r.listen("http")
	r.route("http", &ir.Rule{
		Filters:  []ir.Filter{{ExternalAuth: &ir.ExternalAuth{Backend: r.backend("auth", ir.BackendHTTP1, named(t, "yes")), PathPrefix: "/check"}}},
		Backends: to(r.backend("b", ir.BackendHTTP1, mirrorOf(t))),
	})
	for _, keep := range []bool{false, true} {
		r.unit.Proxy.Settings.Path.KeepEncodedSlashes = keep
		r.must()
		got := get(t, plain(t), "http://"+addr+"/group%2fproject")
		if !keep {
			if got.status != 400 {
				t.Errorf("refused: got %d, want 400", got.status)
			}
			continue
		}
		if got.status != 200 {
			t.Fatalf("kept: got %d, want 200", got.status)
		}
		if seen := read(t, got); seen.URI != "/group%2Fproject" {
			t.Errorf("kept: the backend saw %q", seen.URI)
		}
		if got := get(t, plain(t), "http://"+addr+"/a%2f..%2fb"); got.status != 400 {
			t.Errorf("dots: got %d, want 400", got.status)
		}
	}
}
