package envoy

import (
	"slices"

	matcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// tree is what the routes of one hostname of one listener say, as levels that are
// asked one after the other: exact paths, expressions, prefixes. Where what is
// found in a level does not take the request, Envoy goes on: in a level of
// prefixes with shorter ones, then with the next level.
type tree struct {
	levels []*matcherv3.Matcher
	// leaves are kept for the next translation, and where they are by their spot.
	leaves []leaf
	spots  map[spot]int
	// expressions are kept by their entries.
	expressions map[order.Entry]*expression
	// routes is the number of routes that the tree holds.
	routes int
}

// spot is where a leaf is.
type spot struct {
	kind ir.MatchKind
	path string
}

// leaf is what is asked of requests of one path, and the entries that it was
// made from, the winning one first.
type leaf struct {
	spot
	key     string
	entries []order.Entry
	made    *matcherv3.Matcher_OnMatch
}

// branches say how the parts of a tree are made.
type branches struct {
	// serve is what becomes of the requests that an entry wins.
	serve func(order.Entry) *matcherv3.Matcher_OnMatch
	// touched reports whether entries read something that has changed.
	touched func([]order.Entry) bool
	// last is what the hostname had before, or nil.
	last *tree
}

// newTree makes a host's tree. Leaves whose entries have not changed are taken
// over from the last.
func newTree(entries []order.Entry, b branches) *tree {
	t := &tree{routes: len(entries)}
	expressions := t.gather(entries)
	exact, prefixes := make(onMatches, t.count(ir.Exact)), make(onMatches, t.count(ir.Prefix))
	for i := range t.leaves {
		l := &t.leaves[i]
		b.grow(l)
		level := prefixes
		if l.kind == ir.Exact {
			level = exact
		}
		level[l.key] = l.made
		for _, other := range spellings(l.spot) {
			level[other] = l.made
		}
	}
	if len(exact) > 0 {
		t.levels = append(t.levels, exactMap(pathHeader, exact))
	}
	if level := b.expressions(t, expressions); level != nil {
		t.levels = append(t.levels, level)
	}
	if len(prefixes) > 0 {
		t.levels = append(t.levels, prefixMap(pathHeader, prefixes))
	}
	return t
}

func (t *tree) count(kind ir.MatchKind) int {
	n := 0
	for i := range t.leaves {
		if t.leaves[i].kind == kind {
			n++
		}
	}
	return n
}

// gather sorts entries by their paths, and returns those that have an
// expression instead. It makes few lists, however many paths there are.
func (t *tree) gather(entries []order.Entry) (expressions []order.Entry) {
	t.spots, t.leaves = make(map[spot]int, len(entries)), make([]leaf, 0, len(entries))
	at, sizes := make([]int, len(entries)), make([]int, 0, len(entries))
	for i, e := range entries {
		m := e.Match().Path
		if m.Kind == ir.Regex {
			expressions, at[i] = append(expressions, e), -1
			continue
		}
		p := spot{m.Kind, order.Literal(m)}
		n, found := t.spots[p]
		if !found {
			n = len(t.leaves)
			t.spots[p], t.leaves, sizes = n, append(t.leaves, leaf{spot: p}), append(sizes, 0)
		}
		at[i] = n
		sizes[n]++
	}
	all := make([]order.Entry, len(entries)-len(expressions))
	for n, size := range sizes {
		t.leaves[n].entries, all = all[:0:size], all[size:]
	}
	for i, n := range at {
		if n >= 0 {
			t.leaves[n].entries = append(t.leaves[n].entries, entries[i])
		}
	}
	return expressions
}

// grow makes a leaf, or takes it over.
func (b branches) grow(l *leaf) {
	if b.last != nil {
		if n, found := b.last.spots[l.spot]; found {
			known := &b.last.leaves[n]
			l.key = known.key
			if slices.Equal(known.entries, l.entries) && !b.touched(l.entries) {
				l.made = known.made
				return
			}
		}
	}
	if l.key == "" {
		l.key = l.spot.text()
	}
	l.made = b.conditions(l.entries, nil)
}

// text is what a path is looked for under, in the header that holds a request's
// path and a slash: "/a/" is at the beginning of "/a/" and of "/a/b/", and not
// of "/ab/".
func (p spot) text() string {
	if p.kind == ir.Prefix && p.path == "/" {
		return "/"
	}
	return p.path + "/"
}

// chain asks a hostname's tree, then those around it.
func chain(h *hosting) *matcherv3.Matcher {
	next := orElse
	for i := len(h.around) - 1; i >= 0; i-- {
		next = h.around[i].tree.before(next)
	}
	return h.tree.before(next)
}

// before asks a tree, and then what comes next; nil is nothing.
func (t *tree) before(next *matcherv3.Matcher) *matcherv3.Matcher {
	for i := len(t.levels) - 1; i >= 0; i-- {
		next = then(t.levels[i], next)
	}
	return next
}

// then asks a matcher, and then what comes next; nil is nothing. The matcher stays
// as it is: others ask it, too.
func then(m, next *matcherv3.Matcher) *matcherv3.Matcher {
	asked := &matcherv3.Matcher{MatcherType: m.MatcherType}
	switch next {
	case nil:
	case orElse:
		asked.OnNoMatch = orElse.GetOnNoMatch()
	default:
		asked.OnNoMatch = nested(next)
	}
	return asked
}
