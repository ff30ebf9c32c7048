package haproxy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// list is a list of certificates in the making: what HAProxy answers each server name
// with.
//
// HAProxy knows three kinds of names: exact ones, wildcards of exactly one label, and
// "*", which stands for all others and for none. It looks a name up as it is and by
// its wildcard, and among both takes a certificate of ECDSA before one of RSA. So a
// line of a wildcard excludes the names below it that have lines of their own and
// might lose to it; and of a wildcard listener, which covers any number of labels,
// the names of its routes and of its certificates are named one by one.
type list struct {
	file    string
	port    uint16
	entries []*entry
	// by finds the entries of a name.
	by map[string][]*entry
	// closed are names that nobody answers for.
	closed []string
	// strict refuses names that are not in the list: nobody covers them.
	strict bool
	// resumes says that a session of one listener may go on with another.
	resumes bool
	// whole is true where "*" has all names that are not in the list.
	whole bool
	// asks says that a listener asks for certificates of clients, and demands that one
	// lets nobody in without.
	asks, demands bool
}

// entry is one certificate for one name.
type entry struct {
	name     string
	listener *ir.Listener
	leaf     *leaf
	// refuses makes handshakes fail.
	refuses bool
	// anchors are what clients are asked for a certificate of; empty where they are not.
	// demands says that they must have one.
	anchors string
	demands bool
}

// tlsList is what the listeners of HTTPS of a port answer server names with.
func (c *Config) tlsList(p *order.Port) *list {
	if l := c.made.lists[p]; l != nil {
		return l
	}
	o := ownersOf(p)
	l := &list{file: "lists/" + strconv.Itoa(int(p.Port)), port: p.Port, by: map[string][]*entry{}, strict: true, resumes: true}
	for _, one := range p.Listeners {
		if one.Listener.Protocol == ir.HTTPS && !c.closes(one.Listener) {
			c.listNames(l, one, func(name string) bool { return o.of(name) == one.Listener })
		}
	}
	for _, one := range p.All() {
		if one.Protocol != ir.HTTPS || c.closes(one) {
			l.refuse(one)
		}
	}
	c.made.lists[p] = l
	return l
}

// wholeList is what one listener answers with, whatever the name.
func (c *Config) wholeList(one *ir.Listener) *list {
	if l := c.made.whole[one.Key]; l != nil {
		return l
	}
	l := &list{file: "lists/" + innerName(one), port: one.Port, by: map[string][]*entry{}, resumes: true}
	all := *one
	all.Hostname = order.AnyHost
	c.listNames(l, &order.Listener{Listener: &all}, func(name string) bool { return order.MatchHostname(one.Hostname, name) })
	c.made.whole[one.Key] = l
	return l
}

// listNames adds the names of a listener that is served.
func (c *Config) listNames(l *list, one *order.Listener, owns func(name string) bool) {
	at := one.Listener
	_, demanded := c.demands(at)
	anchors := c.asks(at)
	if demanded {
		l.resumes, l.demands = false, true
	}
	if anchors != "" {
		l.asks = true
	}
	if at.Hostname == order.AnyHost {
		l.strict, l.whole = false, true
	}
	leaves := c.leavesOf(at)
	for _, name := range namesOf(one, leaves) {
		if name != at.Hostname && !owns(name) {
			continue
		}
		for _, leaf := range choose(leaves, name) {
			l.add(&entry{name: name, listener: at, leaf: leaf, anchors: anchors, demands: demanded})
		}
	}
}

func (l *list) add(e *entry) {
	l.entries = append(l.entries, e)
	l.by[e.name] = append(l.by[e.name], e)
}

func (c *Config) leavesOf(l *ir.Listener) []*leaf {
	all := make([]*leaf, 0, len(l.TLS.Certificates))
	for _, key := range l.TLS.Certificates {
		all = append(all, c.made.leaves[key])
	}
	return all
}

// namesOf are the names that a listener must have in a list, its own first.
func namesOf(one *order.Listener, leaves []*leaf) []string {
	own := one.Listener.Hostname
	all := []string{own}
	if !strings.HasPrefix(own, "*") || own == order.AnyHost && len(leaves) == 1 {
		return all
	}
	for _, h := range one.Hosts {
		if own != order.AnyHost && parent(h.Hostname) != own {
			all = append(all, h.Hostname)
		}
	}
	for _, leaf := range leaves {
		all = append(all, leaf.names...)
	}
	rest := slices.DeleteFunc(all[1:], func(name string) bool { return name == own })
	slices.Sort(rest)
	return append(all[:1], slices.Compact(rest)...)
}

// choose returns the certificates for a name: of each algorithm the first that is for
// it; else the listener's first.
func choose(leaves []*leaf, name string) []*leaf {
	var all []*leaf
	for _, l := range leaves {
		same := func(other *leaf) bool { return other.algorithm == l.algorithm }
		if (name == order.AnyHost || l.fits(name)) && !slices.ContainsFunc(all, same) {
			all = append(all, l)
		}
	}
	if len(all) == 0 {
		return leaves[:1]
	}
	return all
}

// refuse keeps the names of a listener that is not served from being answered for
// another. Where "*" has all names, handshakes for them are made to fail.
func (l *list) refuse(one *ir.Listener) {
	switch {
	case len(l.by[one.Hostname]) > 0 || len(l.entries) == 0:
	case l.whole:
		l.resumes = false
		l.add(&entry{name: one.Hostname, listener: one, leaf: l.entries[0].leaf, refuses: true})
	default:
		l.closed = append(l.closed, one.Hostname)
	}
}

// parent is the wildcard of one label that covers a name: "*.b.example" for
// "a.b.example"; empty for wildcards.
func parent(name string) string {
	_, rest, found := strings.Cut(name, ".")
	if !found || strings.HasPrefix(name, "*") {
		return ""
	}
	return "*." + rest
}

// hostname brings a name of a certificate into the form of the ir's hostnames; false
// for what is none.
func hostname(name string) (string, bool) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	plain := strings.TrimPrefix(name, "*.")
	if plain == "" || len(name) > 253 {
		return "", false
	}
	for i := range len(plain) {
		if b := plain[i]; (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' && b != '.' && b != '_' {
			return "", false
		}
	}
	return name, true
}
