package envoy

import (
	matcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// tree is what one hostname of one listener serves, as levels that are asked
// one after the other: exact paths, expressions, prefixes. Where what is found
// in a level does not take the request, Envoy goes on: in a level of prefixes
// with shorter ones, then with the next level.
type tree struct {
	levels []*matcherv3.Matcher
	// leaves are kept for the next translation.
	leaves map[path]*leaf
	// routes is the number of routes that the tree holds.
	routes int
}

// path is where a leaf is.
type path struct {
	kind  ir.MatchKind
	value string
}

// leaf is what is asked of requests of one path, and the entries that it was
// made from, the winning one first.
type leaf struct {
	entries []order.Entry
	made    *matcherv3.Matcher_OnMatch
}

// newTree makes a host's tree. Leaves whose entries have not changed are taken
// over from last, which may be nil.
func newTree(h *order.Host, routes func(order.Entry) *matcherv3.Matcher_OnMatch, last *tree) *tree {
	t := &tree{leaves: make(map[path]*leaf, len(h.Entries)), routes: len(h.Entries)}
	expressions := t.gather(h.Entries)
	exact, prefixes := onMatches{}, onMatches{}
	for at, l := range t.leaves {
		l.make(at, routes, last)
		if at.kind == ir.Exact {
			exact[at.key()] = l.made
		} else {
			prefixes[at.key()] = l.made
		}
	}
	if len(exact) > 0 {
		t.levels = append(t.levels, exactMap(pathHeader, exact))
	}
	if level := expressionLevel(expressions, routes); level != nil {
		t.levels = append(t.levels, level)
	}
	if len(prefixes) > 0 {
		t.levels = append(t.levels, prefixMap(pathHeader, prefixes))
	}
	return t
}

// gather sorts entries by their paths, and returns those that have an
// expression instead.
func (t *tree) gather(entries []order.Entry) (expressions []order.Entry) {
	for _, e := range entries {
		m := e.Match().Path
		if m.Kind == ir.Regex {
			expressions = append(expressions, e)
			continue
		}
		at := path{m.Kind, order.Literal(m)}
		if t.leaves[at] == nil {
			t.leaves[at] = &leaf{}
		}
		t.leaves[at].entries = append(t.leaves[at].entries, e)
	}
	return expressions
}

func (l *leaf) make(at path, routes func(order.Entry) *matcherv3.Matcher_OnMatch, last *tree) {
	if last != nil {
		if known := last.leaves[at]; known != nil && sameEntries(known.entries, l.entries) {
			l.made = known.made
			return
		}
	}
	l.made = conditionsOf(l.entries, routes)
}

// key is what a path is looked for under, in the header that holds a request's
// path and a slash: "/a/" is at the beginning of "/a/" and of "/a/b/", and not
// of "/ab/".
func (p path) key() string {
	if p.kind == ir.Prefix && p.value == "/" {
		return "/"
	}
	return p.value + "/"
}

// chain asks trees one after the other, and what each asks level by level. It
// is nil where there is nothing to ask.
func chain(trees []*tree) *matcherv3.Matcher {
	var next *matcherv3.Matcher
	for i := len(trees) - 1; i >= 0; i-- {
		for j := len(trees[i].levels) - 1; j >= 0; j-- {
			level := &matcherv3.Matcher{MatcherType: trees[i].levels[j].MatcherType}
			if next != nil {
				level.OnNoMatch = nested(next)
			}
			next = level
		}
	}
	return next
}
