package goproxy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/ir"
)

// TestLoopsEnd has a rule whose backend, mirror or authorization server is its
// own Gateway. Nothing else would end such a request.
func TestLoopsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		filters func(self ir.BackendKey) []ir.Filter
		want    int
	}{
		"backend": {func(ir.BackendKey) []ir.Filter { return nil }, 508},
		"mirror": {func(self ir.BackendKey) []ir.Filter {
			return []ir.Filter{{Mirror: &ir.Mirror{Backend: self, Numerator: 1, Denominator: 1}}}
		}, 508},
		"marks taken off": {func(ir.BackendKey) []ir.Filter {
			return []ir.Filter{{RequestHeaders: &ir.HeaderEdit{Remove: []string{"CDN-Loop"}}}}
		}, 508},
		"authorization": {func(self ir.BackendKey) []ir.Filter {
			return []ir.Filter{{ExternalAuth: &ir.ExternalAuth{Backend: self}}}
		}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			addr := r.listen("http")
			self := r.backend("self", ir.BackendHTTP1, addr)
			r.route("http", &ir.Rule{Backends: to(self), Filters: c.filters(self)})
			r.must()
			if got := get(t, plain(t), "http://"+addr+"/"); got.status != c.want {
				t.Errorf("got %d, want %d", got.status, c.want)
			}
		})
	}
}

// TestOtherTrailsPass keeps what CDNs in front have written.
func TestOtherTrailsPass(t *testing.T) {
	_, addr := mirrorRig(t, ir.Limits{})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/", nil)
	req.Header.Set("CDN-Loop", "other")
	seen := read(t, do(t, plain(t), req))
	trails := seen.Header["Cdn-Loop"]
	if len(trails) != 2 || trails[0] != "other" || !strings.HasPrefix(trails[1], "sluice-") {
		t.Errorf("the backend saw %q", trails)
	}
}

// TestSeriesGoWithTheirGateway holds for those of the last table, too.
func TestSeriesGoWithTheirGateway(t *testing.T) {
	r := newRig(t)
	addr := r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1, named(t, "b")))})
	r.must()
	get(t, plain(t), "http://"+addr+"/")
	series := func() int {
		return strings.Count(get(t, plain(t), "http://"+r.admin.String()+"/metrics").body, "requests_total{")
	}
	wait.For(t, "a series", func() bool { return series() == 1 })
	r.local.Remove(gateway)
	wait.For(t, "an end of the series", func() bool { return series() == 0 })
}
