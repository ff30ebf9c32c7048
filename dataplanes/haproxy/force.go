package haproxy

import (
	"context"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// force puts what is assigned in force.
func (u *unit) force(ctx context.Context) (dataplanes.Outcome, error) {
	u.last = translator.Translate(u.assigned.Unit, u.target(), u.last)
	if err := u.deliver(ctx, u.last); err != nil {
		return dataplanes.Outcome{}, err
	}
	u.version = u.assigned.Version
	u.local.metrics.Swapped()
	return u.outcome(), nil
}

// outcome is what there is to say of what is in force.
func (u *unit) outcome() dataplanes.Outcome {
	return dataplanes.Outcome{Owner: u.owner, Version: u.version, Problems: slices.Concat(u.last.Problems, u.agent.Problems())}
}

// deliver has HAProxy run a configuration.
func (u *unit) deliver(ctx context.Context, c *translator.Config) error {
	if u.process == nil {
		if err := u.prepare(); err != nil {
			return err
		}
	}
	u.detour()
	next := newLayout(c, u.process.runs, time.Now())
	next.process = u.processText()
	err := u.process.apply(ctx, next)
	if u.process.child != nil {
		u.running.Store(u.process)
	}
	return err
}

// prepare makes a folder for the process, and has the agent listen there.
func (u *unit) prepare() error {
	path, err := u.local.program.find()
	if err != nil {
		return err
	}
	p, err := prepare(path, u.local.opts.Dir)
	if err != nil {
		return err
	}
	if u.agent, err = u.local.detours.start(p.folder.dir); err != nil {
		p.stop()
		return err
	}
	u.process = p
	return nil
}

// end closes the unit's sockets, lets what is under way come to an end, as far as
// the settings have patience, and ends the process.
func (u *unit) end() {
	if u.process == nil {
		return
	}
	ctx, cancel := drainContext(time.Duration(u.assigned.Unit.Proxy.Settings.Timeouts.Drain))
	defer cancel()
	u.endDetours(func() {
		u.process.drain(ctx)
		u.running.Store(nil)
		u.process.stop()
	})
}

func drainContext(bound time.Duration) (context.Context, context.CancelFunc) {
	if bound <= 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), bound)
}
