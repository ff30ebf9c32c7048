package haproxy

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/haproxy/record"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// Force puts what is assigned in force, without what HAProxy refuses of it.
func (u *unit) Force(ctx context.Context) (dataplanes.Outcome, error) {
	unit := u.Assigned.Unit
	q := &inquiry{u: u, unit: unit, verdicts: u.Verdicts.Still(unit)}
	for {
		u.Last = translator.Translate(q.verdicts.Apply(unit), u.target(), u.Last)
		err := u.deliver(ctx, u.Last)
		var no refusal
		switch {
		case err == nil:
			u.Succeed(q.verdicts)
			return u.outcome(), nil
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

// outcome is what there is to say of what is in force.
func (u *unit) outcome() dataplanes.Outcome {
	unit := u.Assigned.Unit
	return dataplanes.Outcome{Owner: u.Owner, Version: u.Good.Version, Problems: slices.Concat(
		u.bindProblems(unit), u.Good.Config.Problems, u.Verdicts.Problems(unit), u.agent.Problems(),
	)}
}

// stay has what was in force before go on: HAProxy takes nothing of the assignment, as
// far as can be told.
func (u *unit) stay(ctx context.Context, message string) (dataplanes.Outcome, error) {
	if u.Good.Config == nil {
		return dataplanes.Outcome{}, errors.New(message)
	}
	u.Last = u.Good.Config
	out := u.Everywhere(message)
	out.Version = u.Good.Version
	return out, u.deliver(ctx, u.Good.Config)
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
	path, err := u.Program.Find()
	if err != nil {
		return err
	}
	p, err := prepare(path, u.Options.Dir)
	if err != nil {
		return err
	}
	if u.agent, err = u.detours.start(p.folder.Dir); err != nil {
		p.stop()
		return err
	}
	if p.record, err = record.Listen(p.folder.Dir, u.Records); err != nil {
		u.agent.Close()
		p.stop()
		return err
	}
	u.process = p
	return nil
}

// End closes the unit's sockets, lets what is under way come to an end, as far as
// the settings have patience, and ends the process.
func (u *unit) End() {
	if u.process == nil {
		return
	}
	ctx, cancel := u.Patience()
	defer cancel()
	u.endDetours(func() {
		u.process.drain(ctx)
		u.running.Store(nil)
		u.process.stop()
		u.Ports.Keep(u, nil)
	})
}
