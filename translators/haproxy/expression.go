package haproxy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// expression is a pattern as HAProxy gets it.
type expression struct {
	// text is what lua/automaton.lua reads; empty where err says why there is none.
	text string
	err  error
	// size is how long the text is. One that is not served has nothing else.
	size int
	// prefix is what every path begins with that it fits, and fits is false where no
	// path can be fitted.
	prefix string
	fits   bool
}

// read makes a pattern's automaton, or takes it over.
func (c *Config) read(pattern string) *expression {
	if e := c.made.expressions[pattern]; e != nil {
		return e
	}
	e := c.kept.expressions[pattern]
	if e == nil {
		e = newExpression(pattern)
	}
	c.made.expressions[pattern] = e
	return e
}

func newExpression(pattern string) *expression {
	e := &expression{}
	if _, err := order.Regexp(pattern); err != nil {
		e.err = fmt.Errorf("%q is not an RE2 expression: %w", pattern, err)
	} else if e.text, err = automaton(pattern); err != nil {
		e.err = fmt.Errorf("%q %w", pattern, err)
	}
	if e.err != nil {
		e.prefix, e.fits = order.Claims(pattern)
		return e
	}
	if begun, err := regexp.Compile(strings.TrimPrefix(pattern, "^")); err == nil {
		e.prefix, _ = begun.LiteralPrefix()
	}
	e.size, e.fits = len(e.text), keyed(e.prefix)
	return e
}

// keyed reports whether a text can stand in a key as it is, which all normal paths
// can: what holds anything else is no beginning of one.
func keyed(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// expression returns the name of a pattern's automaton, and has it stand in the map.
func (w *question) expression(pattern string) (name string, ok bool) {
	if w.config.made.excess[w.rule] != nil {
		return "", false
	}
	e := w.config.read(pattern)
	if e.err != nil {
		return "", false
	}
	return w.name(e.text), true
}

// begins returns what every path begins with that a rule's expression fits; false where
// it fits none. Of one that is not served it is what it surely meant.
func (c *Config) begins(rule *ir.Rule, pattern string) (prefix string, fits bool) {
	if c.made.excess[rule] != nil {
		return order.Claims(pattern)
	}
	e := c.read(pattern)
	return e.prefix, e.fits
}

// underPrefixes sorts entries with path expressions by what paths begin with that they
// can fit: under each such beginning stand all that begin with it or with a part of
// it, so that the longest beginning of a path has all that the path can fit, in
// order. Where they would stand in many places all stand under "".
func (c *Config) underPrefixes(entries []order.Entry) map[string][]order.Entry {
	if len(entries) == 0 {
		return nil
	}
	places := map[string][]int{}
	fitting := entries[:0:0]
	for _, e := range entries {
		if prefix, fits := c.begins(e.Rule, e.Match().Path.Value); fits {
			places[prefix] = append(places[prefix], len(fitting))
			fitting = append(fitting, e)
		}
	}
	under, written := map[string][]order.Entry{}, 0
	for prefix := range places {
		var all []int
		for i := range len(prefix) + 1 {
			all = append(all, places[prefix[:i]]...)
		}
		if written += len(all); written > 2*len(fitting) {
			return map[string][]order.Entry{"": fitting}
		}
		slices.Sort(all)
		for _, i := range all {
			under[prefix] = append(under[prefix], fitting[i])
		}
	}
	return under
}
