package upstream

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// gauge counts what a watcher is told.
type gauge struct{ held, lowest atomic.Int64 }

func (g *gauge) Ejected(ir.BackendKey) { g.held.Add(1) }
func (g *gauge) Readmitted(ir.BackendKey) {
	if g.held.Add(-1) < 0 {
		g.lowest.Store(-1)
	}
}

// TestAStormEndsInOrder swaps endpoints and rules under calls that fail and
// succeed. What was told of ejections fits what is left out at every end, and
// whoever looks for an endpoint finds one as long as there is one.
func TestAStormEndsInOrder(t *testing.T) {
	for _, algorithm := range []ir.BalancingAlgorithm{ir.RoundRobin, ir.LeastRequest, ir.ConsistentHash} {
		t.Run(string(algorithm), func(t *testing.T) {
			g := &gauge{}
			rules := ir.Ejection{Failures: 1, BaseTime: ir.Duration(time.Millisecond), MaxTime: ir.Duration(2 * time.Millisecond), MaxPercent: 100}
			b := ir.Backend{Ejection: &rules, Balancing: ir.Balancing{Algorithm: algorithm, Hash: ir.HashKey{Kind: ir.HashClientIP}}}
			p := newPool(&b, &Input{Watcher: g, Place: Place{Zone: "a"}, ID: func(_ ir.EndpointsKey, e ir.Endpoint) (id ID) {
				copy(id[:], e.Address)
				return id
			}})
			p.swap(storm(1, false), policyOf(&b))
			var all sync.WaitGroup
			for worker := range 4 {
				all.Go(func() {
					r := rand.New(rand.NewPCG(uint64(worker), 1))
					for range 3000 {
						w := want{key: r.Uint64() % 3, pinned: ID{'1', '0'}}
						for range 3 {
							e := p.pick(w)
							if e == nil {
								if len(w.tried) == 0 {
									t.Error("nobody was found")
								}
								break
							}
							e.acquire()
							if w.tried = append(w.tried, e); r.IntN(3) > 0 {
								p.missed(e, syscall.ECONNREFUSED)
							} else {
								p.reached(e)
							}
							e.release()
						}
					}
				})
			}
			all.Go(func() {
				for i := range 300 {
					changed := policyOf(&b)
					if i%7 == 0 {
						changed.ejection = nil
					}
					p.swap(storm(1+i%9, i%2 == 0), changed)
				}
			})
			all.Wait()
			last := p.roster.Load()
			if n := int64(len(last.out)); n != g.held.Load() || g.lowest.Load() < 0 {
				t.Errorf("%d are left out, and %d were told", n, g.held.Load())
			}
			for _, e := range last.byAddr {
				if e.active.Load() != 0 {
					t.Errorf("%s has %d under way", e.name, e.active.Load())
				}
				p.reached(e)
			}
			if n := len(p.roster.Load().out); n != 0 || g.held.Load() != 0 {
				t.Errorf("%d are left out once all are reached, and %d were told", n, g.held.Load())
			}
			p.retire()
			if g.held.Load() != 0 {
				t.Errorf("%d are told of behind the end", g.held.Load())
			}
		})
	}
}

// storm returns n endpoints, of which some drain and some are far.
func storm(n int, drain bool) *ir.Endpoints {
	made := &ir.Endpoints{}
	for i := range n {
		e := ir.Endpoint{Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}).String(), Port: 80, ForZones: []string{string(rune('a' + i%2))}}
		e.Draining = drain && i%3 == 0
		made.Endpoints = append(made.Endpoints, e)
	}
	return made
}
