package haproxy

import (
	"context"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/agent/records"
	"github.com/sluice-gateway/sluice/dataplanes/haproxy/detour"
	"github.com/sluice-gateway/sluice/dataplanes/internal/allowance"
	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
	"github.com/sluice-gateway/sluice/dataplanes/internal/mirror"
	"github.com/sluice-gateway/sluice/dataplanes/internal/upstream"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// detours are what the agents of all units have in common.
type detours struct {
	detour.Options
	end context.CancelFunc
}

func newDetours(opts dataplanes.Options, r *records.Records) *detours {
	ctx, end := context.WithCancel(context.Background())
	guard.Collect()
	d := &detours{end: end, Options: detour.Options{
		Metrics: r.Metrics, Log: r.Log, Mirrors: mirror.New(ctx, r.Metrics.MirrorDropped), Place: upstream.Place{Zone: opts.Zone, Node: opts.Node},
		Guard: guard.New(guard.Input{Descriptors: allowance.Descriptors(), Memory: guard.Memory()}),
	}}
	r.Metrics.CountDetours()
	go d.Guard.Watch(ctx)
	return d
}

// close cuts off the copies that are under way.
func (d *detours) close() {
	d.end()
	d.Mirrors.Wait()
}

// start returns the agent of one unit, for a HAProxy that runs in a folder.
func (d *detours) start(dir string) (*detour.Agent, error) {
	opts := d.Options
	opts.Dir = dir
	return detour.New(opts)
}

// detour has the agent ready for what a configuration leads to it.
func (u *unit) detour(c *translator.Config) {
	u.agent.Apply(detour.Input{
		Unit: c.Unit(), Detours: c.Detours, Address: u.Assigned.Address, PortOffset: u.Assigned.PortOffset,
	})
}

// endDetours lets sessions of UDP come to an end while a process ends, and then ends
// the agent.
func (u *unit) endDetours(process func()) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(u.Assigned.Unit.Proxy.Settings.Timeouts.Drain))
	defer cancel()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		u.agent.Drain(ctx)
	}()
	process()
	<-drained
	u.agent.Close()
}
