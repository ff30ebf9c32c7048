package envoy

import (
	"reflect"
	"slices"

	matcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// serving is what one listener serves, by hostname.
type serving struct {
	config   *Config
	listener *ir.Listener
	// wide are the hosts that cover others.
	wide  hostnames[*order.Host]
	hosts map[string]*hosting
	// families are those that share a virtual host, by its name.
	families map[string]*family
	// spare are hostings that are not used yet.
	spare []hosting
	// last is what the listener served before, nil where nothing of that holds.
	last *serving
}

// hosting is what is served under one hostname: what its own routes say, then
// what those of the hostnames around it say.
type hosting struct {
	host   *order.Host
	tree   *tree
	around []*hosting
	// message is nil where the hostname has no virtual host of its own.
	message *routev3.VirtualHost
	// rung, folded and door are nil where it has one.
	rung, folded *rung
	door         *matcherv3.Matcher_OnMatch
}

// serving begins with what a listener serves.
func (c *Config) serving(l *order.Listener) *serving {
	s := &serving{
		config: c, listener: l.Listener, families: map[string]*family{}, wide: newHostnames[*order.Host](0),
		hosts: make(map[string]*hosting, len(l.Hosts)+1), spare: make([]hosting, len(l.Hosts)+1),
	}
	for _, h := range l.Hosts {
		if h.Hostname[0] == '*' {
			s.wide.put(h.Hostname, h)
		}
	}
	if last := c.kept.serving[l.Listener.Key]; last != nil && (last.listener == l.Listener || reflect.DeepEqual(last.listener, l.Listener)) {
		s.last = last
	}
	c.made.serving[l.Listener.Key] = s
	return s
}

// forget lets go of what was before, so that no more than two translations are
// ever held.
func (s *serving) forget() { s.last, s.config = nil, nil }

// hosting returns what a hostname's own routes say, made or taken over.
func (s *serving) hosting(h *order.Host) *hosting {
	if made := s.hosts[h.Hostname]; made != nil {
		return made
	}
	var last *hosting
	if s.last != nil {
		last = s.last.hosts[h.Hostname]
	}
	made := s.blank()
	made.host = h
	if last != nil && (last.host == h || slices.Equal(last.host.Entries, h.Entries)) && !s.config.touched(h.Entries) {
		made.tree = last.tree
	} else {
		made.tree = newTree(h.Entries, s.branches(last))
	}
	s.hosts[h.Hostname] = made
	return made
}

// blank returns a hosting, of which many are made at once.
func (s *serving) blank() *hosting {
	if len(s.spare) == 0 {
		s.spare = make([]hosting, 16)
	}
	made := &s.spare[0]
	s.spare = s.spare[1:]
	return made
}

// branches says how the parts of a tree are made.
func (s *serving) branches(last *hosting) branches {
	b := branches{serve: s.serve, touched: s.config.touched}
	if last != nil {
		b.last = last.tree
	}
	return b
}

// serve is what becomes of the requests that an entry wins.
func (s *serving) serve(e order.Entry) *matcherv3.Matcher_OnMatch {
	routes := s.config.routesOf(e, s.listener)
	if len(routes) == 1 {
		return action(routes[0])
	}
	return action(&routev3.RouteList{Routes: routes})
}

// virtualHosts are those of some hostnames.
func (s *serving) virtualHosts(hosts []*order.Host) []*routev3.VirtualHost {
	made := make([]*hosting, 0, len(hosts))
	for _, h := range hosts {
		one := s.hosting(h)
		var wider [8]*order.Host
		for _, other := range s.wide.around(h.Hostname, wider[:0]) {
			one.around = append(one.around, s.hosting(other))
		}
		made = append(made, one)
	}
	all := make([]*routev3.VirtualHost, 0, len(made)+2)
	for _, f := range families(made) {
		if repeated, own := f.repeated(); repeated > own+mostRepeated {
			all = append(all, s.shared(f))
			continue
		}
		for _, h := range f.members {
			all = append(all, s.virtualHost(h))
		}
	}
	return all
}

// shared is a family's virtual host, made or taken over.
func (s *serving) shared(f *family) *routev3.VirtualHost {
	f.sort()
	if s.last != nil {
		if last := s.last.families[f.name()]; last != nil && slices.EqualFunc(last.members, f.members, sameHosting) {
			f.message = last.message
		}
	}
	for _, h := range f.members {
		if last := s.before(h); last != nil {
			h.rung, h.folded, h.door = last.rung, last.folded, last.door
		}
	}
	if f.message == nil {
		f.message = &routev3.VirtualHost{Name: f.name(), Domains: f.domains(), Matcher: f.matcher()}
	}
	s.families[f.name()] = f
	return f.message
}

func sameHosting(a, b *hosting) bool { return a.host.Hostname == b.host.Hostname && a.tree == b.tree }

// before is what the hostname had, where that has the same routes of its own.
func (s *serving) before(h *hosting) *hosting {
	if s.last == nil {
		return nil
	}
	if last := s.last.hosts[h.host.Hostname]; last != nil && last.tree == h.tree {
		return last
	}
	return nil
}

// virtualHost is that of one hostname, made or taken over.
func (s *serving) virtualHost(h *hosting) *routev3.VirtualHost {
	if last := s.before(h); last != nil && last.message != nil && slices.EqualFunc(last.around, h.around, sameHosting) {
		h.message = last.message
		return h.message
	}
	h.message = &routev3.VirtualHost{Name: h.host.Hostname, Domains: domainsOf(h.host.Hostname), Matcher: chain(h)}
	return h.message
}
