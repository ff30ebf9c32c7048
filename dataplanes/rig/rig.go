package rig

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
)

// Gateway owns the units.
var Gateway = ir.Object{Kind: "Gateway", Namespace: "infra", Name: "gw"}

// Loopback is where they listen.
var Loopback = netip.MustParseAddr("127.0.0.1")

// Patience bounds every wait of these tests, on a machine that is busy with others.
const Patience = time.Minute

// Rig is a running dataplane and a unit that it serves.
type Rig struct {
	T     testing.TB
	Local dataplanes.Local
	// Unit is what Apply hands over; tests write into it.
	Unit *ir.Unit
	// Outcomes are those that nobody has waited for yet.
	Outcomes chan dataplanes.Outcome
	// Stop ends all.
	Stop    context.CancelFunc
	version int
}

// New starts a dataplane, which is stopped with the test.
func New(t testing.TB, plane dataplanes.Dataplane, opts dataplanes.Options) *Rig {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &Rig{T: t, Stop: cancel, Outcomes: make(chan dataplanes.Outcome, 1000), Unit: NewUnit(Gateway)}
	if opts.AccessLog == nil {
		opts.AccessLog = io.Discard
	}
	var err error
	if r.Local, err = plane.Start(ctx, opts); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.Outcomes)
		for o := range r.Local.Outcomes() {
			r.Outcomes <- o
		}
	}()
	t.Cleanup(r.End)
	return r
}

// End stops all, and waits until it has stopped.
func (r *Rig) End() {
	r.Stop()
	for range r.Outcomes { //nolint:revive // Drained until closed.
	}
}

// NewUnit returns one of an owner's that holds nothing.
func NewUnit(owner ir.Object) *ir.Unit {
	return &ir.Unit{Proxy: &ir.Proxy{Owner: owner, Settings: ir.Settings{
		Timeouts: ir.ServerTimeouts{Drain: ir.Duration(5 * time.Second), Connect: ir.Duration(5 * time.Second)},
		TLS:      ir.TLSSettings{MinVersion: ir.TLS12, ALPN: []string{"h2", "http/1.1"}},
	}}}
}

// Apply puts the unit in force as it is now, and returns the outcome.
func (r *Rig) Apply() dataplanes.Outcome {
	r.T.Helper()
	return r.Await(r.Send())
}

// Send hands the unit over and returns its version.
func (r *Rig) Send() string {
	r.version++
	proxy := *r.Unit.Proxy
	// What is handed over must not change, and tests write into their lists.
	proxy.Listeners, proxy.Routes = slices.Clone(proxy.Listeners), slices.Clone(proxy.Routes)
	proxy.Backends, proxy.Certificates = slices.Clone(proxy.Backends), slices.Clone(proxy.Certificates)
	unit := ir.Unit{Proxy: &proxy, Endpoints: r.Unit.Endpoints}
	version := strconv.Itoa(r.version)
	r.Local.Apply(dataplanes.Assignment{Unit: &unit, Version: version, Address: Loopback})
	return version
}

// Await returns the outcome that names a version.
func (r *Rig) Await(version string) dataplanes.Outcome {
	r.T.Helper()
	return r.Until("version "+version, func(o dataplanes.Outcome) bool { return o.Version == version })
}

// Until returns the first outcome that is as it should be.
func (r *Rig) Until(what string, is func(dataplanes.Outcome) bool) dataplanes.Outcome {
	r.T.Helper()
	var last dataplanes.Outcome
	for {
		select {
		case o := <-r.Outcomes:
			if last = o; is(o) {
				return o
			}
		case <-time.After(Patience):
			r.T.Fatalf("no outcome: %s; the last: %+v", what, last)
		}
	}
}

// Must applies and wants no problem.
func (r *Rig) Must() {
	r.T.Helper()
	if o := r.Apply(); len(o.Problems) > 0 {
		r.T.Fatalf("problems: %v", o.Problems)
	}
}

