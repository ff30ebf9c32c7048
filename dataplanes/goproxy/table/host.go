package table

import (
	"regexp"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// host is all that is served under one hostname, by kind of path match, the
// stronger kind first.
type host struct {
	exact map[string]*rows
	// expressions are in winning order.
	expressions []expression
	root        *node
	// rules are those of all rows, each once.
	rules []*Rule
}

// expression is a path expression with the row that it leads to.
type expression struct {
	compiled *regexp.Regexp
	// claim takes the expression's place where it does not compile: the paths
	// that begin with it. Empty matches nothing.
	claim string
	row   row
}

func (e *expression) matches(path string) bool {
	if e.compiled != nil {
		return e.compiled.MatchString(path)
	}
	return e.claim != "" && strings.HasPrefix(path, e.claim)
}

// node is one segment of path prefixes. Going down takes one map look-up a
// segment, and never goes deeper than the longest prefix, whatever the path.
type node struct {
	parent   *node
	children map[string]*node
	// rows are those whose prefix ends here; nil for none.
	rows *rows
}

func newHost(config *order.Host, compile func(*ir.Route, *ir.Rule) *Rule) *host {
	h := &host{exact: map[string]*rows{}, root: &node{}}
	seen := map[*Rule]bool{}
	for _, entry := range config.Entries {
		rule := compile(entry.Route, entry.Rule)
		if !seen[rule] {
			seen[rule] = true
			h.rules = append(h.rules, rule)
		}
		h.add(entry.Match(), rule)
	}
	h.index()
	return h
}

// add puts one match in its place. Matches come in winning order, so the rows of
// each path are in that order too.
func (h *host) add(m *ir.Match, rule *Rule) {
	row := newRow(m, rule)
	switch m.Path.Kind {
	case ir.Exact:
		path := order.Literal(m.Path)
		if h.exact[path] == nil {
			h.exact[path] = &rows{}
		}
		h.exact[path].add(row)
	case ir.Prefix:
		row.prefix = order.Literal(m.Path)
		n := h.root.descend(row.prefix)
		if n.rows == nil {
			n.rows = &rows{}
		}
		n.rows.add(row)
	case ir.Regex:
		h.expressions = append(h.expressions, newExpression(m.Path.Value, row))
	}
}

func newExpression(pattern string, row row) expression {
	compiled, err := order.Regexp(pattern)
	if err != nil {
		claim, _ := order.Claims(pattern)
		return expression{claim: claim, row: row}
	}
	return expression{compiled: compiled, row: row}
}

// descend returns the node of a prefix, and makes it where there is none.
func (n *node) descend(prefix string) *node {
	rest := prefix
	for rest != "" && rest != "/" {
		var segment string
		segment, rest = cut(rest)
		child := n.children[segment]
		if child == nil {
			child = &node{parent: n}
			if n.children == nil {
				n.children = map[string]*node{}
			}
			n.children[segment] = child
		}
		n = child
	}
	return n
}

// cut takes the first segment off a path that begins with a slash.
func cut(path string) (segment, rest string) {
	path = path[1:]
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// index prepares the lists of rows that are long.
func (h *host) index() {
	for _, list := range h.exact {
		list.index()
	}
	h.root.index()
}

func (n *node) index() {
	if n.rows != nil {
		n.rows.index()
	}
	for _, child := range n.children {
		child.index()
	}
}

// lookup returns the winning row, or nil.
func (h *host) lookup(r *exchange.Request) *row {
	if list := h.exact[r.Path]; list != nil {
		if found := list.lookup(r); found != nil {
			return found
		}
	}
	for i := range h.expressions {
		if e := &h.expressions[i]; e.row.matches(r) && e.matches(r.Path) {
			return &e.row
		}
	}
	return h.root.lookup(r)
}

// lookup goes down as far as the path leads, then back up, so that the longest
// prefix is tried first.
func (n *node) lookup(r *exchange.Request) *row {
	if !strings.HasPrefix(r.Path, "/") {
		return nil
	}
	for rest := r.Path; rest != "" && n.children != nil; {
		var segment string
		segment, rest = cut(rest)
		child := n.children[segment]
		if child == nil {
			break
		}
		n = child
	}
	for ; n != nil; n = n.parent {
		if n.rows == nil {
			continue
		}
		if found := n.rows.lookup(r); found != nil {
			return found
		}
	}
	return nil
}
