package place

import (
	"net/netip"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
)

// Place is where a proxy runs. Both are empty where that is not known; then hints
// for them are not followed.
type Place struct{ Zone, Node string }

// Tier is how near to being chosen an endpoint is. One of a later tier is used
// where none of those before it is left.
type Tier int

const (
	// Near are the endpoints that are meant for the proxy: all, unless hints say
	// otherwise.
	Near Tier = iota
	// Far are meant for other places. kube-proxy never goes there while an endpoint
	// is near, as it cannot know that none of those answers.
	Far
	// Draining endpoints are about to end.
	Draining
	// Tiers is how many there are.
	Tiers
)

// Preference is which hints are followed: those that hints returns and that name
// place; none where hints is nil.
type Preference struct {
	hints func(*ir.Endpoint) []string
	place string
}

// Preference decides as kube-proxy does: hints for nodes go before those for
// zones, and hints are followed only if every endpoint that does not drain has
// some, and some lead here.
func (p Place) Preference(all []ir.Endpoint) Preference {
	for _, one := range []Preference{{forNodes, p.Node}, {forZones, p.Zone}} {
		if one.holds(all) {
			return one
		}
	}
	return Preference{}
}

func forNodes(e *ir.Endpoint) []string { return e.ForNodes }
func forZones(e *ir.Endpoint) []string { return e.ForZones }

func (p Preference) holds(all []ir.Endpoint) bool {
	if p.place == "" {
		return false
	}
	here := false
	for i := range all {
		if all[i].Draining {
			continue
		}
		hints := p.hints(&all[i])
		if len(hints) == 0 {
			return false
		}
		here = here || slices.Contains(hints, p.place)
	}
	return here
}

// Tier returns that of one of the endpoints that the preference was made of.
func (p Preference) Tier(e *ir.Endpoint) Tier {
	switch {
	case e.Draining:
		return Draining
	case p.hints == nil || slices.Contains(p.hints(e), p.place):
		return Near
	}
	return Far
}

// Tiers returns where endpoints are, by their tier. An address that is none is left
// out: it cannot be reached, and proxies would refuse all of them.
func (p Place) Tiers(endpoints []ir.Endpoint) [Tiers][]netip.AddrPort {
	var all [Tiers][]netip.AddrPort
	meant := p.Preference(endpoints)
	for i := range endpoints {
		one := &endpoints[i]
		ip, err := netip.ParseAddr(one.Address)
		if err != nil || ip.Zone() != "" || one.Port == 0 {
			continue
		}
		tier := meant.Tier(one)
		all[tier] = append(all[tier], netip.AddrPortFrom(ip.Unmap(), one.Port))
	}
	return all
}
