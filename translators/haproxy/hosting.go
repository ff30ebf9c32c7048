package haproxy

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// hosting is the rows of one hostname of a listener. It is immutable.
type hosting struct {
	asked attached
	// expressive is true where it has path expressions, and whole where it has whole
	// paths.
	expressive, whole bool
	leads             []*leads
	// spots are ordered by kind and value.
	spots []spot
	block *Block
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

// hostnameKey names a hostname of a port.
type hostnameKey struct {
	port     uint16
	hostname string
}

func (a attached) key() hostnameKey { return hostnameKey{a.port.Port, a.host.Hostname} }

// where is how rows name the hostname.
func (a attached) where() string { return strconv.Itoa(int(a.port.Port)) + "/" + a.host.Hostname }

// equal reports whether nothing that rows say differs.
func (a attached) equal(b attached) bool {
	return a.port.Port == b.port.Port && a.host == b.host && a.listener == b.listener && a.next == b.next
}

// place is what one hostname that leads to another says of it, and what a host's row
// begins and ends with: how rows name it, and which kinds of rows it has beside those
// of beginnings.
func (h *hosting) place() string {
	flags := "|"
	if h.whole {
		flags += wholePath
	}
	if h.expressive {
		flags += expressivePath
	}
	return h.asked.where() + flags
}

// hosting returns the rows of a hostname, made or taken over: nothing is written again
// where its routes lead where they led.
func (c *Config) hosting(a attached) *hosting {
	h := c.kept.hostings[a.host]
	if h == nil || !h.asked.equal(a) || !c.leadAlike(h) {
		h = c.newHosting(a)
	}
	for i := range h.spots {
		for _, t := range h.spots[i].texts {
			c.made.texts[t.name] = t.block
		}
	}
	c.made.hostings[a.host] = h
	return h
}

// leadAlike reports whether a hostname's routes lead where they led.
func (c *Config) leadAlike(h *hosting) bool {
	for i, route := range h.asked.host.Routes {
		if c.leadsOf(h.asked.port, route) != h.leads[i] {
			return false
		}
	}
	return true
}

func (c *Config) newHosting(a attached) *hosting {
	h := &hosting{asked: a, leads: make([]*leads, 0, len(a.host.Routes))}
	for _, route := range a.host.Routes {
		h.leads = append(h.leads, c.leadsOf(a.port, route))
	}
	h.spots = c.spots(a.host.Entries)
	rows := make([]Row, 0, len(h.spots)+2)
	rows = append(rows, c.bottom(a))
	last := c.lastOf(a)
	for i := range h.spots {
		s := &h.spots[i]
		h.expressive, h.whole = h.expressive || s.kind == ir.Regex, h.whole || s.kind == ir.Exact
		for len(last) > 0 && last[0].compare(s) < 0 {
			last = last[1:]
		}
		if len(last) > 0 && last[0].compare(s) == 0 && c.saysAlike(a.port, s, &last[0]) {
			s.row, s.texts = last[0].row, last[0].texts
		} else {
			c.write(a, s)
		}
		rows = append(rows, s.row)
	}
	rows = append(rows, hostRow(a.port.Port, a.host.Hostname, a.listener, h.place()))
	slices.SortFunc(rows, func(a, b Row) int { return cmp.Compare(a.Key, b.Key) })
	h.block = &Block{Rows: rows}
	return h
}

// lastOf returns what the last translation made of a hostname.
func (c *Config) lastOf(a attached) []spot {
	if c.kept.byHostname == nil {
		c.kept.byHostname = make(map[hostnameKey]*hosting, len(c.kept.hostings))
		for _, h := range c.kept.hostings {
			c.kept.byHostname[h.asked.key()] = h
		}
	}
	if h := c.kept.byHostname[a.key()]; h != nil {
		return h.spots
	}
	return nil
}

// bottom is the row that fits every path: the next hostname has its turn, or nobody
// serves the request.
func (c *Config) bottom(a attached) Row {
	key := a.where() + beginOfPath
	if a.next == "" {
		return Row{key, c.answer(notFound) + "||"}
	}
	return Row{key, "?" + stageOf(0) + ":>^" + a.next}
}
