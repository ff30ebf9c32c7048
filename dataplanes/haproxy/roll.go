package haproxy

import (
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// roll takes note of the Services whose endpoints another layout changes.
func (p *process) roll(next *layout, now time.Time) {
	for key, at := range p.rolled {
		if now.Sub(at) >= translator.RollingFor {
			delete(p.rolled, key)
		}
	}
	if p.runs == nil {
		return
	}
	for key, s := range next.sections {
		have := p.runs.sections[key]
		if have == nil || have == s || have.Pool == nil || s.Pool == nil || have.Pool == s.Pool {
			continue
		}
		if !slices.Equal(have.Pool.Servers, s.Pool.Servers) {
			p.rolled[s.Pool.Endpoints] = now
		}
	}
}

// rolling has the requests kept, in all sections of the Services whose endpoints have
// changed since, so that none of them is lost to one that ends.
func (p *process) rolling(l *layout, since time.Time) []command {
	var all []command
	if !p.rolledSince(since) {
		return nil
	}
	for key, s := range l.sections {
		if s.Pool == nil {
			continue
		}
		if at, rolled := p.rolled[s.Pool.Endpoints]; rolled && !at.Before(since) {
			all = append(all, command{line: "set table " + translator.RollingTable + " key " + key.name + " data.gpt0 1"})
		}
	}
	return all
}

// rolledSince spares an edit among thousands of sections the look at all of them.
func (p *process) rolledSince(since time.Time) bool {
	for _, at := range p.rolled {
		if !at.Before(since) {
			return true
		}
	}
	return false
}

// rolled are when the endpoints of Services have changed last, for as long as it
// matters.
type rolled map[ir.EndpointsKey]time.Time
