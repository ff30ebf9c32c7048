package delivery_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/client"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/server"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/hash"
)

var nowhere = netip.MustParseAddrPort("10.0.0.1:80")

// leading is an operator with a set for the gateway and a pod "a" of it.
func leading(t testing.TB, change func(*server.Options)) (*cluster, *operator) {
	t.Helper()
	c := newCluster(t)
	o := c.start(t, "127.0.0.1:0", change)
	o.Lead(1)
	o.Set(server.Set{Unit: unit(80, nowhere), Version: "v1", SessionKey: "key-one"})
	c.pod("a", gateway)
	return c, o
}

// TestRefusals: whoever is not a pod of the unit gets nothing and is told why.
func TestRefusals(t *testing.T) {
	c, o := leading(t, nil)
	other := ir.Object{Kind: "Gateway", Namespace: "infra", Name: "other"}
	c.pod("of-other", other)
	c.pod("deleted", gateway)
	c.pod("newer", gateway)
	delete(c.pods, "uid-deleted")
	c.tokens["unbound"] = server.Peer{Namespace: "infra", ServiceAccount: "edge"}
	newer := binary.AppendUvarint([]byte{1}, wire.Version+1)
	for name, test := range map[string]struct {
		token string
		hello []byte
		say   any
		want  codes.Code
	}{
		"no token":                     {say: hello("a"), want: codes.Unauthenticated},
		"nobody's token":               {token: "made-up", say: hello("a"), want: codes.Unauthenticated},
		"a token of no pod":            {token: "unbound", say: hello("a"), want: codes.Unauthenticated},
		"a deleted pod's token":        {token: "token-deleted", say: hello("deleted"), want: codes.PermissionDenied},
		"another Gateway's token":      {token: "token-of-other", say: hello("of-other"), want: codes.PermissionDenied},
		"another Gateway's pod's name": {token: "token-of-other", say: hello("a"), want: codes.PermissionDenied},
		"another pod's name":           {token: "token-a", say: hello("b"), want: codes.PermissionDenied},
		"another unit":                 {token: "token-a", say: &wire.Hello{Unit: other, Pod: "a"}, want: codes.PermissionDenied},
		"a hello that is none":         {token: "token-a", say: &wire.State{}, want: codes.InvalidArgument},
		"a hello of noise":             {token: "token-a", hello: []byte("\x01\x01\xff\xff\xff"), want: codes.InvalidArgument},
		"a hello with a list too many": {token: "token-a", say: &wire.Hello{Unit: gateway, Pod: "a", Holds: wire.Manifest{Lists: make([][]hash.Sum, 9)}}, want: codes.InvalidArgument},
		"another wire version":         {token: "token-newer", hello: newer, want: codes.FailedPrecondition},
	} {
		t.Run(name, func(t *testing.T) {
			p := c.dial(t, o.addr, test.token)
			if test.say != nil {
				p.say(test.say)
			} else {
				p.sayBytes(test.hello)
			}
			p.refusedWith(test.want)
			if p.parts > 0 {
				t.Error("parts were sent")
			}
		})
	}
	if r := o.report("newer"); !strings.Contains(r.Unable, "wire version 2") || r.Connected {
		t.Errorf("the operator knows of the pod of another version: %+v", r)
	}
}

// TestNoHello: who says nothing is not waited for.
func TestNoHello(t *testing.T) {
	c, o := leading(t, func(o *server.Options) { o.Times.Hello = time.Second })
	c.dial(t, o.addr, "token-a").refusedWith(codes.DeadlineExceeded)
}

// TestNotLeading: an operator that does not lead refuses everyone, before it asks
// whose token it is.
func TestNotLeading(t *testing.T) {
	c := newCluster(t)
	o := c.start(t, "127.0.0.1:0", nil)
	c.dial(t, o.addr, "").refusedWith(codes.Unavailable)
}

