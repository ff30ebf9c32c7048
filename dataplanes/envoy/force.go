package envoy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/envoy/ads"
	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/envoy"
)

// errOvertaken ends work on an assignment that Envoy is slow with, because another
// one waits.
var errOvertaken = errors.New("another assignment waits")

// patience is how long Envoy may be slow with an assignment while another waits.
const patience = time.Second

// force puts what is assigned in force, without what Envoy refuses of it.
func (u *unit) force(ctx context.Context) (dataplanes.Outcome, error) {
	if err := u.start(); err != nil {
		return dataplanes.Outcome{}, err
	}
	unit := u.assigned.Unit
	q := &inquiry{u: u, unit: unit, verdicts: u.verdicts.still(unit)}
	defer q.end()
	u.lost = map[string]error{}
	for {
		u.last = translator.Translate(q.verdicts.apply(unit), u.target(), u.last)
		q.config = u.last
		refusals, err := u.push(ctx, q.config)
		if err != nil {
			return dataplanes.Outcome{}, err
		}
		if len(refusals) == 0 {
			return u.succeed(q), nil
		}
		if news, err := q.blame(ctx, refusals); err != nil || !news {
			return u.stay(ctx, refusals, err)
		}
	}
}

// succeed takes note of what is in force.
func (u *unit) succeed(q *inquiry) dataplanes.Outcome {
	u.local.records.metrics.Swapped()
	u.verdicts = q.verdicts
	u.good = good{config: q.config, version: u.assigned.Version, rules: map[*ir.Rule]bool{}}
	for _, rule := range rulesOf(q.unit) {
		u.good.rules[rule] = true
	}
	out := dataplanes.Outcome{Owner: u.owner, Version: u.assigned.Version}
	out.Problems = slices.Concat(u.bindProblems(q.unit, q.config), q.config.Problems, q.verdicts.problems(q.unit))
	return out
}

// stay goes back to what was in force before: what Envoy refuses is nothing that
// could be left out.
func (u *unit) stay(ctx context.Context, refusals []ads.Refusal, err error) (dataplanes.Outcome, error) {
	if err != nil {
		return dataplanes.Outcome{}, err
	}
	message := objection(refusals[0].Message)
	out := u.everywhere(message)
	if u.good.config == nil {
		return out, nil
	}
	if _, err := u.push(ctx, u.good.config); err != nil {
		return out, err
	}
	out.Version = u.good.version
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
		if refusals, err := u.settle(ctx, changed); err != nil || len(refusals) > 0 {
			return refusals, err
		}
	}
	u.yield(listeners)
	u.note(c, time.Now())
	return nil, nil
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
				cancel(fmt.Errorf("Envoy ends each time that it is started with this (%w): %s", err, clean(u.process.said.Worst())))
			}
			if u.overtaken() {
				cancel(errOvertaken)
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
