package haproxy

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// hosting is the rows of one hostname of a listener.
type hosting struct {
	config *Config
	asked  attached
	// expressive is true where it has path expressions.
	expressive bool
	leads      []*leads
	texts      []text
	block      *Block
}

// attached is a hostname of a port, and what its rows say beyond its routes.
type attached struct {
	port *order.Port
	host *order.Host
	// listener is its listener's name, as metrics have it.
	listener string
	// next is the place of the less specific hostname of the listener that has its turn
	// where nothing of this one fits; empty where there is none.
	next string
}

// where is how rows name the hostname.
func (a attached) where() string { return strconv.Itoa(int(a.port.Port)) + "/" + a.host.Hostname }

// equal reports whether nothing that rows say differs.
func (a attached) equal(b attached) bool {
	return a.port.Port == b.port.Port && a.host == b.host && a.listener == b.listener && a.next == b.next
}

// place is what one hostname that leads to another says of it, and what a host's row
// begins and ends with: how rows name it, and whether it has path expressions.
func (h *hosting) place() string {
	if h.expressive {
		return h.asked.where() + "|~"
	}
	return h.asked.where() + "|"
}

// hosting returns the rows of a hostname, made or taken over: nothing is written again
// where its routes lead where they led.
func (c *Config) hosting(a attached) *hosting {
	led := make([]*leads, len(a.host.Routes))
	for i, route := range a.host.Routes {
		led[i] = c.leadsOf(a.port, route)
	}
	h := c.kept.hostings[a.host]
	if h == nil || !h.asked.equal(a) || !slices.Equal(h.leads, led) {
		h = &hosting{config: c, asked: a, leads: led}
		h.write()
		h.config = nil
	}
	for _, t := range h.texts {
		c.made.texts[t.name] = t.block
	}
	c.made.hostings[a.host] = h
	return h
}

// spots are the entries of one kind of path by its value.
type spots map[string][]order.Entry

func (h *hosting) write() {
	whole, beginnings := spots{}, spots{}
	var expressions []order.Entry
	for _, e := range h.asked.host.Entries {
		path := e.Match().Path
		switch literal := order.Literal(path); {
		case path.Kind == ir.Regex:
			expressions = append(expressions, e)
		case !keyed(literal):
		case path.Kind == ir.Exact:
			whole[literal] = append(whole[literal], e)
		default:
			beginnings[literal] = append(beginnings[literal], e)
		}
	}
	at := h.asked.where() + "|"
	rows := []Row{h.bottom("/" + at)}
	for path, entries := range whole {
		rows = append(rows, h.row("="+at+path, "=", entries))
	}
	for prefix, entries := range h.config.underPrefixes(expressions) {
		if len(entries) > 0 {
			h.expressive = true
			rows = append(rows, h.row("~"+at+prefix, "~", entries))
		}
	}
	for prefix, entries := range beginnings {
		key := strings.TrimSuffix(prefix, "/") + "/"
		rows = append(rows, h.row("/"+at+key, stageOf(len(key)), entries))
	}
	rows = append(rows, hostRow(h.asked.port.Port, h.asked.host.Hostname, h.asked.listener, h.place()))
	slices.SortFunc(rows, func(a, b Row) int { return cmp.Compare(a.Key, b.Key) })
	h.block = &Block{Rows: rows}
}

// bottom is the row that fits every path: the next hostname has its turn, or nobody
// serves the request.
func (h *hosting) bottom(key string) Row {
	if h.asked.next == "" {
		return Row{key, h.config.answer(notFound) + "||"}
	}
	return Row{key, "?" + stageOf(0) + ":>^" + h.asked.next}
}

// row is that of one path: without a condition it is what the request is led by.
func (h *hosting) row(key, stage string, entries []order.Entry) Row {
	w := question{tree: h}
	for i, e := range entries {
		to := h.config.leadsOf(h.asked.port, e.Route).rules[e.RuleIndex] + "|" + Tag(e.Rule.Origin) + "|" + prefixLength(e.Match())
		if i == 0 && unconditional(e.Match()) && !strings.Contains(to, "*") {
			return Row{key, to}
		}
		w.add(e, to)
	}
	return w.row(key, stage)
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
