package envoy

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/sluice-gateway/sluice/dataplanes/agent"
	"github.com/sluice-gateway/sluice/dataplanes/agent/units"
	"github.com/sluice-gateway/sluice/dataplanes/envoy/ads"
	"github.com/sluice-gateway/sluice/dataplanes/envoy/record"
	"github.com/sluice-gateway/sluice/dataplanes/internal/trail"
	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/envoy"
)

// unit serves one owner with a process of its own.
type unit struct {
	*units.Life[translator.Config]
	// running is the process as others see it.
	running atomic.Pointer[process]

	// What follows belongs to the unit's life.
	process *process
	record  *record.Unit
	// unbound are listeners whose sockets cannot be had, lost those that Envoy could
	// not bind though they were free.
	unbound, lost map[string]error
	// leaving is since when resources are there that nobody names.
	leaving [6]map[string]time.Time
	// trail is what requests are known again by.
	trail trail.Trail
}

var _ units.Proxy = (*unit)(nil)

func beginUnit(shared *units.Shared, owner ir.Object) *unit {
	u := &unit{
		Life: units.NewLife[translator.Config](shared, owner), trail: trail.New(),
		record: record.NewUnit(shared.Records.Metrics, shared.Records.Log),
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
	u.record.Fell()
	if said := u.process.said.Worst(); said != "" {
		return clean(said)
	}
	return ""
}

// Serves implements units.Proxy: what Envoy took, it serves on.
func (u *unit) Serves(context.Context) bool { return u.Good.Config != nil }

// Tend tries again what could not be bound, and takes away what nobody names any more.
func (u *unit) Tend(ctx context.Context) {
	if u.Assigned == nil {
		return
	}
	if u.Failed || len(u.unbound)+len(u.lost) > 0 {
		before := len(u.unbound) + len(u.lost)
		u.lost = nil
		failed := u.Failed
		out, err := u.Guarded(ctx)
		if err == nil && (failed || len(u.unbound)+len(u.lost) != before) {
			u.Failed = false
			u.Report(out)
		}
	}
	u.sweep(time.Now())
}

func (u *unit) target() translator.Target {
	to := translator.Target{
		Address: u.Assigned.Address, PortOffset: u.Assigned.PortOffset, Zone: u.Options.Zone, Node: u.Options.Node,
		Trail: string(u.trail),
	}
	if u.process != nil {
		to.SystemCAs = u.process.files.systemCAs()
	}
	return to
}

// launch says how this unit's Envoy is started.
func (u *unit) launch() (launch, error) {
	path, err := u.Program.Find()
	l := launch{
		// What bounds this program bounds Envoy beside it: threads that take turns on
		// a processor cost more for each request.
		threads: runtime.GOMAXPROCS(0),
		program: path, node: u.Owner.Kind + "/" + u.Owner.Namespace + "/" + u.Owner.Name,
		locality: &corev3.Locality{Zone: u.Options.Zone}, dir: u.Options.Dir, allowed: allowedHere(),
		drain: time.Duration(u.Assigned.Unit.Proxy.Settings.Timeouts.Drain),
	}
	l.lines = u.record
	return l, err
}

// start starts the process, unless it runs.
func (u *unit) start() error {
	if u.process != nil {
		return u.process.keepSessionKey(u.SessionKey())
	}
	l, err := u.launch()
	if err != nil {
		return err
	}
	if u.process, err = startProcess(l); err != nil {
		return err
	}
	u.running.Store(u.process)
	for kind := range u.leaving {
		u.leaving[kind] = map[string]time.Time{}
	}
	return u.process.keepSessionKey(u.SessionKey())
}

// resourcesOf returns those of a kind.
func resourcesOf(c *translator.Config, kind ads.Kind) []*translator.Resource {
	switch kind {
	case ads.Secrets:
		return c.Secrets
	case ads.Endpoints:
		return c.Endpoints
	case ads.Clusters:
		return c.Clusters
	case ads.Listeners:
		return c.Listeners
	case ads.Runtimes:
		return c.Runtimes
	case ads.Filters:
		return c.Filters
	default:
		return c.Routes
	}
}

// originsOf returns what a resource was made from.
func originsOf(c *translator.Config, kind ads.Kind, name string) []ir.Origin {
	for _, r := range resourcesOf(c, kind) {
		if r.Name == name {
			return r.Origins
		}
	}
	return nil
}
