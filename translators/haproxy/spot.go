package haproxy

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// What stands in a row's key between a hostname and a path, and says which kind of
// row it is: none of a hostname's octets. The first two are flags of a host's row too.
const (
	wholePath      = "="
	expressivePath = "~"
	beginOfPath    = "|"
)

// spot is a place of rows: the entries that are asked there in their order, and the
// row that they make.
type spot struct {
	kind ir.MatchKind
	// value is the path in its normal form, or what all paths begin with that the
	// expressions fit.
	value   string
	entries []order.Entry
	row     Row
	// texts are those that the row names, and what they name.
	texts []text
}

func (s *spot) compare(with *spot) int {
	return cmp.Or(cmp.Compare(s.kind, with.kind), cmp.Compare(s.value, with.value))
}

// spots sorts entries by their places.
func (c *Config) spots(entries []order.Entry) []spot {
	sorted := make([]spot, 0, len(entries))
	var expressions []order.Entry
	for i := range entries {
		path := entries[i].Match().Path
		if path.Kind == ir.Regex {
			expressions = append(expressions, entries[i])
		} else if literal := order.Literal(path); keyed(literal) {
			sorted = append(sorted, spot{kind: path.Kind, value: literal, entries: entries[i : i+1 : i+1]})
		}
	}
	slices.SortStableFunc(sorted, func(a, b spot) int { return a.compare(&b) })
	all := sorted[:0]
	for _, s := range sorted {
		if last := len(all) - 1; last >= 0 && all[last].compare(&s) == 0 {
			all[last].entries = append(all[last].entries, s.entries...)
			continue
		}
		all = append(all, s)
	}
	for prefix, under := range c.underPrefixes(expressions) {
		if len(under) > 0 {
			all = append(all, spot{kind: ir.Regex, value: prefix, entries: under})
		}
	}
	slices.SortFunc(all, func(a, b spot) int { return a.compare(&b) })
	return all
}

// saysAlike reports whether a spot says what it said in the last translation.
func (c *Config) saysAlike(p *order.Port, s, last *spot) bool {
	if !slices.Equal(s.entries, last.entries) {
		return false
	}
	for _, e := range s.entries {
		if key := (leadsKey{e.Route, p.Port}); c.made.leads[key] != c.kept.leads[key] {
			return false
		}
	}
	return true
}

// write makes the row of a spot of a hostname.
func (c *Config) write(a attached, s *spot) {
	key, stage := a.where()+wholePath+s.value, wholePath
	switch s.kind {
	case ir.Regex:
		key, stage = a.where()+expressivePath+s.value, expressivePath
	case ir.Prefix:
		prefix := strings.TrimSuffix(s.value, "/") + "/"
		key, stage = a.where()+beginOfPath+prefix, stageOf(len(prefix))
	}
	q := question{config: c}
	for i, e := range s.entries {
		to := c.leadsOf(a.port, e.Route).rules[e.RuleIndex] + "|" + Tag(e.Rule.Origin) + "|" + prefixLength(e.Match())
		if i == 0 && unconditional(e.Match()) && !strings.Contains(to, "*") {
			s.row = Row{key, to}
			return
		}
		q.add(e, to)
	}
	s.row, s.texts = q.row(key, stage), q.texts
}

// unconditional reports whether a match asks for nothing but a path that is looked up.
func unconditional(m *ir.Match) bool {
	return m.Path.Kind != ir.Regex && m.Method == "" && len(m.Headers) == 0 && len(m.Query) == 0
}

// prefixLength is how much of a path a match's prefix is, without a slash at its end;
// empty for a match of another kind.
func prefixLength(m *ir.Match) string {
	if m.Path.Kind != ir.Prefix {
		return ""
	}
	return strconv.Itoa(len(strings.TrimSuffix(order.Literal(m.Path), "/")))
}
