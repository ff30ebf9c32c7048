package delivery_test

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/client"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/server"
	"github.com/sluice-gateway/sluice/ir"
)

// at is an address of the second loopback with the first one's port.
func at(second string, first netip.AddrPort) string {
	return netip.AddrPortFrom(netip.MustParseAddr(second), first.Port()).String()
}

// load asks a proxy again and again until stop, which returns the failures.
func load(t *testing.T, port uint16, want ...string) (stop func() []string) {
	t.Helper()
	var failures []string
	var asked atomic.Int64
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			got, ok := get(port, "/0"), false
			for _, w := range want {
				ok = ok || got == w
			}
			if !ok {
				failures = append(failures, got)
			}
			asked.Add(1)
		}
	})
	return func() []string {
		least := asked.Load() + 20
		wait.For(t, "requests are made", func() bool { return asked.Load() > least })
		close(done)
		wg.Wait()
		return failures
	}
}

// TestLeaderDies: the pod serves on, finds the next leader at another address,
// and gets from it nothing that it has.
func TestLeaderDies(t *testing.T) {
	c := newCluster(t)
	first := c.start(t, "127.0.0.1:0", nil)
	second := c.start(t, at("127.0.0.2", first.addr), nil)
	port := freePort(t)
	u := unit(port, answering(t, "one"))
	for _, o := range []*operator{first, second} {
		o.Set(server.Set{Unit: u, Version: "v1", SessionKey: "k"})
	}
	first.Lead(1)
	c.pod("a", gateway)
	c.runPod(t, "a", nil, first.addr, second.addr)
	first.runs("a", "v1")
	stop := load(t, port, "one", "two")
	first.stop()
	if got := get(port, "/0"); got != "one" {
		t.Errorf("without an operator the pod answers %q", got)
	}
	second.Lead(2)
	second.runs("a", "v1")
	second.Set(server.Set{Unit: unit(port, answering(t, "two")), Version: "v2", SessionKey: "k"})
	second.runs("a", "v2")
	if failed := stop(); len(failed) > 0 {
		t.Errorf("%d requests failed: %q", len(failed), failed[0])
	}
}

// TestLeaderDiesInAPush: with many sets under way the pod never runs half of one.
func TestLeaderDiesInAPush(t *testing.T) {
	c := newCluster(t)
	port := freePort(t)
	one, two := answering(t, "one"), answering(t, "two")
	var addr netip.AddrPort
	last := c.start(t, "127.0.0.1:0", nil)
	addr = last.addr
	last.Lead(1)
	last.Set(server.Set{Unit: many(port, one, 0), Version: "v0"})
	c.pod("a", gateway)
	c.runPod(t, "a", nil, addr)
	last.runs("a", "v0")
	// Both the first and the last route lead to one backend in each set.
	stop := load(t, port, "one", "two")
	for i := 1; i <= 5; i++ {
		target := one
		if i%2 == 1 {
			target = two
		}
		last.Set(server.Set{Unit: many(port, target, i), Version: fmt.Sprintf("v%d", i)})
		last.stop()
		last = c.start(t, addr.String(), nil)
		last.Set(server.Set{Unit: many(port, target, i), Version: fmt.Sprintf("v%d", i)})
		last.Lead(uint64(i + 1)) //nolint:gosec // It is small.
		last.runs("a", fmt.Sprintf("v%d", i))
	}
	if failed := stop(); len(failed) > 0 {
		t.Errorf("%d requests failed: %q", len(failed), failed[0])
	}
}

// many is a unit of many routes, all of which differ from one i to the next.
func many(port uint16, target netip.AddrPort, i int) *ir.Unit {
	backends := make([]netip.AddrPort, 300)
	for n := range backends {
		backends[n] = target
	}
	u := unit(port, backends...)
	for _, r := range u.Proxy.Routes {
		r.Rules[0].Timeouts.Request = ir.Duration(1e9 * int64(60+i))
	}
	return u
}

// TestTwoLeaders: a pod that is with the new leader stays with it when it meets
// the old one again, which still believes that it leads.
func TestTwoLeaders(t *testing.T) {
	c := newCluster(t)
	old := c.start(t, "127.0.0.1:0", nil)
	port := freePort(t)
	old.Set(server.Set{Unit: unit(port, answering(t, "old")), Version: "old"})
	old.Lead(1)
	c.pod("a", gateway)
	dir := t.TempDir()
	p := c.runPodIn(t, dir, "a", nil, old.addr)
	old.runs("a", "old")
	p.stop()
	newer := c.start(t, at("127.0.0.2", old.addr), nil)
	newer.Set(server.Set{Unit: unit(port, answering(t, "new")), Version: "new"})
	newer.Lead(2)
	// Whichever it meets first, it ends with the newer one, and stays.
	p = c.runPodIn(t, dir, "a", nil, newer.addr)
	newer.runs("a", "new")
	wait.For(t, "the set is kept", func() bool { return keptVersion(t, dir) == "new" })
	p.stop()
	wait.For(t, "the pod has left", func() bool { return !newer.report("a").Connected })
	c.runPodIn(t, dir, "a", nil, old.addr, newer.addr)
	newer.runs("a", "new")
	old.Set(server.Set{Unit: unit(port, answering(t, "older still")), Version: "older still"})
	if got := get(port, "/0"); got != "new" {
		t.Errorf("the pod serves what the %q leader says", got)
	}
}

