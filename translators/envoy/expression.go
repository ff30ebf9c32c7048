package envoy

import (
	"cmp"
	"fmt"
	"regexp"
	"regexp/syntax"
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
	return "(?:" + openEnded(pattern) + ")/", prefix, true
}

// openEnded takes the anchors off an expression's end, which say of a whole path
// what holds anyway, and in the header would ask for nothing to follow.
func openEnded(pattern string) string {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || !endAnchor(parsed) {
		return pattern
	}
	return trimEnd(parsed).String()
}

// trimEnd takes away the anchors that end what an expression fits.
func trimEnd(re *syntax.Regexp) *syntax.Regexp {
	switch re.Op {
	case syntax.OpEndText, syntax.OpEndLine:
		return &syntax.Regexp{Op: syntax.OpEmptyMatch}
	case syntax.OpConcat:
		for i := len(re.Sub) - 1; i >= 0; i-- {
			if re.Sub[i] = trimEnd(re.Sub[i]); !empty(re.Sub[i]) {
				break
			}
		}
	case syntax.OpAlternate, syntax.OpCapture, syntax.OpQuest:
		for i := range re.Sub {
			re.Sub[i] = trimEnd(re.Sub[i])
		}
	}
	return re
}

// empty reports whether nothing is left of an expression.
func empty(re *syntax.Regexp) bool {
	filled := func(sub *syntax.Regexp) bool { return !empty(sub) }
	return re.Op == syntax.OpEmptyMatch || re.Op == syntax.OpCapture && empty(re.Sub[0]) || re.Op == syntax.OpConcat && !slices.ContainsFunc(re.Sub, filled)
}

// endAnchor reports whether an expression says anywhere that a text or a line
// ends.
func endAnchor(re *syntax.Regexp) bool {
	return re.Op == syntax.OpEndText || re.Op == syntax.OpEndLine || slices.ContainsFunc(re.Sub, endAnchor)
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
	if _, there := ladders["/"]; !there && len(rest) > 0 {
		// Every path begins so.
		ladders["/"] = nested(ladder(rungsOf(pick(inOrder, rest))))
	}
	return prefixMap(pathHeader, ladders)
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
		if err := cmp.Or(reads(at+"path", path), ends(at+"path", path), readAll(at+"headers", m.Headers), readAll(at+"queryParams", m.Query)); err != nil {
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

// ends objects to an anchor of the end that more could follow: it cannot be asked
// of the header, in which a slash follows the path.
func ends(at string, want ir.ValueMatch) error {
	if want.Kind != ir.Regex || !endsEarly(want.Value) {
		return nil
	}
	return fmt.Errorf("%s: %q has an anchor of the end in the middle, which Envoy cannot be asked for: write what is meant without it", at, want.Value)
}

func endsEarly(pattern string) bool {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	return err == nil && endAnchor(trimEnd(parsed))
}