// pull is a pod by hand that takes the first set.
func (c *cluster) pull(t testing.TB, o *operator, h *wire.Hello) (*peer, *wire.Push) {
	t.Helper()
	p := c.dial(t, o.addr, "token-a")
	p.say(h)
	if w := heard[wire.Welcome](p); w.Term != 1 || w.Zone != "zone-a" || w.Node != "node-1" {
		t.Errorf("the welcome is %+v", w)
	}
	return p, heard[wire.Push](p)
}

// TestOnlyWhatIsLacked: one route is one part, and so are endpoints; who comes
// back with everything gets nothing.
func TestOnlyWhatIsLacked(t *testing.T) {
	c, o := leading(t, func(o *server.Options) { o.Times.Beat = 20 * time.Millisecond })
	u := unit(80, nowhere, nowhere, nowhere)
	o.Set(server.Set{Unit: u, Version: "v1", SessionKey: "key-one"})
	p, push := c.pull(t, o, hello("a"))
	if p.parts != 11 || push.SessionKey != "key-one" {
		t.Errorf("a pod without anything got %d parts", p.parts)
	}
	p.say(&wire.State{Answered: 1, Holds: 1, Active: 1, Version: "v1"})
	o.runs("a", "v1")

	changed := *u.Proxy
	route := *u.Proxy.Routes[1]
	route.Created = time.Unix(7, 0)
	changed.Routes = []*ir.Route{u.Proxy.Routes[0], &route, u.Proxy.Routes[2]}
	u2 := &ir.Unit{Proxy: &changed, Endpoints: u.Endpoints}
	p.parts = 0
	o.Set(server.Set{Unit: u2, Version: "v2", SessionKey: "key-one"})
	push = heard[wire.Push](p)
	if p.parts != 1 || len(push.Edits) != 1 || push.Edits[0].Kind != wire.Routes || push.Edits[0].Splices[0].At != 1 {
		t.Errorf("one route is %d parts and %+v", p.parts, push.Edits)
	}
	p.say(&wire.State{Answered: 2, Holds: 2, Active: 2, Version: "v2"})
	o.runs("a", "v2")

	// Routes that change places are no parts.
	moved := changed
	moved.Routes = []*ir.Route{changed.Routes[2], changed.Routes[0], changed.Routes[1]}
	p.parts = 0
	o.Set(server.Set{Unit: &ir.Unit{Proxy: &moved, Endpoints: u.Endpoints}, Version: "v2b", SessionKey: "key-one"})
	heard[wire.Push](p)
	if p.parts != 0 {
		t.Errorf("another order is %d parts", p.parts)
	}
	p.say(&wire.State{Answered: 3, Holds: 3, Active: 3, Version: "v2b"})
	o.runs("a", "v2b")
	o.Set(server.Set{Unit: u2, Version: "v2", SessionKey: "key-one"})
	heard[wire.Push](p)
	p.say(&wire.State{Answered: 4, Holds: 4, Active: 4, Version: "v2"})
	o.runs("a", "v2")

	p.parts = 0
	u3 := &ir.Unit{Proxy: u2.Proxy, Endpoints: []*ir.Endpoints{u.Endpoints[0], u.Endpoints[1], endpoints(u.Endpoints[2].Key, netip.MustParseAddrPort("10.0.0.9:80"))}}
	o.Set(server.Set{Unit: u3, Version: "v2", SessionKey: "key-one"})
	push = heard[wire.Push](p)
	if p.parts != 1 || len(push.Edits) != 1 || push.Edits[0].Kind != wire.Endpoints {
		t.Errorf("endpoints are %d parts and %+v", p.parts, push.Edits)
	}

	_, all := whole(u3, "v2", 1)
	h := hello("a")
	h.Holds = wire.Manifest{Version: "v2", Lists: make([][]hash.Sum, wire.Kinds)}
	for kind := range wire.Kinds {
		h.Holds.Lists[kind] = all.Edits[kind].Splices[0].Insert
	}
	h.Key = wire.KeySum("key-one")
	back := c.dial(t, o.addr, "token-a")
	back.say(h)
	heard[wire.Beat](back)
	if back.parts > 0 {
		t.Errorf("a pod that has everything got %d parts", back.parts)
	}
	// Another session key is a push without parts.
	o.Set(server.Set{Unit: u3, Version: "v2", SessionKey: "key-two"})
	if push = heard[wire.Push](back); back.parts > 0 || push.SessionKey != "key-two" {
		t.Errorf("another key is %d parts", back.parts)
	}
}

