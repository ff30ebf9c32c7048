package delivery_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"google.golang.org/grpc/codes"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/client"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/server"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/hash"
)

// TestUnitThatComesBack: a unit that was removed and is there again hears what its
// pods run, though for them nothing has changed.
func TestUnitThatComesBack(t *testing.T) {
	c, o := leading(t, nil)
	p, _ := c.pull(t, o, hello("a"))
	p.say(&wire.State{Answered: 1, Holds: 1, Active: 1, Version: "v1"})
	o.runs("a", "v1")
	o.Remove(gateway)
	o.mu.Lock()
	clear(o.reports)
	o.mu.Unlock()
	o.Set(server.Set{Unit: unit(80, nowhere), Version: "v1", SessionKey: "key-one"})
	o.runs("a", "v1")
}

// TestPodsThatSayTooMuch: what a pod says of itself is kept, compared and written
// down, so all of it is bounded.
func TestPodsThatSayTooMuch(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	many := make([]ir.Problem, wire.MaxProblems+1)
	for i := range many {
		many[i].Message = fmt.Sprint(i)
	}
	field := append(binary.AppendUvarint([]byte{5, 1}, uint64(len(long))), long...)
	for name, state := range map[string]any{
		"problems":    &wire.State{Problems: many},
		"objections":  &wire.State{Objections: many},
		"a message":   &wire.State{Problems: []ir.Problem{{Message: long}}},
		"an object":   &wire.State{Problems: []ir.Problem{{Origin: ir.Origin{Object: ir.Object{Name: long}}}}},
		"its version": &wire.State{Version: long},
		"all":         &wire.State{Version: long + long + long},
		"a field":     field,
	} {
		t.Run(name, func(t *testing.T) {
			c, o := leading(t, nil)
			p, _ := c.pull(t, o, hello("a"))
			if frame, ok := state.([]byte); ok {
				p.sayBytes(frame)
			} else {
				p.say(state)
			}
			p.refusedWith(codes.InvalidArgument)
			wait.For(t, "it is gone", func() bool { return !o.report("a").Connected })
			if r := o.report("a"); len(r.Problems) > 0 || len(r.Version) > 0 || len(r.Unable) > wire.MaxText {
				t.Errorf("it is kept: %d problems, a version of %d bytes, unable for %d bytes", len(r.Problems), len(r.Version), len(r.Unable))
			}
		})
	}
	c, o := leading(t, nil)
	h := hello("a")
	h.State.Problems = many
	p := c.dial(t, o.addr, "token-a")
	p.say(h)
	p.refusedWith(codes.InvalidArgument)
}

// TestManyMove: a list in which everything moves is put together from what is
// there.
func TestManyMove(t *testing.T) {
	c := newCluster(t)
	o := c.start(t, "127.0.0.1:0", nil)
	o.Lead(1)
	c.pod("a", gateway)
	local := &recorder{assigned: make(chan ir.Unit, 10)}
	c.runPod(t, "a", func(o *client.Options) { o.Start = local.start }, o.addr)
	u := unit(80, slices.Repeat([]netip.AddrPort{nowhere}, 500)...)
	o.Set(server.Set{Unit: u, Version: "v1"})
	o.runs("a", "v1")
	first := <-local.assigned
	moved := *u.Proxy
	moved.Routes = append(slices.Clone(u.Proxy.Routes[1:]), u.Proxy.Routes[0])
	o.Set(server.Set{Unit: &ir.Unit{Proxy: &moved, Endpoints: u.Endpoints}, Version: "v2"})
	o.runs("a", "v2")
	second := <-local.assigned
	for i, route := range second.Proxy.Routes {
		if route != first.Proxy.Routes[(i+1)%500] || hash.Of(route) != hash.Of(moved.Routes[i]) {
			t.Fatalf("route %d is another one", i)
		}
	}
}
