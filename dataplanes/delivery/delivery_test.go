package delivery_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/server"
	"github.com/sluice-gateway/sluice/ir"
)

// TestASetServes: from the operator to a request, over real TLS and the real
// proxy.
func TestASetServes(t *testing.T) {
	c := newCluster(t)
	o := c.start(t, "127.0.0.1:0", nil)
	o.Lead(1)
	port := freePort(t)
	first := unit(port, answering(t, "one"))
	o.Set(server.Set{Unit: first, Version: "v1", SessionKey: "k"})
	c.pod("a", gateway)
	c.runPod(t, "a", nil, o.addr)
	o.runs("a", "v1")
	if got := get(port, "/0"); got != "one" {
		t.Fatalf("the proxy answers %q", got)
	}
	// Another endpoint, of the same version.
	moved := &ir.Unit{Proxy: first.Proxy, Endpoints: []*ir.Endpoints{endpoints(first.Endpoints[0].Key, answering(t, "two"))}}
	o.Set(server.Set{Unit: moved, Version: "v1", SessionKey: "k"})
	wait.For(t, "the other endpoint answers", func() bool { return get(port, "/0") == "two" })
	// Another route.
	more := unit(port, answering(t, "one"), answering(t, "three"))
	o.Set(server.Set{Unit: more, Version: "v2", SessionKey: "k"})
	o.runs("a", "v2")
	if got := get(port, "/1"); got != "three" {
		t.Fatalf("the proxy answers %q", got)
	}
}