// TestNewestSetNext: a pod that takes its time gets one push, then the newest set,
// whatever was between.
func TestNewestSetNext(t *testing.T) {
	c, o := leading(t, nil)
	p, _ := c.pull(t, o, hello("a"))
	for i := range 100 {
		o.Set(server.Set{Unit: unit(uint16(1000+i), nowhere), Version: fmt.Sprintf("w%d", i)}) //nolint:gosec // It is small.
	}
	p.say(&wire.State{Answered: 1, Holds: 1, Active: 1, Version: "v1"})
	if push := heard[wire.Push](p); push.Version != "w99" || push.Seq != 2 || push.Base != 1 {
		t.Errorf("push %d onto %d of version %s comes next", push.Seq, push.Base, push.Version)
	}
}

// TestRefusedPush: what a pod will not take is not sent again, and the next set is
// an edit of what it holds.
func TestRefusedPush(t *testing.T) {
	c, o := leading(t, nil)
	p, _ := c.pull(t, o, hello("a"))
	p.say(&wire.State{Answered: 1, Holds: 1, Active: 1, Version: "v1"})
	o.Set(server.Set{Unit: unit(81, nowhere), Version: "v2"})
	heard[wire.Push](p)
	objection := ir.Problem{Origin: ir.Origin{Object: gateway}, Message: "no"}
	p.say(&wire.State{Answered: 2, Holds: 1, Active: 1, Version: "v1", Objections: []ir.Problem{objection}})
	wait.For(t, "the objection is reported", func() bool { return len(o.report("a").Problems) == 1 })
	if r := o.report("a"); r.Version != "v1" || r.Problems[0] != objection {
		t.Errorf("the report is %+v", r)
	}
	o.Set(server.Set{Unit: unit(82, nowhere), Version: "v3"})
	if push := heard[wire.Push](p); push.Base != 1 || push.Version != "v3" {
		t.Errorf("version %s comes as an edit of %d", push.Version, push.Base)
	}
	// What the pod holds already is asked for again: there is nothing to object to.
	p.say(&wire.State{Answered: 3, Holds: 1, Active: 1, Version: "v1", Objections: []ir.Problem{objection}})
	o.Set(server.Set{Unit: unit(80, nowhere), Version: "v1", SessionKey: "key-one"})
	wait.For(t, "the objection is gone", func() bool { return len(o.report("a").Problems) == 0 })
}

// TestLackingFeature: a pod without what a route asks for keeps what it has, and
// both sides are told.
func TestLackingFeature(t *testing.T) {
	c, o := leading(t, nil)
	h := hello("a")
	h.Features = h.Features[:0]
	for _, f := range hello("a").Features {
		if f != "HTTPRouteCORS" {
			h.Features = append(h.Features, f)
		}
	}
	p, _ := c.pull(t, o, h)
	p.say(&wire.State{Answered: 1, Holds: 1, Active: 1, Version: "v1"})
	u := unit(80, nowhere)
	u.Proxy.Routes[0].Rules[0].Filters = []ir.Filter{{CORS: &ir.CORS{}}}
	o.Set(server.Set{Unit: u, Version: "v2"})
	if n := heard[wire.Notice](p); !strings.Contains(n.Text, "HTTPRouteCORS") {
		t.Errorf("the pod is told %q", n.Text)
	}
	wait.For(t, "the operator is told", func() bool { return strings.Contains(o.report("a").Unable, "HTTPRouteCORS") })
	o.Set(server.Set{Unit: unit(81, nowhere), Version: "v3"})
	if push := heard[wire.Push](p); push.Version != "v3" {
		t.Errorf("version %s was sent", push.Version)
	}
	wait.For(t, "the pod is able", func() bool { return o.report("a").Unable == "" })
}

