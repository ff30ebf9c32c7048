package upstream

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// rig is a pool whose clock and chance are the test's.
type rig struct {
	*Pool
	clock   time.Time
	ejected int
	held    int
}

func (r *rig) Ejected(ir.BackendKey)    { r.ejected++; r.held++ }
func (r *rig) Readmitted(ir.BackendKey) { r.held-- }

func newRig(t testing.TB, b ir.Backend, endpoints []ir.Endpoint) *rig {
	t.Helper()
	r := &rig{clock: time.Unix(1_000_000, 0)}
	b.Key = ir.BackendKey{EndpointsKey: ir.EndpointsKey{Service: "s", Port: 80}, Protocol: ir.BackendHTTP1}
	r.Pool = newPool(&b, &Input{Watcher: r, ID: func(_ ir.EndpointsKey, e ir.Endpoint) ID {
		var id ID
		copy(id[:], fmt.Sprintf("%s:%d", e.Address, e.Port))
		return id
	}})
	r.now = func() time.Time { return r.clock }
	r.random = rand.New(rand.NewPCG(1, 2)).Uint64
	r.have(endpoints)
	return r
}

func (r *rig) have(endpoints []ir.Endpoint) {
	r.swap(&ir.Endpoints{Endpoints: endpoints}, policyOf(r.backend))
}

// some returns n endpoints, from 10.0.0.1 on.
func some(n int) []ir.Endpoint {
	list := make([]ir.Endpoint, n)
	for i := range list {
		list[i] = ir.Endpoint{Address: fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), Port: 80}
	}
	return list
}

func (r *rig) at(t *testing.T, e ir.Endpoint) *endpoint {
	t.Helper()
	found := r.roster.Load().byAddr[netip.AddrPortFrom(netip.MustParseAddr(e.Address), e.Port)]
	if found == nil {
		t.Fatalf("%s is no endpoint", e.Address)
	}
	return found
}

// counts picks n times and says how often each endpoint was.
func (r *rig) counts(n int, w func(i int) want) map[string]int {
	counted := map[string]int{}
	for i := range n {
		counted[r.pick(w(i)).name]++
	}
	return counted
}

func noKey(int) want { return want{} }

func keyed(i int) want { return want{key: textKey(fmt.Sprintf("user-%d", i))} }

var (
	leastRequest = ir.Backend{Balancing: ir.Balancing{Algorithm: ir.LeastRequest}}
	byHeader     = ir.Backend{Balancing: ir.Balancing{
		Algorithm: ir.ConsistentHash, Hash: ir.HashKey{Kind: ir.HashHeader, Name: "x-user"},
	}}
)

func TestSharesOfEachAlgorithm(t *testing.T) {
	for _, c := range []struct {
		name        string
		backend     ir.Backend
		want        func(int) want
		n           int
		least, most int
	}{
		{"round robin is exact", ir.Backend{}, noKey, 7, 1000, 1000},
		{"an unknown algorithm is round robin", ir.Backend{Balancing: ir.Balancing{Algorithm: "?"}}, noKey, 7, 1000, 1000},
		{"least request, all idle", leastRequest, noKey, 7, 880, 1120},
		{"least request of one", leastRequest, noKey, 1, 1000, 1000},
		{"consistent hash", byHeader, keyed, 7, 880, 1120},
		{"consistent hash of few", byHeader, keyed, 2, 900, 1100},
		{"consistent hash without keys is round robin", byHeader, noKey, 7, 1000, 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			counted := newRig(t, c.backend, some(c.n)).counts(1000*c.n, c.want)
			if len(counted) != c.n {
				t.Errorf("%d endpoints were used, want %d", len(counted), c.n)
			}
			for name, n := range counted {
				if n < c.least || n > c.most {
					t.Errorf("%s has %d of %d, want %d to %d", name, n, 1000*c.n, c.least, c.most)
				}
			}
		})
	}
}

func TestLeastRequestLeavesTheBusyAlone(t *testing.T) {
	r := newRig(t, leastRequest, some(4))
	busy := r.at(t, some(4)[2])
	busy.active.Store(5)
	if n := r.counts(4000, noKey)[busy.name]; n != 0 {
		t.Errorf("the busy one was chosen %d times of 4000, want never: one of any two is idle", n)
	}
	// Whoever holds what it got ends up with a fair share.
	r = newRig(t, leastRequest, some(4))
	for range 400 {
		r.pick(want{}).acquire()
	}
	for _, e := range some(4) {
		if n := r.at(t, e).active.Load(); n < 95 || n > 105 {
			t.Errorf("%s has %d of 400 under way, want about 100", e.Address, n)
		}
	}
}