// TestEndpointChurn: endpoints that change as fast as they can cost no request,
// and the last ones are in force in the end.
func TestEndpointChurn(t *testing.T) {
	c := newCluster(t)
	o := c.start(t, "127.0.0.1:0", nil)
	o.Lead(1)
	port := freePort(t)
	one, two := answering(t, "one"), answering(t, "two")
	u := unit(port, one)
	o.Set(server.Set{Unit: u, Version: "v1"})
	for _, name := range []string{"a", "b"} {
		c.pod(name, gateway)
	}
	c.runPod(t, "a", nil, o.addr)
	// A second pod that never answers does not matter to the first.
	c.dial(t, o.addr, "token-b").say(hello("b"))
	o.runs("a", "v1")
	stop := load(t, port, "one", "two")
	for i := range 500 {
		target := one
		if i%2 == 0 {
			target = two
		}
		o.Set(server.Set{Unit: &ir.Unit{Proxy: u.Proxy, Endpoints: []*ir.Endpoints{endpoints(u.Endpoints[0].Key, target)}}, Version: "v1"})
	}
	three := answering(t, "three")
	if failed := stop(); len(failed) > 0 {
		t.Errorf("%d requests failed: %q", len(failed), failed[0])
	}
	o.Set(server.Set{Unit: &ir.Unit{Proxy: u.Proxy, Endpoints: []*ir.Endpoints{endpoints(u.Endpoints[0].Key, three)}}, Version: "v1"})
	wait.For(t, "the last endpoints are in force", func() bool { return get(port, "/0") == "three" })
}

// TestSharedSessions: tokens of one pod are good at another of the unit and after
// a restart, until the key is another one.
func TestSharedSessions(t *testing.T) {
	c := newCluster(t)
	o := c.start(t, "127.0.0.1:0", nil)
	o.Lead(1)
	port := freePort(t)
	u := unit(port, answering(t, "one"))
	u.Endpoints[0].Endpoints = nil
	for _, text := range []string{"p", "q", "r", "s", "u", "v"} {
		u.Endpoints[0].Endpoints = append(u.Endpoints[0].Endpoints, endpoints(u.Endpoints[0].Key, answering(t, text)).Endpoints...)
	}
	u.Proxy.Routes[0].Rules[0].Session = &ir.Session{Name: "sticky"}
	o.Set(server.Set{Unit: u, Version: "v1", SessionKey: "0123456789abcdef0123456789abcdef"})
	for _, name := range []string{"a", "b", "c"} {
		c.pod(name, gateway)
	}
	first := c.runPod(t, "a", nil, o.addr)
	o.runs("a", "v1")
	text, cookie := visit(t, port, "")
	first.stop()
	second := c.runPod(t, "b", nil, o.addr)
	o.runs("b", "v1")
	for range 20 {
		if got, fresh := visit(t, port, cookie); got != text || fresh != "" {
			t.Fatalf("with a session of %q the other pod leads to %q, and gives the cookie %q", text, got, fresh)
		}
	}
	o.Set(server.Set{Unit: u, Version: "v1", SessionKey: "another key of the same unit"})
	wait.For(t, "the token is good no more", func() bool { _, fresh := visit(t, port, cookie); return fresh != "" })
	// A pod that has changed its key and one that begins with it are of one mind.
	text, cookie = visit(t, port, "")
	second.stop()
	c.runPod(t, "c", nil, o.addr)
	o.runs("c", "v1")
	for range 20 {
		if got, fresh := visit(t, port, cookie); got != text || fresh != "" {
			t.Fatalf("with a session of %q under the new key another pod leads to %q, and gives the cookie %q", text, got, fresh)
		}
	}
}

// TestRestartWithoutOperator: a container that is restarted serves what it served,
// before anybody answers, and knows its zone.
func TestRestartWithoutOperator(t *testing.T) {
	c := newCluster(t)
	o := c.start(t, "127.0.0.1:0", nil)
	o.Lead(7)
	port := freePort(t)
	o.Set(server.Set{Unit: unit(port, answering(t, "one")), Version: "v1"})
	c.pod("a", gateway)
	dir := t.TempDir()
	p := c.runPodIn(t, dir, "a", nil, o.addr)
	o.runs("a", "v1")
	wait.For(t, "the set is kept", func() bool { return keptVersion(t, dir) == "v1" })
	p.stop()
	o.stop()
	local := &recorder{assigned: make(chan ir.Unit, 10)}
	q := c.runPodIn(t, dir, "a", func(o *client.Options) { o.Start = local.start }, o.addr)
	if u := <-local.assigned; u.Proxy.Owner != gateway || local.zone != "zone-a" {
		t.Errorf("the pod serves %v in zone %q", u.Proxy.Owner, local.zone)
	}
	q.stop()
	c.runPodIn(t, dir, "a", nil, o.addr)
	wait.For(t, "the pod serves alone", func() bool { return get(port, "/0") == "one" })
}
