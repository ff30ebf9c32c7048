package envoy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/agent/units"
	"github.com/sluice-gateway/sluice/dataplanes/envoy/ads"
	translator "github.com/sluice-gateway/sluice/translators/envoy"
)

// patience is how long Envoy may be slow with an assignment while another waits.
const patience = time.Second

// Force puts what is assigned in force, without what Envoy refuses of it.
func (u *unit) Force(ctx context.Context) (dataplanes.Outcome, error) {
	if err := u.start(); err != nil {
		return dataplanes.Outcome{}, err
	}
	unit := u.Assigned.Unit
	q := &inquiry{u: u, unit: unit, verdicts: u.Verdicts.Still(unit)}
	defer q.end()
	u.lost = map[string]error{}
	for {
		u.Last = translator.Translate(q.verdicts.Apply(unit), u.target(), u.Last)
		q.config = u.Last
		refusals, err := u.push(ctx, q.config)
		if errors.As(err, &fatal{}) && u.hasBetter() {
			return u.stay(ctx, err.Error())
		}
		if err != nil {
			return dataplanes.Outcome{}, err
		}
		if len(refusals) == 0 {
			return u.succeed(q), nil
		}
		news, err := q.blame(ctx, refusals)
		if err != nil {
			return dataplanes.Outcome{}, err
		}
		if !news {
			return u.stay(ctx, objection(refusals[0].Message))
		}
	}
}

// fatal is that Envoy ends each time that it is given something.
type fatal struct{ cause, said string }

func (f fatal) Error() string {
	return fmt.Sprintf("Envoy ends each time that it is started with this (%s): %s", f.cause, f.said)
}

// succeed takes note of what is in force.
func (u *unit) succeed(q *inquiry) dataplanes.Outcome {
	u.standing()
	u.Succeed(q.verdicts)
	return dataplanes.Outcome{Owner: u.Owner, Version: u.Assigned.Version, Problems: slices.Concat(
		u.bindProblems(q.unit, q.config), q.config.Problems, q.verdicts.Problems(q.unit),
	)}
}

// standing forgets that the process has ended before: it runs now, with what is
// wanted.
func (u *unit) standing() {
	select {
	case <-u.process.child.Ended():
	default:
	}
}

// hasBetter reports whether there is something else to go back to.
func (u *unit) hasBetter() bool {
	return u.Good.Config != nil && u.Good.Version != u.Assigned.Version
}

// stay goes back to what was in force before: Envoy bears nothing of the
// assignment, as far as can be told.
func (u *unit) stay(ctx context.Context, message string) (dataplanes.Outcome, error) {
	out := u.Everywhere(message)
	if !u.hasBetter() {
		return out, nil
	}
	u.Last = nil
	for kind := range u.leaving {
		k := ads.Kind(kind)
		u.process.server.Remove(k, u.process.server.Others(k, resources(resourcesOf(u.Good.Config, k))))
	}
	if _, err := u.push(ctx, u.Good.Config); err != nil {
		return out, err
	}
	u.standing()
	out.Version = u.Good.Version
	return out, nil
}

// push gives resources to Envoy so that nothing ever names what is missing: first
// what others name, once that is ready those who name it. What nobody names any
// more stays for a while (sweep). It returns at the first step that is refused.
func (u *unit) push(ctx context.Context, c *translator.Config) ([]ads.Refusal, error) {
	u.record.Use(c)
	listeners := u.claim(c)
	for _, step := range []func() bool{
		func() bool {
			s := u.process.server
			_ = s.Add(ads.Endpoints, resources(c.Endpoints))
			_ = s.Add(ads.Runtimes, resources(c.Runtimes))
			secrets, clusters := s.Add(ads.Secrets, resources(c.Secrets)), s.Add(ads.Clusters, resources(c.Clusters))
			return secrets || clusters
		},
		func() bool {
			_ = u.process.server.Add(ads.Routes, resources(c.Routes))
			_ = u.process.server.Add(ads.Filters, resources(c.Filters))
			return u.process.server.Put(ads.Listeners, resources(listeners))
		},
	} {
		changed := step()
		refusals, err := u.settle(ctx, changed)
		if refusals = about(c, refusals); err != nil || len(refusals) > 0 {
			return refusals, err
		}
	}
	u.yield(listeners)
	u.note(c, time.Now())
	return nil, nil
}

// about returns those refusals that name something of a configuration: what is
// leaving may be refused again by an Envoy that was started again.
func about(c *translator.Config, refusals []ads.Refusal) []ads.Refusal {
	return slices.DeleteFunc(refusals, func(r ads.Refusal) bool {
		return !slices.ContainsFunc(resourcesOf(c, r.Kind), func(x *translator.Resource) bool { return slices.Contains(r.Names, x.Name) })
	})
}

func resources(all []*translator.Resource) []ads.Resource {
	out := make([]ads.Resource, 0, len(all))
	for _, r := range all {
		out = append(out, ads.Resource{Name: r.Name, Message: r.Message})
	}
	return out
}

// settle waits until Envoy has answered and, where clusters, secrets or listeners
// are new, until none of them is warming.
func (u *unit) settle(ctx context.Context, warm bool) ([]ads.Refusal, error) {
	ctx, cancel := u.bounded(ctx)
	defer cancel()
	var all []ads.Refusal
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		refusals, err := u.process.server.Settle(ctx)
		all = append(all, refusals...)
		if err != nil || len(all) > 0 || !warm {
			return all, err
		}
		if warming, err := u.process.admin.warming(ctx); err == nil && !warming && u.process.server.Quiet() {
			return nil, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// bounded ends a wait for Envoy where another assignment waits, or where Envoy ends
// each time that it is given this one.
func (u *unit) bounded(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	starts, _ := u.process.child.Starts()
	go func() {
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(patience):
			}
			if now, err := u.process.child.Starts(); now > starts+mostStarts {
				cancel(fatal{fmt.Sprint(err), clean(u.process.said.Worst())})
			}
			if u.Overtaken() {
				cancel(units.ErrOvertaken)
			}
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// mostStarts is how often Envoy may end before it is given up.
const mostStarts = 4

// note stamps what is there and nobody names.
func (u *unit) note(c *translator.Config, now time.Time) {
	for kind := range u.leaving {
		still := map[string]time.Time{}
		for _, name := range u.process.server.Others(ads.Kind(kind), resources(resourcesOf(c, ads.Kind(kind)))) {
			still[name] = now
			if since, there := u.leaving[kind][name]; there {
				still[name] = since
			}
		}
		u.leaving[kind] = still
	}
}

// linger is how long what nobody names any more is kept: a request that was matched
// before may still be on its way to it.
const linger = 5 * time.Second

// sweep takes away what nobody has named for a while.
func (u *unit) sweep(now time.Time) {
	if u.process == nil {
		return
	}
	for _, kind := range []ads.Kind{ads.Routes, ads.Filters, ads.Clusters, ads.Endpoints, ads.Secrets} {
		var gone []string
		for name, since := range u.leaving[kind] {
			if now.Sub(since) >= linger {
				gone = append(gone, name)
				delete(u.leaving[kind], name)
			}
		}
		u.process.server.Remove(kind, gone)
	}
}
