package haproxy

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/agent/verdict"
	"github.com/sluice-gateway/sluice/dataplanes/haproxy/record"
	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// force puts what is assigned in force, without what HAProxy refuses of it.
func (u *unit) force(ctx context.Context) (dataplanes.Outcome, error) {
	unit := u.assigned.Unit
	q := &inquiry{u: u, unit: unit, verdicts: u.verdicts.Still(unit)}
	for {
		u.last = translator.Translate(q.verdicts.Apply(unit), u.target(), u.last)
		err := u.deliver(ctx, u.last)
		var no refusal
		switch {
		case err == nil:
			return u.succeed(q), nil
		case !errors.As(err, &no) || no.layout == nil && !u.loses(no.said):
			return dataplanes.Outcome{}, err
		case no.layout == nil:
			continue
		}
		news, err := q.blame(ctx, no)
		if err != nil {
			return dataplanes.Outcome{}, err
		}
		if !news {
			return u.stay(ctx, no.Error())
		}
	}
}

// good is what HAProxy took as a whole.
type good struct {
	config  *translator.Config
	version string
	rules   map[*ir.Rule]bool
}

// succeed takes note of what is in force.
func (u *unit) succeed(q *inquiry) dataplanes.Outcome {
	u.verdicts = q.verdicts
	u.good = good{config: u.last, version: u.assigned.Version, rules: map[*ir.Rule]bool{}}
	for _, rule := range verdict.RulesOf(q.unit) {
		u.good.rules[rule] = true
	}
	u.local.records.Metrics.Swapped()
	return u.outcome()
}

// outcome is what there is to say of what is in force.
func (u *unit) outcome() dataplanes.Outcome {
	unit := u.assigned.Unit
	return dataplanes.Outcome{Owner: u.owner, Version: u.good.version, Problems: slices.Concat(
		u.bindProblems(unit), u.good.config.Problems, u.verdicts.Problems(unit), u.agent.Problems(),
	)}
}

// stay has what was in force before go on: HAProxy takes nothing of the assignment, as
// far as can be told.
func (u *unit) stay(ctx context.Context, message string) (dataplanes.Outcome, error) {
	if u.good.config == nil {
		return dataplanes.Outcome{}, errors.New(message)
	}
	u.last = u.good.config
	out := u.everywhere(message)
	out.Version = u.good.version
	return out, u.deliver(ctx, u.good.config)
}

// deliver has HAProxy run a configuration.
func (u *unit) deliver(ctx context.Context, c *translator.Config) error {
	if u.process == nil {
		if err := u.prepare(); err != nil {
			return err
		}
	}
	u.detour(c)
	u.process.record.Use(c)
	can := *c
	can.Sections = u.claim(c.Sections)
	next := newLayout(&can, u.process.runs, time.Now())
	next.process = u.processText()
	err := u.process.apply(ctx, next)
	if u.process.child != nil {
		u.running.Store(u.process)
	}
	if err == nil {
		u.yield(can.Sections)
	}
	return err
}

// prepare makes a folder for the process, and has the agent listen there.
func (u *unit) prepare() error {
	path, err := u.local.program.Find()
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
	if p.record, err = record.Listen(p.folder.dir, u.local.records); err != nil {
		u.agent.Close()
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
		u.local.ports.Keep(u, nil)
	})
}

func drainContext(bound time.Duration) (context.Context, context.CancelFunc) {
	if bound <= 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), bound)
}
