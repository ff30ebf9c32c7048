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
	around []*tree
	// message is nil until it is asked for.
	message *routev3.VirtualHost
}

// serving begins with what a listener serves.
func (c *Config) serving(l *order.Listener) *serving {
	s := &serving{
		config: c, listener: l.Listener, wide: newHostnames[*order.Host](0),
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

// virtualHost returns what a hostname answers.
func (s *serving) virtualHost(h *order.Host) *routev3.VirtualHost {
	made := s.hosting(h)
	var wider []*order.Host
	for _, other := range s.wide.around(h.Hostname, wider) {
		made.around = append(made.around, s.hosting(other).tree)
	}
	if s.last != nil {
		if last := s.last.hosts[h.Hostname]; last != nil && last.tree == made.tree && slices.Equal(last.around, made.around) && last.message != nil {
			made.message = last.message
			return made.message
		}
	}
	made.message = &routev3.VirtualHost{Name: h.Hostname, Domains: domainsOf(h.Hostname), Matcher: chain(made.tree, made.around)}
	return made.message
}
