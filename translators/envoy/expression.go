package envoy

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	matcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// expression is an entry with a path expression.
type expression struct {
	// rung is nil where the expression fits nothing.
	rung *rung
	// prefix is what every path begins with that it fits.
	prefix string
}

// manyExpressions is from where on they are looked up by their prefixes.
const manyExpressions = 8

// expressions asks the expressions of a host, in order. It is nil where none can
// fit anything.
func (b branches) expressions(t *tree, entries []order.Entry) *matcherv3.Matcher {
	t.expressions = make(map[order.Entry]*expression, len(entries))
	inOrder := make([]*expression, 0, len(entries))
	for i, e := range entries {
		made := b.expression(entries[i : i+1])
		t.expressions[e] = made
		if made.rung != nil {
			inOrder = append(inOrder, made)
		}
	}
	switch {
	case len(inOrder) == 0:
		return nil
	case len(inOrder) < manyExpressions:
		return ladder(rungsOf(inOrder))
	default:
		return byPrefix(inOrder)
	}
}

// expression makes the one of an entry, or takes it over.
func (b branches) expression(entry []order.Entry) *expression {
	e := entry[0]
	if b.last != nil && !b.touched(entry) {
		if known := b.last.expressions[e]; known != nil {
			return known
		}
	}
	pattern, prefix, ok := pathPattern(e.Match().Path.Value)
	if !ok {
		return &expression{}
	}
	wanted := append(wants(e.Match(), nil), fits(pathHeader, pattern))
	return &expression{prefix: prefix, rung: &rung{Predicate: all(wanted), OnMatch: b.serve(e)}}
}

func rungsOf(all []*expression) []*rung {
	rungs := make([]*rung, 0, len(all))
	for _, x := range all {
		rungs = append(rungs, x.rung)
	}
	return rungs
}

// pathPattern makes a path's expression one of the header that holds the path
// and a slash, and says what it begins with. One that does not compile claims what
// it surely meant; it is false where that is nothing.
func pathPattern(pattern string) (fitting, prefix string, ok bool) {
	if _, err := order.Regexp(pattern); err != nil {
		prefix, ok = order.Claims(pattern)
		return regexp.QuoteMeta(prefix) + ".*/", prefix, ok
	}
	if begun, err := regexp.Compile(strings.TrimPrefix(pattern, "^")); err == nil {
		prefix, _ = begun.LiteralPrefix()
	}
	return "(?:" + pattern + ")/", prefix, true
}

// byPrefix asks of many expressions those alone that a path can fit: under each
// prefix stand the expressions that begin with it or with a part of it, so that
// the longest prefix of a path has all that it can fit, in order. Where they would
// stand in many places all are asked.
func byPrefix(inOrder []*expression) *matcherv3.Matcher {
	places := map[string][]int{}
	for i, x := range inOrder {
		places[x.prefix] = append(places[x.prefix], i)
	}
	rest := places[""]
	delete(places, "")
	ladders, written := make(onMatches, len(places)), 0
	for prefix := range places {
		under := slices.Clone(rest)
		for i := 1; i <= len(prefix); i++ {
			under = append(under, places[prefix[:i]]...)
		}
		if written += len(under); written > 2*len(inOrder) {
			return ladder(rungsOf(inOrder))
		}
		slices.Sort(under)
		ladders[prefix] = nested(ladder(rungsOf(pick(inOrder, under))))
	}
	level := prefixMap(pathHeader, ladders)
	if len(rest) > 0 {
		level.OnNoMatch = nested(ladder(rungsOf(pick(inOrder, rest))))
	}
	return level
}

func pick(from []*expression, places []int) []*expression {
	picked := make([]*expression, 0, len(places))
	for _, i := range places {
		picked = append(picked, from[i])
	}
	return picked
}

// unreadable is the first expression of matches that does not compile; nil where
// all do.
func unreadable(matches []ir.Match) error {
	for i := range matches {
		m := &matches[i]
		at := fmt.Sprintf("matches[%d].", i)
		path := ir.ValueMatch{Kind: m.Path.Kind, Value: m.Path.Value}
		if err := cmp.Or(reads(at+"path", path), readAll(at+"headers", m.Headers), readAll(at+"queryParams", m.Query)); err != nil {
			return err
		}
	}
	return nil
}

func readAll(at string, wanted []ir.ValueMatch) error {
	for _, want := range wanted {
		if err := reads(at+"["+want.Name+"]", want); err != nil {
			return err
		}
	}
	return nil
}

func reads(at string, want ir.ValueMatch) error {
	if want.Kind != ir.Regex {
		return nil
	}
	if _, err := order.Regexp(want.Value); err != nil {
		return fmt.Errorf("%s: %q is not an RE2 expression: %w", at, want.Value, err)
	}
	return nil
}