func TestWhatWasTriedIsNotPickedAgain(t *testing.T) {
	for _, b := range []ir.Backend{{}, leastRequest, byHeader} {
		t.Run(string(b.Balancing.Algorithm), func(t *testing.T) {
			r := newRig(t, b, some(12))
			w := want{key: textKey("a")}
			for range 12 {
				e := r.pick(w)
				if e == nil || slices.Contains(w.tried, e) {
					t.Fatalf("after %d: %v was picked", len(w.tried), e)
				}
				if !r.hasMore(w.tried) {
					t.Fatalf("after %d: there is said to be no other", len(w.tried))
				}
				w.tried = append(w.tried, e)
			}
			if e := r.pick(w); e != nil || r.hasMore(w.tried) {
				t.Errorf("%v was picked, and all were tried", e)
			}
		})
	}
}

// The shares are those of any proxy: nothing about them is chance.
func TestSlotsAreSharedEvenly(t *testing.T) {
	for _, c := range []struct{ n, percent int }{{2, 2}, {10, 4}, {100, 13}, {1000, 50}} {
		table := (*slotTable)(nil).with(newRig(t, ir.Backend{}, some(c.n)).roster.Load().tiers[near])
		owned := make([]int, c.n)
		for _, owner := range table.owners {
			owned[owner]++
		}
		fair := slotCount / c.n
		if least, most := slices.Min(owned), slices.Max(owned); (fair-least)*100 > fair*c.percent || (most-fair)*100 > fair*c.percent {
			t.Errorf("of %d endpoints, one has %d slots and one has %d; want %d, give or take %d %%", c.n, least, most, fair, c.percent)
		}
	}
}

// moves says which of n keys go elsewhere than before.
func moves(r *rig, n int, change func()) (moved int, from, to map[string]int) {
	before := make([]string, n)
	for i := range before {
		before[i] = r.pick(keyed(i)).name
	}
	change()
	from, to = map[string]int{}, map[string]int{}
	for i := range before {
		if now := r.pick(keyed(i)).name; now != before[i] {
			moved++
			from[before[i]]++
			to[now]++
		}
	}
	return moved, from, to
}

func TestConsistentHashMovesItsShareAndNothingElse(t *testing.T) {
	const keys = 20000
	for _, n := range []int{3, 10, 100} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			all := some(n + 1)
			r := newRig(t, byHeader, all[:n])
			least, most := keys/(n+1)*7/10, keys/(n+1)*13/10
			moved, from, to := moves(r, keys, func() { r.have(all) })
			if moved < least || moved > most || len(to) != 1 || len(from) < min(n, 20) {
				t.Errorf("one that came moved %d keys of %d endpoints to %v; want %d to %d, to it alone", moved, len(from), to, least, most)
			}
			gone := slices.Delete(slices.Clone(all), n/2, n/2+1)
			moved, from, to = moves(r, keys, func() { r.have(gone) })
			if moved < least || moved > most || len(from) != 1 || len(to) < min(n, 20) {
				t.Errorf("one that went moved %d keys of %v to %d endpoints; want %d to %d, its own, to all others", moved, from, len(to), least, most)
			}
			// However a table came about, it is the same one: each pod has its own history.
			fresh := newRig(t, byHeader, gone)
			for i := range keys {
				if a, b := r.pick(keyed(i)).name, fresh.pick(keyed(i)).name; a != b {
					t.Fatalf("key %d goes to %s in one proxy and to %s in another", i, a, b)
				}
			}
		})
	}
}

func TestAnEjectedEndpointMovesItsKeysOnly(t *testing.T) {
	b := byHeader
	b.Ejection = &ir.Ejection{Failures: 1, BaseTime: ir.Duration(time.Minute), MaxTime: ir.Duration(time.Minute), MaxPercent: 50}
	r := newRig(t, b, some(10))
	out := r.at(t, some(10)[3])
	_, from, to := moves(r, 5000, func() { r.missed(out, syscall.ECONNREFUSED) })
	if len(from) != 1 || from[out.name] == 0 || len(to) != 9 {
		t.Errorf("keys of %v moved to %d endpoints, want those of %s to 9", from, len(to), out.name)
	}
}

