package envoy

import (
	"maps"
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// owners say which listener of a port the requests for a host belong to: the one
// with the most specific hostname, and no other's routes serve them.
type owners struct{ hostnames[*ir.Listener] }

func ownersOf(p *order.Port) owners {
	o := owners{newHostnames[*ir.Listener](len(p.Listeners))}
	for _, l := range p.All() {
		o.put(l.Hostname, l)
	}
	return o
}

// of returns the owner of all hosts that a hostname covers but for those that have
// an owner of their own; nil where nobody has them.
func (o owners) of(hostname string) *ir.Listener {
	if l, ok := o.at(hostname); ok {
		return l
	}
	l, _ := o.nearest(hostname)
	return l
}

// hosts returns what a listener serves: the hosts of its routes that are its own,
// and its hostname as a whole, under which what has no route is nobody's.
func (o owners) hosts(l *order.Listener) []*order.Host {
	all := make([]*order.Host, 0, len(l.Hosts)+1)
	whole := false
	for _, h := range l.Hosts {
		if o.of(h.Hostname) == l.Listener {
			all = append(all, h)
			whole = whole || h.Hostname == l.Listener.Hostname
		}
	}
	if !whole {
		all = append(all, &order.Host{Hostname: l.Listener.Hostname})
	}
	return all
}

// all returns the owners, in no order.
func (o owners) all() []*ir.Listener {
	all := slices.AppendSeq(slices.Collect(maps.Values(o.exact)), maps.Values(o.wild))
	if o.hasWhole {
		all = append(all, o.whole)
	}
	return all
}

// mostForeign bounds the hostnames that a listener lists for 421. Where a port has
// more, hosts that are nobody's get 421 too: the lists of all would grow with the
// square of their number.
const mostForeign = 256

// nesting says how the hostnames of a port's listeners lie in each other.
type nesting struct {
	// outermost lie in no other; within are those right below a listener's.
	outermost []string
	within    map[*ir.Listener][]string
}

func (o owners) nesting() nesting {
	n := nesting{within: map[*ir.Listener][]string{}}
	for _, l := range o.all() {
		if around, found := o.nearest(l.Hostname); found {
			n.within[around] = append(n.within[around], l.Hostname)
		} else {
			n.outermost = append(n.outermost, l.Hostname)
		}
	}
	slices.Sort(n.outermost)
	for _, hostnames := range n.within {
		slices.Sort(hostnames)
	}
	return n
}

// foreign returns the hostnames whose requests get 421 from a listener of HTTPS:
// those of the port's other listeners, each of which has connections of its own
// (GEP-3567). Those that a wider one of them covers are left out.
func (n nesting) foreign(l *ir.Listener) []string {
	if len(n.outermost) > mostForeign {
		return append([]string{order.AnyHost}, n.within[l]...)
	}
	wide := slices.DeleteFunc(slices.Clone(n.outermost), func(hostname string) bool { return hostname == l.Hostname })
	return append(wide, n.within[l]...)
}

// misdirected answers 421 to the requests for others' hosts; nil where there are
// none.
func (n nesting) misdirected(l *ir.Listener) *routev3.VirtualHost {
	hostnames := n.foreign(l)
	if len(hostnames) == 0 {
		return nil
	}
	return closed("misdirected", hostnames)
}

// closed answers 421 to all requests for some hosts.
func closed(flag string, hostnames []string) *routev3.VirtualHost {
	return &routev3.VirtualHost{Name: flag, Domains: domainsOf(hostnames...), Routes: []*routev3.Route{{
		Name:  flag,
		Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{}},
		Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{
			Status: 421, Body: inline("Misdirected Request\n"),
		}},
	}}, TypedPerFilterConfig: unannounced()}
}