// Refused applies, and wants problems of those rules alone, that hold a word.
func (r *Rig) Refused(word string, rules ...*ir.Rule) {
	r.T.Helper()
	out := r.Apply()
	got := map[ir.Origin]string{}
	for _, p := range out.Problems {
		got[p.Origin] = p.Message
	}
	for _, rule := range rules {
		if !strings.Contains(got[rule.Origin], word) {
			r.T.Errorf("%s %q: want %q in it", rule.Origin.Name, got[rule.Origin], word)
		}
		delete(got, rule.Origin)
	}
	if len(got) > 0 {
		r.T.Errorf("more problems than those of %d rules: %v", len(rules), got)
	}
}

// Listen adds a plain listener for every host and returns its address.
func (r *Rig) Listen(name string) string {
	port := FreePort(r.T)
	r.Unit.Proxy.Listeners = append(r.Unit.Proxy.Listeners, &ir.Listener{
		Key: ListenerKey(name), Port: port, Protocol: ir.HTTP, Hostname: "*",
	})
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// ListenerKey names a listener of Gateway.
func ListenerKey(name string) ir.ListenerKey { return ir.ListenerKey{Owner: Gateway, Section: name} }

// Route adds a route of one rule for a path and what is below it.
func (r *Rig) Route(listener, path string, rule *ir.Rule) *ir.Rule {
	name := fmt.Sprintf("route-%d", len(r.Unit.Proxy.Routes))
	route := &ir.Route{
		Origin: ir.Object{Kind: "HTTPRoute", Namespace: "apps", Name: name}, Kind: ir.HTTPRoute,
		Created: time.Unix(1e9, 0), Attachments: []ir.Attachment{{Listener: ListenerKey(listener), Hostnames: []string{"*"}}},
		Rules: []*ir.Rule{rule},
	}
	rule.Origin = ir.Origin{Object: route.Origin}
	if len(rule.Matches) == 0 {
		rule.Matches = []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: path}}}
	}
	r.Unit.Proxy.Routes = append(r.Unit.Proxy.Routes, route)
	return rule
}

// Backend adds a backend with the given endpoints.
func (r *Rig) Backend(name string, addrs ...string) ir.BackendKey {
	key := ir.BackendKey{EndpointsKey: ir.EndpointsKey{Namespace: "apps", Service: name, Port: 80}, Protocol: ir.BackendHTTP1}
	r.Unit.Proxy.Backends = append(r.Unit.Proxy.Backends, &ir.Backend{Key: key})
	r.Endpoints(key.EndpointsKey, addrs...)
	return key
}

// Endpoints replaces the endpoints of a Service's port.
func (r *Rig) Endpoints(key ir.EndpointsKey, addrs ...string) { Endpoints(r.Unit, key, addrs...) }

// Endpoints replaces the endpoints of a Service's port in a unit.
func Endpoints(unit *ir.Unit, key ir.EndpointsKey, addrs ...string) {
	e := &ir.Endpoints{Key: key}
	for _, a := range addrs {
		ap := netip.MustParseAddrPort(a)
		e.Endpoints = append(e.Endpoints, ir.Endpoint{Address: ap.Addr().String(), Port: ap.Port()})
	}
	others := slices.DeleteFunc(slices.Clone(unit.Endpoints), func(old *ir.Endpoints) bool { return old.Key == key })
	unit.Endpoints = slices.Concat(others, []*ir.Endpoints{e})
}

// WithRule returns a route with a rule in the place of its own.
func WithRule(route *ir.Route, rule *ir.Rule) *ir.Route {
	next := *route
	next.Rules = []*ir.Rule{rule}
	return &next
}

// To is that requests go to some backends alike.
func To(keys ...ir.BackendKey) []ir.BackendUse {
	uses := make([]ir.BackendUse, 0, len(keys))
	for _, k := range keys {
		uses = append(uses, ir.BackendUse{Backend: &k, Weight: 1})
	}
	return uses
}
