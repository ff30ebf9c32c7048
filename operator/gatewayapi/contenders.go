package gatewayapi

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// loss is a listener that a route does not get, as an older one has it.
type loss struct {
	listener ir.ListenerKey
	to       resources.Key
	host     string
}

// variant is a route less what it lost; it stays while both are the same.
type variant struct {
	losses []loss
	made   *routed
}

// settleConflicts takes from routes what older routes have: the connections of
// a TCP or UDP listener, which only one route can have, and hostnames that a
// route of the other of HTTP and gRPC serves on the same listener. The routes
// come oldest first, so that those before a route outrank it.
func (u *unit) settleConflicts() []*routed {
	c := contest{holders: map[ir.ListenerKey]resources.Key{}, hosts: map[ir.ListenerKey]*[2]hostSet{}, mixed: u.mixed()}
	variants := map[*routed]*variant{}
	var routes []*routed
	for i, r := range u.roster.byAge {
		losses := c.enter(r)
		if len(losses) == 0 {
			if routes != nil {
				routes = append(routes, r)
			}
			continue
		}
		if routes == nil {
			routes = append(make([]*routed, 0, len(u.roster.byAge)), u.roster.byAge[:i]...)
		}
		v := u.variants[r]
		if v == nil || !slices.Equal(v.losses, losses) {
			v = &variant{losses, r.without(losses)}
		}
		variants[r] = v
		routes = append(routes, v.made)
	}
	u.variants = variants
	if routes == nil {
		return u.roster.byAge
	}
	return routes
}

// mixed are the listeners that have routes of both HTTP and gRPC. Others need no
// comparison of hosts.
func (u *unit) mixed() map[ir.ListenerKey]bool {
	mixed := map[ir.ListenerKey]bool{}
	if !u.hasKind(ir.GRPCRoute) || !u.hasKind(ir.HTTPRoute) {
		return mixed
	}
	kinds := map[ir.ListenerKey]ir.RouteKind{}
	for _, r := range u.roster.byAge {
		if r.route == nil {
			continue
		}
		for _, a := range r.route.Attachments {
			if kind, seen := kinds[a.Listener]; seen && kind != r.route.Kind {
				mixed[a.Listener] = true
			}
			kinds[a.Listener] = r.route.Kind
		}
	}
	return mixed
}

func (u *unit) hasKind(kind ir.RouteKind) bool {
	return slices.ContainsFunc(u.roster.byAge, func(r *routed) bool { return r.route != nil && r.route.Kind == kind })
}

// contest is what the routes so far hold.
type contest struct {
	holders map[ir.ListenerKey]resources.Key
	hosts   map[ir.ListenerKey]*[2]hostSet
	mixed   map[ir.ListenerKey]bool
}

// enter lets a route in, and returns what it loses.
func (c *contest) enter(r *routed) []loss {
	if r.route == nil || !r.accepted {
		return nil
	}
	switch r.route.Kind {
	case ir.TCPRoute, ir.UDPRoute:
		return c.enterStream(r)
	case ir.HTTPRoute, ir.GRPCRoute:
		if len(c.mixed) > 0 {
			return c.enterHosts(r)
		}
	}
	return nil
}

func (c *contest) enterStream(r *routed) []loss {
	var losses []loss
	for _, a := range r.route.Attachments {
		if holder, held := c.holders[a.Listener]; held {
			losses = append(losses, loss{listener: a.Listener, to: holder})
			continue
		}
		c.holders[a.Listener] = r.age.key
	}
	return losses
}

func (c *contest) enterHosts(r *routed) []loss {
	var losses []loss
	mine, other := 0, 1
	if r.route.Kind == ir.GRPCRoute {
		mine, other = 1, 0
	}
	for _, a := range r.route.Attachments {
		if !c.mixed[a.Listener] {
			continue
		}
		sets := c.hosts[a.Listener]
		if sets == nil {
			sets = &[2]hostSet{}
			c.hosts[a.Listener] = sets
		}
		if host, holder, taken := sets[other].anyOf(a.Hostnames); taken {
			losses = append(losses, loss{a.Listener, holder, host})
			continue
		}
		sets[mine].add(a.Hostnames, r.age.key)
	}
	return losses
}

