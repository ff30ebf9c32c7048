package table

import (
	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir/order"
)

// rows are the matches of one path, in winning order.
type rows struct {
	all []row
	// pivots are set for a long list. A row is in one of them, or in rest.
	pivots []pivot
	// rest are places in all, ascending.
	rest []int
}

// pivot finds rows by the value that they want of one header or parameter: a
// thousand rules that differ by a tenant's header cost one map look-up instead
// of a thousand comparisons.
type pivot struct {
	name   string
	header bool
	// byValue holds places in rows.all, ascending.
	byValue map[string][]int
}

// indexFrom is the length from which a list is worth an index.
const indexFrom = 16

func (l *rows) add(w row) { l.all = append(l.all, w) }

// index sorts the rows of a long list by what they want.
func (l *rows) index() {
	if len(l.all) < indexFrom {
		return
	}
	type key struct {
		name   string
		header bool
	}
	places := map[key]int{}
	for i := range l.all {
		c, header := l.all[i].distinguishing()
		if c == nil {
			l.rest = append(l.rest, i)
			continue
		}
		k := key{c.name, header}
		at, found := places[k]
		if !found {
			at = len(l.pivots)
			places[k] = at
			l.pivots = append(l.pivots, pivot{name: c.name, header: header, byValue: map[string][]int{}})
		}
		l.pivots[at].byValue[c.value] = append(l.pivots[at].byValue[c.value], i)
	}
}

// distinguishing returns the row's first exact condition, and whether it is one
// on a header; nil where it has none.
func (w *row) distinguishing() (c *condition, header bool) {
	for i := range w.headers {
		if w.headers[i].kind == equal {
			return &w.headers[i], true
		}
	}
	for i := range w.query {
		if w.query[i].kind == equal {
			return &w.query[i], false
		}
	}
	return nil, false
}

// lookup returns the first row that matches, or nil.
func (l *rows) lookup(r *exchange.Request) *row {
	if len(l.all) < indexFrom {
		for i := range l.all {
			if l.all[i].matches(r) {
				return &l.all[i]
			}
		}
		return nil
	}
	best := l.among(l.rest, len(l.all), r)
	for i := range l.pivots {
		best = l.among(l.pivots[i].candidates(r), best, r)
	}
	if best == len(l.all) {
		return nil
	}
	return &l.all[best]
}

// among returns the first of some places whose row matches and that comes before
// best, or best.
func (l *rows) among(places []int, best int, r *exchange.Request) int {
	for _, i := range places {
		if i >= best {
			break
		}
		if l.all[i].matches(r) {
			return i
		}
	}
	return best
}

// candidates returns the rows that want the value that the request has.
func (p *pivot) candidates(r *exchange.Request) []int {
	if p.header {
		value, found := headerValue(r.Header, p.name)
		if !found {
			return nil
		}
		return p.byValue[value]
	}
	raw, found := rawParameter(r.Query, p.name)
	if !found {
		return nil
	}
	return p.byValue[order.Unescape(raw)]
}
