package haproxy

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/agent"
	"github.com/sluice-gateway/sluice/dataplanes/agent/ports"
	"github.com/sluice-gateway/sluice/dataplanes/agent/units"
	"github.com/sluice-gateway/sluice/dataplanes/haproxy/detour"
	"github.com/sluice-gateway/sluice/dataplanes/internal/trail"
	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// unit serves one owner with a process of its own.
type unit struct {
	*units.Life[translator.Config]
	detours *detours
	// running is the process as others see it.
	running atomic.Pointer[process]

	// What follows belongs to the unit's life.
	process *process
	// agent serves what HAProxy cannot; nil where there is no process.
	agent *detour.Agent
	// unbound are sockets that cannot be had, lost those that HAProxy could not bind
	// though they were free.
	unbound map[bound]error
	lost    map[ports.Socket]error
	// trail is what requests are known again by.
	trail trail.Trail
	// asking is since when clients are asked to go, left since when those of HTTP/2 are.
	asking, left time.Time
}

var _ units.Proxy = (*unit)(nil)

func beginUnit(shared *units.Shared, detours *detours, owner ir.Object) *unit {
	u := &unit{
		Life: units.NewLife[translator.Config](shared, owner), detours: detours, trail: trail.New(),
		lost: map[ports.Socket]error{},
	}
	u.Begin(u)
	return u
}

// Child implements units.Proxy.
func (u *unit) Child() *agent.Child {
	if u.process == nil {
		return nil
	}
	return u.process.child
}

// Fallen implements units.Proxy.
func (u *unit) Fallen() string {
	u.process.runs = nil
	if all := alerts(u.process.said.String()); len(all) > 0 {
		return clean(all[len(all)-1])
	}
	return ""
}

// Serves implements units.Proxy.
func (u *unit) Serves(ctx context.Context) bool { return u.process.serves(ctx) }

// Tend deletes servers that have nothing to do any more, and tries again what was to
// no avail.
func (u *unit) Tend(ctx context.Context) {
	if u.process != nil {
		u.process.dismiss(ctx)
		u.process.crowded = u.process.crowded && u.process.release(ctx)
	}
	switch {
	case u.Assigned == nil:
	case u.Failed:
		u.lost = map[ports.Socket]error{}
		u.Work(ctx)
	case len(u.unbound) > 0:
		u.rebind(ctx)
	case u.agent != nil && u.agent.Rebind():
		u.Report(u.outcome())
	}
	u.Leave(ctx)
}

// rebind tries to have the sockets that could not be had.
func (u *unit) rebind(ctx context.Context) {
	before := len(u.unbound)
	u.lost = map[ports.Socket]error{}
	out, err := u.Guarded(ctx)
	u.Failed = err != nil
	if err == nil && len(u.unbound) != before {
		u.Report(out)
	}
}

// mostThreads is the most that HAProxy has in one group.
const mostThreads = 64

func (u *unit) target() translator.Target {
	return translator.Target{
		Address: u.Assigned.Address, PortOffset: u.Assigned.PortOffset, Zone: u.Options.Zone, Node: u.Options.Node,
		Trail: string(u.trail),
		// What bounds this program bounds HAProxy beside it: threads that take turns on
		// a processor cost more for each request.
		Threads: min(runtime.GOMAXPROCS(0), mostThreads),
	}
}
