package envoy

import (
	"regexp"
	"slices"
	"strings"

	matcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/sluice-gateway/sluice/ir/order"
)

// A virtual host repeats the routes of the less specific hostnames around its own,
// because Envoy never leaves one that it has chosen. A thousand hosts beside a
// wildcard with a thousand routes would be a million routes. Where so much would
// be repeated, hostnames that cover each other share a virtual host, which looks
// a request's host up itself.

// mostRepeated bounds how many routes a listener repeats, beyond as many as it
// has.
var mostRepeated = 2000 //nolint:gochecknoglobals // A test shares sooner.

// family is the hostnames that lie in one that no other is around, the most
// specific first.
type family struct {
	members []*hosting
	// message is nil where each has a virtual host of its own.
	message *routev3.VirtualHost
}

// families sorts hostings by the widest hostname around them.
func families(all []*hosting) []*family {
	byTop := map[string]*family{}
	var sorted []*family
	for _, h := range all {
		top := h.host.Hostname
		if len(h.around) > 0 {
			top = h.around[len(h.around)-1].host.Hostname
		}
		f := byTop[top]
		if f == nil {
			f = &family{}
			byTop[top], sorted = f, append(sorted, f)
		}
		f.members = append(f.members, h)
	}
	return sorted
}

// repeated is how many routes are repeated where each has a virtual host, and own
// how many there are.
func (f *family) repeated() (repeated, own int) {
	for _, h := range f.members {
		own += h.tree.routes
		for _, other := range h.around {
			repeated += other.tree.routes
		}
	}
	return repeated, own
}

func (f *family) sort() {
	slices.SortFunc(f.members, func(a, b *hosting) int { return order.CompareHostnames(a.host.Hostname, b.host.Hostname) })
}

// name is that of the widest hostname.
func (f *family) name() string { return f.members[len(f.members)-1].host.Hostname + " and inside" }

func (f *family) domains() []string {
	names := make([]string, 0, len(f.members))
	for _, h := range f.members {
		names = append(names, h.host.Hostname)
	}
	return domainsOf(names...)
}

// anyUpper is a host that has to be looked for without regard to case, which a map
// cannot do.
const anyUpper = `.*[A-Z].*`

func (f *family) matcher() *matcherv3.Matcher {
	exact := make(onMatches, len(f.members))
	var wild, folded []*rung
	for _, h := range f.members {
		if len(h.tree.levels) == 0 {
			continue
		}
		h.knock()
		folded = append(folded, h.folded)
		if h.host.Hostname[0] == '*' {
			wild = append(wild, h.rung)
		} else {
			exact[h.host.Hostname] = h.door
		}
	}
	next := orElse
	if len(wild) > 0 {
		next = then(ladder(wild), next)
	}
	if len(exact) > 0 {
		next = then(prefixMap(authority, exact), next)
	}
	if len(folded) > 0 {
		next = then(ladder([]*rung{{Predicate: fits(authority, anyUpper), OnMatch: nested(ladder(folded))}}), next)
	}
	return next
}

// knock makes what leads from a shared virtual host to a hostname's own tree: with
// regard to case, and without.
func (h *hosting) knock() {
	if h.folded != nil {
		return
	}
	pattern := regexp.QuoteMeta(h.host.Hostname)
	switch {
	case h.host.Hostname == order.AnyHost:
		pattern = ".*"
	case h.host.Hostname[0] == '*':
		pattern = ".+" + regexp.QuoteMeta(strings.TrimPrefix(h.host.Hostname, "*"))
	}
	pattern += `\.?(?::[0-9]*)?`
	to := nested(h.tree.before(nil))
	h.rung = &rung{Predicate: fits(authority, pattern), OnMatch: to}
	h.folded = &rung{Predicate: fits(authority, "(?i)"+pattern), OnMatch: to}
	h.door = nested(ladder([]*rung{h.rung}))
}