func TestKeysOfRequests(t *testing.T) {
	q := &exchange.Request{
		Authority: "a.example", Peer: netip.MustParseAddr("::ffff:192.0.2.1"),
		Header: exchange.Header{
			{Name: "X-User", Value: "alice"}, {Name: "X-Two", Value: "a"}, {Name: "x-two", Value: "b"}, {Name: "X-Empty"},
			{Name: "Cookie", Value: "session=no; id=\"7\";id=8"}, {Name: "cookie", Value: " last=1 "},
		},
	}
	for _, c := range []struct {
		kind ir.HashKind
		name string
		want uint64
	}{
		{ir.HashHeader, "x-user", textKey("alice")},
		{ir.HashHeader, "x-two", textKey("a, b")},
		{ir.HashHeader, "x-empty", 0},
		{ir.HashHeader, "x-none", 0},
		{ir.HashHeader, "host", textKey("a.example")},
		{ir.HashCookie, "id", textKey(`"7"`)},
		{ir.HashCookie, "last", textKey("1")},
		{ir.HashCookie, "ID", 0},
		{ir.HashCookie, "sess", 0},
		{ir.HashClientIP, "", addressKey(netip.MustParseAddr("192.0.2.1"))},
	} {
		r := newRig(t, ir.Backend{Balancing: ir.Balancing{
			Algorithm: ir.ConsistentHash, Hash: ir.HashKey{Kind: c.kind, Name: c.name},
		}}, some(2))
		if got := r.keyOf(q); got != c.want {
			t.Errorf("%s %s: key %d, want %d", c.kind, c.name, got, c.want)
		}
	}
	if addressKey(netip.Addr{}) != 0 || newRig(t, ir.Backend{}, some(2)).keyOf(q) != 0 {
		t.Error("there is a key where there must be none")
	}
}

func TestSwapsAndPicksAtOnce(t *testing.T) {
	b := byHeader
	b.Ejection = &ir.Ejection{Failures: 1, BaseTime: 1, MaxTime: 1, MaxPercent: 50}
	r := newRig(t, b, some(8))
	r.now, r.random = time.Now, rand.Uint64
	var done sync.WaitGroup
	for worker := range 4 {
		done.Go(func() {
			for i := range 2000 {
				e := r.pick(keyed(i))
				if e == nil {
					t.Error("nobody was picked")
					return
				}
				if i%7 == worker {
					r.missed(e, syscall.ECONNREFUSED)
				} else {
					r.reached(e)
				}
			}
		})
	}
	for i := range 200 {
		r.have(some(4 + i%5))
	}
	done.Wait()
	r.retire()
	if r.held != 0 {
		t.Errorf("%d endpoints are counted as ejected after the end", r.held)
	}
}

func BenchmarkPick(b *testing.B) {
	for _, algorithm := range []ir.BalancingAlgorithm{ir.RoundRobin, ir.LeastRequest, ir.ConsistentHash} {
		for _, n := range []int{10, 1000} {
			for _, out := range []int{0, n / 2} {
				b.Run(fmt.Sprintf("%s/%d/%d-ejected", algorithm, n, out), func(b *testing.B) { benchmarkPick(b, algorithm, n, out) })
			}
		}
	}
}

func benchmarkPick(b *testing.B, algorithm ir.BalancingAlgorithm, n, out int) {
	b.Helper()
	r := newRig(b, ir.Backend{
		Balancing: ir.Balancing{Algorithm: algorithm},
		Ejection:  &ir.Ejection{Failures: 1, BaseTime: ir.Duration(time.Hour), MaxTime: ir.Duration(time.Hour), MaxPercent: 50},
	}, some(n))
	r.now, r.random = time.Now, rand.Uint64
	for _, e := range slices.Clone(r.roster.Load().tiers[near][:out]) {
		r.missed(e, syscall.ECONNREFUSED)
	}
	b.ReportAllocs()
	key := uint64(1)
	for b.Loop() {
		key = mix(key)
		if r.pick(want{key: key}) == nil {
			b.Fatal("nobody was picked")
		}
	}
}

func BenchmarkSlots(b *testing.B) {
	r := newRig(b, ir.Backend{}, some(1000))
	all := r.roster.Load().tiers[near]
	b.Run("1000 from none", func(b *testing.B) {
		for b.Loop() {
			(*slotTable)(nil).with(all)
		}
	})
	table := (*slotTable)(nil).with(all[:999])
	b.Run("one more of 1000", func(b *testing.B) {
		for b.Loop() {
			table.with(all)
		}
	})
}

func TestPickingAllocatesNothing(t *testing.T) {
	for _, b := range []ir.Backend{{}, leastRequest, byHeader} {
		r := newRig(t, b, some(1000))
		w := want{key: textKey("a"), tried: []*endpoint{r.at(t, some(1)[0])}}
		if n := testing.AllocsPerRun(100, func() { r.pick(w) }); n != 0 {
			t.Errorf("%s: %v allocations", b.Balancing.Algorithm, n)
		}
	}
}