// TestSlowPod: one that reads nothing holds up nobody, and is left when it has
// not answered for long.
func TestSlowPod(t *testing.T) {
	c, o := leading(t, func(o *server.Options) { o.Times.Answer = time.Second })
	big := unit(80, nowhere)
	for i := range 200 {
		big.Proxy.Routes = append(big.Proxy.Routes, &ir.Route{
			Origin: ir.Object{Kind: "HTTPRoute", Name: fmt.Sprint(i)}, Kind: ir.HTTPRoute,
			Rules: []*ir.Rule{{Refused: strings.Repeat("x", 10_000)}},
		})
	}
	o.Set(server.Set{Unit: big, Version: "big"})
	slow := c.dial(t, o.addr, "token-a")
	slow.say(hello("a"))
	wait.For(t, "the slow pod is connected", func() bool { return o.report("a").Connected })
	c.pod("b", gateway)
	local := &recorder{assigned: make(chan ir.Unit, 100)}
	c.runPod(t, "b", func(o *client.Options) { o.Start = local.start }, o.addr)
	o.runs("b", "big")
	wait.For(t, "the slow pod is left", func() bool { return !o.report("a").Connected })
}

// TestNewestStreamWins: a pod has one stream, the one that it opened last.
func TestNewestStreamWins(t *testing.T) {
	c, o := leading(t, nil)
	first, _ := c.pull(t, o, hello("a"))
	second, _ := c.pull(t, o, hello("a"))
	first.refusedWith(codes.Aborted)
	second.say(&wire.State{Answered: 1, Holds: 1, Active: 1, Version: "v1"})
	o.runs("a", "v1")
}

// TestNoLongerAdmitted: a pod that was let in and is deleted is cut off.
func TestNoLongerAdmitted(t *testing.T) {
	c, o := leading(t, func(o *server.Options) { o.Times.AdmitAgain = 10 * time.Millisecond })
	p, _ := c.pull(t, o, hello("a"))
	c.mu.Lock()
	delete(c.pods, "uid-a")
	c.mu.Unlock()
	p.refusedWith(codes.PermissionDenied)
	wait.For(t, "it is reported", func() bool { return !o.report("a").Connected })
}

// TestNoise: a pod that sends what nobody can read loses its stream.
func TestNoise(t *testing.T) {
	c, o := leading(t, nil)
	for _, noise := range []string{"", "\x05", "\xff", "\x04\x01\x00", "\x05\x01\x05Later\x01\x00"} {
		p, _ := c.pull(t, o, hello("a"))
		p.sayBytes([]byte(noise))
		p.refusedWith(codes.InvalidArgument)
	}
}

// TestUnknownUnit: a pod whose unit is not translated yet waits for it.
func TestUnknownUnit(t *testing.T) {
	c, o := leading(t, nil)
	o.Remove(gateway)
	p := c.dial(t, o.addr, "token-a")
	p.say(hello("a"))
	heard[wire.Welcome](p)
	o.Set(server.Set{Unit: unit(80, nowhere), Version: "v1"})
	heard[wire.Push](p)
}

// TestServerCounts: the metrics that the docs name are there.
func TestServerCounts(t *testing.T) {
	registry := prometheus.NewRegistry()
	c, o := leading(t, func(o *server.Options) { o.Metrics = registry })
	p, _ := c.pull(t, o, hello("a"))
	p.say(&wire.State{Answered: 1, Holds: 1, Active: 1, Version: "v1"})
	o.runs("a", "v1")
	c.dial(t, o.addr, "made-up").refusedWith(codes.Unauthenticated)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		m := f.GetMetric()[0]
		got[f.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	for _, name := range []string{"connected_pods", "pushes_total", "outcome_seconds", "refused_total"} {
		if got["sluice_delivery_"+name] != 1 {
			t.Errorf("%s is %v, want 1", name, got["sluice_delivery_"+name])
		}
	}
	if got["sluice_delivery_sent_bytes_total"] == 0 {
		t.Error("no bytes were counted")
	}
}
