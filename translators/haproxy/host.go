package haproxy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// A host's row says which listener a host belongs to, and which hostname of it is the
// first to serve it: "h443|a.example" leads to "443/a.example|default/web/https|". What
// is between the bars is the listener's name. Where nobody serves the host the place
// is empty, and it is "refused" where the listener is refused.

const refusedPlace = "refused"

// hostRow is a host's row. Place ends in a bar and what the look-up must know.
func hostRow(port uint16, hostname, listener, place string) Row {
	where, flags, _ := strings.Cut(place, "|")
	return Row{hostKey(port, hostname), where + "|" + listener + "|" + flags}
}

// hostKey is "h80|a.example", and "h80|*" for every host. Of a wildcard it is
// "example|*80": what HAProxy has of a host is its last labels, behind which it puts
// the rest.
func hostKey(port uint16, hostname string) string {
	if suffix, wide := strings.CutPrefix(hostname, "*."); wide {
		return suffix + wideSuffix(port)
	}
	return "h" + strconv.Itoa(int(port)) + "|" + hostname
}

func wideSuffix(port uint16) string { return "|*" + strconv.Itoa(int(port)) }

// listenerName is a listener as the log and metrics have it: "default/web/https".
func listenerName(k ir.ListenerKey) string {
	return k.Owner.Namespace + "/" + k.Owner.Name + "/" + k.Section
}

// portRows makes the rows of one port.
type portRows struct {
	config *Config
	port   *order.Port
	// name is that of the listener whose hostnames are gone through.
	name string
	// listeners are all of the port, by hostname.
	listeners map[string]*ir.Listener
	// wide are the places of wildcards, and of "*", by listener and hostname.
	wide map[wideHost]string
	// seen are the hostnames of listeners that have rows already.
	seen   map[string]bool
	blocks []*Block
}

type wideHost struct {
	listener *ir.Listener
	hostname string
}

// rows are what requests of a port are led by.
func (c *Config) rows(p *order.Port) []*Block {
	r := portRows{config: c, port: p, listeners: map[string]*ir.Listener{}, wide: map[wideHost]string{}, seen: map[string]bool{}}
	for _, l := range p.All() {
		r.listeners[l.Hostname] = l
	}
	for _, l := range p.Listeners {
		if c.shut(l.Listener) {
			continue
		}
		r.name = listenerName(l.Listener.Key)
		// The least specific come first: others lead to them.
		for i := len(l.Hosts) - 1; i >= 0; i-- {
			r.host(l.Listener, l.Hosts[i])
		}
	}
	for _, l := range p.All() {
		if !r.seen[l.Hostname] {
			r.bare(l)
		}
	}
	return r.blocks
}

// owner is the listener that all hosts of a hostname belong to, unless a more specific
// hostname says otherwise.
func (r *portRows) owner(hostname string) *ir.Listener {
	for name := range order.Chain(hostname) {
		if l := r.listeners[name]; l != nil {
			return l
		}
	}
	return nil
}

// host makes the rows of a hostname. One whose hosts all belong to another listener
// has none.
func (r *portRows) host(l *ir.Listener, h *order.Host) {
	if r.owner(h.Hostname) != l {
		return
	}
	a := attached{port: r.port, host: h, listener: r.name, next: r.around(l, h.Hostname, true)}
	made := r.config.hosting(a)
	if strings.HasPrefix(h.Hostname, order.AnyHost) {
		r.wide[wideHost{l, h.Hostname}] = made.place()
	}
	if l.Hostname == h.Hostname {
		r.seen[h.Hostname] = true
	}
	r.blocks = append(r.blocks, made.block)
}

// around is the place of the most specific hostname of a listener that covers one:
// itself or, where others are asked for, another. It is empty where there is none.
func (r *portRows) around(l *ir.Listener, hostname string, others bool) string {
	for name := range order.Chain(hostname) {
		if others && name == hostname {
			continue
		}
		if place := r.wide[wideHost{l, name}]; place != "" {
			return place
		}
	}
	return ""
}

// bare makes the row of a listener's hostname under which no route is attached.
func (r *portRows) bare(l *ir.Listener) {
	place := r.around(l, l.Hostname, false)
	if l.Refused != "" || r.config.shut(l) {
		place = refusedPlace
	}
	row := hostRow(r.port.Port, l.Hostname, listenerName(l.Key), place)
	r.blocks = append(r.blocks, r.config.single(row))
}

// single is the block of one row, made or taken over.
func (c *Config) single(row Row) *Block {
	b := c.kept.singles[row]
	if b == nil {
		b = &Block{Rows: []Row{row}}
	}
	c.made.singles[row] = b
	return b
}

// refusal is the row of all hosts of refused listeners.
func (c *Config) refusal() *Block {
	name := c.keep(answerName("refused_listener"), ir.Origin{}, func(name string) *Section {
		return &Section{Kind: "backend", Name: name, Lines: says(internalError, "refused_listener")}
	})
	return c.single(Row{refusedPlace + beginOfPath, name + "||"})
}

// labels are how many labels wildcards of a port have that are looked for, the most
// first: those that there are and, where there is any, all few ones.
func labels(p *order.Port) []int {
	var counts []int
	count := func(hostname string) {
		if n := strings.Count(hostname, "."); strings.HasPrefix(hostname, "*.") && !slices.Contains(counts, n) {
			counts = append(counts, n)
		}
	}
	for _, l := range p.All() {
		count(l.Hostname)
	}
	for _, l := range p.Listeners {
		for _, h := range l.Hosts {
			count(h.Hostname)
		}
	}
	for n := 1; n <= fewLabels && len(counts) > 0; n++ {
		if !slices.Contains(counts, n) {
			counts = append(counts, n)
		}
	}
	slices.Sort(counts)
	slices.Reverse(counts)
	return counts
}
