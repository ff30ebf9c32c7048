package upstream

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// Watcher is told of endpoints that are ejected, and taken back: each as often as
// the other, as an endpoint that goes away is taken back first. Its methods must
// not block.
type Watcher interface {
	Ejected(ir.BackendKey)
	Readmitted(ir.BackendKey)
}

// health is what connections to an endpoint have told of it.
type health struct {
	// failures are connections that have failed in a row.
	failures atomic.Int32
	// out is true while the endpoint is ejected.
	out atomic.Bool

	// until is when an ejected endpoint may be tried, by the pool's clock.
	until atomic.Int64

	// The pool's mu is held for the rest, and to write. probed is true from a try of
	// an ejected endpoint on until that was seen to fail.
	probed bool
	// times counts ejections in a row.
	times int
	// last is the failure of a call's connection that was counted last.
	last error
}

// heard takes note of how a try at an endpoint ended. Whoever answers is there;
// what broke off later, or was given up, says nothing.
func (t *tries) heard(e *endpoint, err *Error) {
	switch {
	case err == nil:
		t.pool.reached(e)
	case err.Kind == NoConnection && !err.unseen() && t.pool.isNews(e, err.Err):
		t.pool.missed(e, err.Err)
	}
}

// isNews says whether a failed connection was not told of before. Over HTTP/2 all
// calls that have waited for one are told, by the same error, and it failed once.
func (p *Pool) isNews(e *endpoint, why error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.health.last == why { //nolint:errorlint // It is asked whether it is the same, and not what it is.
		return false
	}
	e.health.last = why
	return true
}

// ourOwn are failures to connect that are of this machine's making: descriptors,
// ports or memory have run out.
var ourOwn = []error{syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM}

func isOurOwn(err error) bool {
	return slices.ContainsFunc(ourOwn, func(own error) bool { return errors.Is(err, own) })
}

// reached takes note that an endpoint is there.
func (p *Pool) reached(e *endpoint) {
	if e.health.failures.Load() == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e.health.failures.Store(0)
	if !e.health.out.Load() {
		return
	}
	p.readmit(e)
	p.resettle()
}

// missed takes note that no connection could be made to an endpoint.
func (p *Pool) missed(e *endpoint, why error) {
	if isOurOwn(why) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.roster.Load()
	rules := r.policy.ejection
	if p.retired || rules == nil || r.byAddr[e.addr] != e {
		return
	}
	e.health.failures.Add(1)
	switch {
	case e.health.out.Load():
		if e.health.probed {
			p.leaveOut(e, rules)
			p.setDue(r)
		}
	case int(e.health.failures.Load()) >= rules.Failures && (len(r.out)+1)*100 <= rules.MaxPercent*len(r.byAddr):
		e.health.out.Store(true)
		p.leaveOut(e, rules)
		if p.watcher != nil {
			p.watcher.Ejected(p.backend.Key)
		}
		p.resettle()
	}
}

// clock is nanoseconds since the pool was made. Unlike the time of day it never
// jumps, so that nothing is left out for longer because somebody has set that.
func (p *Pool) clock() int64 { return int64(p.now().Sub(p.made)) }

// leaveOut leaves an endpoint out for twice as long as the last time.
func (p *Pool) leaveOut(e *endpoint, rules *ir.Ejection) {
	wait := time.Duration(rules.BaseTime)
	for range e.health.times {
		if wait *= 2; wait >= time.Duration(rules.MaxTime) {
			wait = time.Duration(rules.MaxTime)
			break
		}
	}
	e.health.times++
	e.health.probed = false
	e.health.until.Store(p.clock() + int64(wait))
}

// readmit takes an endpoint back, if it is ejected. The roster is settled by the
// caller.
func (p *Pool) readmit(e *endpoint) {
	if !e.health.out.Load() {
		return
	}
	e.health.failures.Store(0)
	e.health.times, e.health.probed = 0, false
	e.health.out.Store(false)
	if p.watcher != nil {
		p.watcher.Readmitted(p.backend.Key)
	}
}

// resettle puts the roster of now in force again, as its endpoints have changed.
func (p *Pool) resettle() {
	next := *p.roster.Load()
	p.settle(&next)
}

// settle tells the endpoints of a roster that are in use from those that are
// ejected, and puts it in force.
func (p *Pool) settle(next *roster) {
	p.keepEnough(next)
	next.open, next.out = next.tiers, nil
	for t, list := range next.tiers {
		if !slices.ContainsFunc(list, isOut) {
			continue
		}
		next.open[t] = nil
		for _, e := range list {
			if isOut(e) {
				next.out = append(next.out, e)
			} else {
				next.open[t] = append(next.open[t], e)
			}
		}
	}
	next.probes = len(next.out)
	if ahead := len(next.tiers[near]) + len(next.tiers[far]); ahead > 0 {
		next.probes -= len(next.tiers[draining]) - len(next.open[draining])
	}
	p.setDue(next)
	p.roster.Store(next)
}

func isOut(e *endpoint) bool { return e.health.out.Load() }

// keepEnough takes back, as others have gone, those whose time is over first.
func (p *Pool) keepEnough(next *roster) {
	most := 0
	if rules := next.policy.ejection; rules != nil {
		most = rules.MaxPercent * len(next.byAddr) / 100
	}
	var out []*endpoint
	for _, list := range next.tiers {
		for _, e := range list {
			if isOut(e) {
				out = append(out, e)
			}
		}
	}
	if len(out) <= most {
		return
	}
	slices.SortStableFunc(out, func(a, b *endpoint) int { return cmp.Compare(a.health.until.Load(), b.health.until.Load()) })
	for _, e := range out[:len(out)-most] {
		p.readmit(e)
	}
}

// setDue says when the first of the ejected endpoints may be tried.
func (p *Pool) setDue(r *roster) {
	due := int64(math.MaxInt64)
	for _, e := range r.out[:r.probes] {
		due = min(due, e.health.until.Load())
	}
	p.due.Store(due)
}

// probe returns an ejected endpoint whose time is over, to one caller; nil for
// all others.
func (p *Pool) probe(r *roster, tried []*endpoint) *endpoint {
	if p.clock() < p.due.Load() {
		return nil
	}
	for _, e := range r.out[:r.probes] {
		if !slices.Contains(tried, e) && p.grant(e) {
			return e
		}
	}
	return nil
}

// grant says whether an ejected endpoint may be tried now. Who asks next has to
// wait for as long as the endpoint was left out first: what became of this try may
// never be known.
func (p *Pool) grant(e *endpoint) bool {
	now := p.clock()
	if now < e.health.until.Load() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.roster.Load()
	if !isOut(e) || now < e.health.until.Load() || r.policy.ejection == nil {
		return false
	}
	e.health.probed = true
	e.health.until.Store(now + int64(r.policy.ejection.BaseTime))
	p.setDue(r)
	return true
}
