package guard

import (
	"context"
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/allowance"
)

const (
	// begins and ends are the hundredths of the memory bound at which the process
	// is pressed, and no more; they lie close together, so that a process that needs
	// much on quiet days is not pressed for good. What is compared is what cannot be collected: the
	// sum that the system sees comes near the bound on quiet days too, as the
	// collector runs when it must and not before.
	begins, ends = 85, 83
	// often is how long it takes to notice; a collection is asked for at every
	// seldom-th look.
	often  = 250 * time.Millisecond
	seldom = 4
)

// Watch follows the memory until the context ends. Without a bound it returns at
// once.
func (g *Guard) Watch(ctx context.Context) {
	if g.memory <= 0 {
		return
	}
	look := time.NewTicker(often)
	defer look.Stop()
	s := newScale()
	for looks := 1; ; looks++ {
		g.weigh(s.live())
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if g.Pressed() && looks%seldom == 0 {
			// Who is turned away allocates next to nothing, so that nothing else would
			// show how much of what was held has been given up.
			runtime.GC()
		}
	}
}

// weigh decides by the bytes that cannot be collected.
func (g *Guard) weigh(live int64) {
	share := ends
	if !g.Pressed() {
		share = begins
	}
	g.pressed.Store(live > g.memory/100*int64(share))
}

// scale reads what the runtime knows about its memory.
type scale struct{ samples []metrics.Sample }

func newScale() *scale {
	s := &scale{}
	for _, name := range []string{
		"/gc/heap/live:bytes", "/memory/classes/heap/stacks:bytes", "/memory/classes/os-stacks:bytes",
		"/memory/classes/metadata/mspan/inuse:bytes", "/memory/classes/metadata/other:bytes",
	} {
		s.samples = append(s.samples, metrics.Sample{Name: name})
	}
	return s
}

// live is the bytes that no collection can free. The heap's are those of the
// last collection, of which there are many when memory is short.
func (s *scale) live() int64 {
	metrics.Read(s.samples)
	var sum uint64
	for _, one := range s.samples {
		if one.Value.Kind() == metrics.KindUint64 {
			sum += one.Value.Uint64()
		}
	}
	return int64(min(sum, math.MaxInt64))
}

// Memory is how many bytes the process may use: GOMEMLIMIT, else nine tenths of
// what its cgroup allows, which the collector is then told; 0 is no bound.
func Memory() int64 {
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		return limit
	}
	limit := allowance.Memory(allowance.System)
	if limit <= 0 {
		return 0
	}
	limit = limit / 10 * 9
	debug.SetMemoryLimit(limit)
	return limit
}