// hostSet finds whether a hostname shares hosts with one of many.
type hostSet struct {
	// exact holds every hostname, wild those with a wildcard, and above every
	// suffix of them all, so that each question is a look-up per label.
	exact, wild, above map[string]resources.Key
}

func (s *hostSet) add(hosts []string, by resources.Key) {
	if s.exact == nil {
		s.exact, s.wild, s.above = map[string]resources.Key{}, map[string]resources.Key{}, map[string]resources.Key{}
	}
	for _, host := range hosts {
		s.exact[host] = by
		if host == anyHost || strings.HasPrefix(host, "*.") {
			s.wild[host] = by
		}
		for wider := range widerThan(host) {
			s.above[wider] = by
		}
	}
}

func (s *hostSet) anyOf(hosts []string) (string, resources.Key, bool) {
	for _, host := range hosts {
		if by, taken := s.exact[host]; taken {
			return host, by, true
		}
		if by, taken := s.above[host]; taken {
			return host, by, true
		}
		for wider := range widerThan(host) {
			if by, taken := s.wild[wider]; taken {
				return host, by, true
			}
		}
	}
	return "", resources.Key{}, false
}

// widerThan yields the wildcards that cover a hostname, itself left out.
func widerThan(host string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if host == anyHost {
			return
		}
		rest := strings.TrimPrefix(host, "*.")
		if !strings.HasPrefix(host, "*.") {
			_, rest, _ = strings.Cut(host, ".")
		} else {
			_, rest, _ = strings.Cut(rest, ".")
		}
		for rest != "" {
			if !yield("*." + rest) {
				return
			}
			_, rest, _ = strings.Cut(rest, ".")
		}
		yield(anyHost)
	}
}

// without returns the route less the listeners that it lost. A parentRef that
// has none left is not accepted.
func (r *routed) without(losses []loss) *routed {
	made, report, route := *r, *r.report, *r.route
	made.bound = 0
	made.report, made.route = &report, &route
	stream := route.Kind == ir.TCPRoute || route.Kind == ir.UDPRoute
	route.Attachments = slices.DeleteFunc(slices.Clone(route.Attachments), func(a ir.Attachment) bool { return lost(losses, a.Listener) != nil })
	if len(route.Attachments) == 0 {
		made.route = nil
	}
	report.Subjects = slices.Clone(report.Subjects)
	made.attached = slices.Clone(made.attached)
	for i := range report.Subjects {
		made.loseSubject(i, losses, stream)
	}
	made.count()
	return &made
}

func (r *routed) loseSubject(i int, losses []loss, stream bool) {
	subject := &r.report.Subjects[i]
	var found notes
	found.found = slices.Clone(subject.Findings)
	left := slices.DeleteFunc(slices.Clone(r.attached[i]), func(s seat) bool { return lost(losses, s.key) != nil })
	for _, s := range r.attached[i] {
		key := s.key
		l := lost(losses, key)
		switch {
		case l == nil:
		case stream:
			found.add(findings.RouteOutranked, "", "listener %q is served by %v, which is older; this route gets none of its traffic", key.Section, l.to)
		case len(left) == 0:
			found.add(findings.RouteHostnameTaken, "spec.hostnames",
				"%s on listener %q is served by %v, which is older and of the other kind; use another hostname", l.host, key.Section, l.to)
		default:
			// The specification knows a rejected Route; one that is served elsewhere
			// is accepted, and PartiallyInvalid is about rules.
			found.add(findings.RouteHostnamePartlyTaken, "spec.hostnames",
				"attached, but not to listener %q: %s is served there by %v, which is older and of the other kind; use another hostname",
				key.Section, l.host, l.to)
		}
	}
	subject.Findings = found.found
	// The specification counts every accepted TCPRoute and UDPRoute, served or
	// not.
	if !stream {
		r.attached[i] = left
	}
}

func lost(losses []loss, key ir.ListenerKey) *loss {
	for i := range losses {
		if losses[i].listener == key {
			return &losses[i]
		}
	}
	return nil
}
