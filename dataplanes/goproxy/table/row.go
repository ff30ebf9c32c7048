package table

import (
	"regexp"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// row is one match without its path, and the rule that it leads to.
type row struct {
	rule *Rule
	// prefix is the match's, where it is one.
	prefix  string
	method  string
	headers []condition
	query   []condition
}

// condition is a compiled ir.ValueMatch.
type condition struct {
	name string
	kind conditionKind
	// value is what an exact condition wants.
	value    string
	compiled *regexp.Regexp
}

// conditionKind says how a condition compares.
type conditionKind int

const (
	equal conditionKind = iota
	expressed
	// present is met by any value. It takes the place of an expression that does
	// not compile: the rule keeps its traffic, and answers 500.
	present
)

func newRow(m *ir.Match, rule *Rule) row {
	return row{rule: rule, method: m.Method, headers: conditions(m.Headers), query: conditions(m.Query)}
}

func conditions(matches []ir.ValueMatch) []condition {
	if len(matches) == 0 {
		return nil
	}
	all := make([]condition, len(matches))
	for i, m := range matches {
		all[i] = condition{name: m.Name, value: m.Value}
		if m.Kind != ir.Regex {
			continue
		}
		compiled, err := order.Regexp(m.Value)
		all[i].kind, all[i].compiled = expressed, compiled
		if err != nil {
			all[i].kind = present
		}
	}
	return all
}

// matches compares everything but the path.
func (w *row) matches(r *exchange.Request) bool {
	if w.method != "" && w.method != r.Method {
		return false
	}
	for i := range w.headers {
		if !w.headers[i].matchesHeader(r.Header) {
			return false
		}
	}
	for i := range w.query {
		if !w.query[i].matchesQuery(r.Query) {
			return false
		}
	}
	return true
}

func (c *condition) matchesHeader(h exchange.Header) bool {
	value, found := headerValue(h, c.name)
	return found && c.accepts(value)
}

// headerValue returns a header's value; several are joined by commas.
func headerValue(h exchange.Header, name string) (value string, found bool) {
	count := 0
	for i := range h {
		if sameName(h[i].Name, name) {
			if count++; count == 1 {
				value = h[i].Value
			}
		}
	}
	if count > 1 {
		value = joined(h, name)
	}
	return value, count > 0
}

// joined is the slow way, for a header that comes several times.
func joined(h exchange.Header, name string) string {
	var all []string
	for i := range h {
		if sameName(h[i].Name, name) {
			all = append(all, h[i].Value)
		}
	}
	return strings.Join(all, ",")
}

// accepts compares a value that is there.
func (c *condition) accepts(value string) bool {
	switch c.kind {
	case equal:
		return value == c.value
	case expressed:
		return c.compiled.MatchString(value)
	default:
		return true
	}
}

// matchesQuery compares the first parameter of the name, decoding it on the way.
func (c *condition) matchesQuery(query string) bool {
	raw, found := rawParameter(query, c.name)
	switch {
	case !found:
		return false
	case c.kind == equal:
		return unescapesTo(raw, c.value)
	default:
		return c.accepts(order.Unescape(raw))
	}
}

// rawParameter returns the first value of a query parameter as it came.
func rawParameter(query, name string) (raw string, found bool) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		if pair != "" && unescapesTo(key, name) {
			return value, true
		}
	}
	return "", false
}

// unescapesTo compares what a raw text stands for, without writing it down.
func unescapesTo(raw, want string) bool {
	for i := 0; i < len(raw); {
		octet, size := order.UnescapeAt(raw, i)
		if want == "" || want[0] != octet {
			return false
		}
		want, i = want[1:], i+size
	}
	return want == ""
}

// sameName compares a request's header name with a lower case one.
func sameName(name, lower string) bool {
	return len(name) == len(lower) && strings.EqualFold(name, lower)
}
