package goproxy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/ir"
)

func TestRequestReachesItsBackend(t *testing.T) {
	r := newRig(t)
	addr := r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("one", ir.BackendHTTP1, named(t, "one")))})
	r.must()
	for name, client := range map[string]*http.Client{"HTTP/1.1": plain(t), "h2c": h2c(t)} {
		t.Run(name, func(t *testing.T) {
			if got := get(t, client, "http://"+addr+"/x?y=1"); got.status != 200 || got.body != "one" {
				t.Errorf("got %d %q, want 200 %q", got.status, got.body, "one")
			}
		})
	}
	if got := get(t, plain(t), "http://"+r.admin.String()+"/readyz"); got.status != 200 {
		t.Errorf("readyz: %d, want 200", got.status)
	}
	want := `sluice_proxy_requests_total{class="2xx",listener="infra/gw/http",route="HTTPRoute/apps/route-0"} 2`
	wait.For(t, want, func() bool {
		return strings.Contains(get(t, plain(t), "http://"+r.admin.String()+"/metrics").body, want)
	})
	wait.For(t, "two lines in the access log", func() bool { return strings.Count(r.log.String(), "\n") == 2 })
	for _, part := range []string{`"path":"/x"`, `"status":200`, `"rule":0`, `"backend":"apps/one:80"`} {
		if !strings.Contains(r.log.String(), part) {
			t.Errorf("the access log lacks %s: %s", part, r.log)
		}
	}
}
